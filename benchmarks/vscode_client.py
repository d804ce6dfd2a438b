"""What our VS Code client adds: to a key, above the server's answer and VS Code's own work, and to a start.

Usage: python benchmarks/vscode_client.py [KEYSTROKES [STARTS]] (60 and 10 by default; needs ``make vsix``)

VS Code waits 50 ms after a key before it asks anybody. So the keystrokes of ours take turns with those of
another extension's provider in the same window, which answers at once and without a server; what is left of
the difference after the server's part (between the request's arrival there and its answer) is our client's.
A keystroke's time ends in the animation frame that shows the ghost text. Activation is what VS Code says:
loading the code and calling it.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from estimates import paired, spread
from playwright.sync_api import sync_playwright
from report import Figure, at_most, publish

from tests.editors.vscode.code_server import CodeServer
from tests.editors.vscode.programs import messages, scripted
from tests.editors.vscode.waiting import until
from tests.editors.vscode.workbench import BROWSER_FLAGS, CHROMIUM, Workbench

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

    from tests.editors.vscode.editor import Editor

WARM_UP = 5
"""Keystrokes of each side that are not counted: the first requests load code."""
STOPWATCH = """
window.shown = ghost => new Promise(resolve => {
  let began;
  const started = event => { if (event.key === ' ') began ??= performance.now(); };
  window.addEventListener('keydown', started, { capture: true });
  const observer = new MutationObserver(() => {
    const pieces = document.querySelectorAll('.ghost-text, .ghost-text-decoration');
    const text = [...pieces].map(piece => piece.textContent).join('').replaceAll('\\u00a0', ' ');
    if (began === undefined || !text.includes(ghost)) return;
    observer.disconnect();
    window.removeEventListener('keydown', started, { capture: true });
    requestAnimationFrame(() => resolve(performance.now() - began));
  });
  observer.observe(document.body, { childList: true, subtree: true, characterData: true });
});
"""
CLIENT = "nightschool"


def main(keystrokes: int, starts: int) -> None:
    answers = {f"place_{number} = ": f"ghost_{number}()" for number in range(keystrokes + WARM_UP)}
    with (
        tempfile.TemporaryDirectory() as scratch,
        CodeServer(Path(scratch)).running() as server,
        sync_playwright() as playwright,
    ):
        project = Path(scratch) / "workbench"
        project.mkdir()
        workbench = Workbench(server, project)
        workbench.change_settings(server__command=scripted(workbench.home, answers))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_FLAGS)
        with workbench.opened(browser) as editor:
            editor.wait_for_status("ready")
            ours, bare = typed(editor, keystrokes + WARM_UP)
        inside = served(workbench.home)
        activations = [activated(workbench, browser) for _ in range(starts)]
        browser.close()
    assert len(inside) == len(ours)
    without_server = [seen - own for seen, own in zip(ours, inside, strict=True)][WARM_UP:]
    publish(
        "vscode_client",
        figures(without_server, bare[WARM_UP:], activations),
        {
            "ours_ms": spread(ours[WARM_UP:]).as_json(),
            "server_ms": spread(inside[WARM_UP:]).as_json(),
            "bare_provider_ms": spread(bare[WARM_UP:]).as_json(),
            "activation_ms": activations,
            "runs": {"ours_ms": ours, "server_ms": inside, "bare_provider_ms": bare},
        },
    )


def typed(editor: Editor, count: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds from key to ghost text: our client's, the bare provider's."""
    editor.page.evaluate(f"() => {{ {STOPWATCH} }}")
    editor.open("a.py", "import os\n")
    editor.at_end()
    ours, bare = [], []
    for number in range(count):
        sides = [(ours, "place", "ghost"), (bare, "beside", "other")]
        for times, place, ghost in sides if number % 2 else reversed(sides):
            times.append(keystroke(editor, f"{place}_{number} =", f"{ghost}_{number}()"))
    return ours, bare


def keystroke(editor: Editor, line: str, ghost: str) -> float:
    editor.page.keyboard.insert_text(line)
    # Whatever the line has set off is over: the next key is alone.
    editor.page.wait_for_timeout(400)
    editor.page.evaluate("ghost => { window.waiting = window.shown(ghost); }", ghost)
    editor.press("Space")
    seen = editor.page.evaluate("window.waiting")
    editor.press("Escape")
    editor.no_ghost()
    editor.press("Enter")
    return seen


def served(home: Path) -> list[float]:
    """Return the milliseconds between each request that had an offer and its answer, at the server."""
    asked: dict[int, float] = {}
    times = []
    for entry in messages(home):
        if entry.get("method") == "textDocument/inlineCompletion":
            asked[entry["id"]] = entry["at"]
        elif entry.get("id") in asked and entry.get("result"):
            times.append(1000 * (entry["at"] - asked[entry["id"]]))
    return times


def activated(workbench: Workbench, browser: Browser) -> float:
    """Return the milliseconds that our extension takes a new window to activate."""
    with workbench.opened(browser) as editor:
        editor.wait_for_status("ready")
        editor.command("Developer: Show Running Extensions")
        return until(lambda: _activation(editor.page), "our row among the running extensions")


def _activation(page: Page) -> float | None:
    row = page.locator(".runtime-extensions-editor .extension", has_text=CLIENT).first
    found = re.search(r"Activation: (\d+)\s*ms", row.inner_text()) if row.count() else None
    return float(found[1]) if found else None


def figures(ours: list[float], bare: list[float], activations: list[float]) -> list[Figure]:
    keys = [str(number) for number in range(len(ours))]
    added = paired(ours, bare, keys, difference_of_medians)
    note = (
        f"95 %: {added.low:.1f} to {added.high:.1f}; {statistics.median(ours):.1f} ms without the server, "
        f"a bare provider {statistics.median(bare):.1f} ms, {len(ours)} keystrokes each"
    )
    spent = f"from {min(activations):g} to {max(activations):g} in {len(activations)} windows"
    return [
        at_most("keystroke to ghost text, added by the client, median, ms", added.value, 16, note),
        at_most("activation without the server, median, ms", statistics.median(activations), 30, spent),
    ]


def difference_of_medians(ours: NDArray[np.float64], bare: NDArray[np.float64]) -> float:
    return float(np.median(ours) - np.median(bare))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [60, 10][len(given) :]))
