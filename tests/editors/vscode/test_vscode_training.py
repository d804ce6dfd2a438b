"""Training from VS Code: progress, cancelling, verdict, what changes, going back. The night is a script."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from learner.registry import NothingToDoError, Registry
from models.checksum import sha256_of
from models.home import Home
from tests.editors.vscode.programs import scripted
from tests.editors.vscode.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench
    from tests.editors.vscode.editor import Editor
    from tests.editors.vscode.workbench import Workbench

# A browser and a workbench on two cores.
pytestmark = pytest.mark.timeout(300)

FIRST, SECOND = "20261201-0300-0001", "20261202-0300-0002"
OLD, NEW, NEWEST = ({"hours = ": text} for text in ("many(rows)", "audited(rows)", "closed(rows)"))
EXAM = {
    "serving": {"outcomes": {"exact_match": 0.31}},
    "candidate": {"outcomes": {"exact_match": 0.342}},
}


def promoted(adapter: str) -> dict[str, Any]:
    return {"verdict": "promoted", "adapter": adapter, "reasons": [], "exam": EXAM}


REFUSED = {"verdict": "refused", "adapter": SECOND, "reasons": ["it forgets"], "exam": {}}


@pytest.fixture(scope="module")
def workbench(new_workbench: NewWorkbench) -> Workbench:
    workbench = new_workbench()
    home = workbench.home
    night = [sys.executable, "-m", "tests.editors.vscode.school_night", str(home), str(workbench.folder)]
    command = scripted(home, OLD, {FIRST: NEW, SECOND: NEWEST}, night)
    base, registry = sha256_of(home / "answers.json"), Registry(Home(home))
    for day, identity in enumerate((FIRST, SECOND)):
        unfinished = home / "unfinished.gguf"
        unfinished.write_bytes(b"GGUF" + identity.encode())
        registry.add(unfinished, identity, {"base": base, "created": float(day)})
    workbench.change_settings(server__command=command)
    return workbench


@pytest.fixture(scope="module")
def window(browser: Browser, workbench: Workbench) -> Iterator[Editor]:
    with workbench.opened(browser) as editor:
        yield editor


@pytest.fixture
def editor(window: Editor) -> Editor:
    """The window, with the bare base serving and nothing said."""
    serve(window.workbench, None)
    for name in ("pid", "verdict"):
        (window.workbench.folder / name).unlink(missing_ok=True)
    window.wait_for_status("ready: answers")
    until(lambda: not re.search("adapter|training", window.status), "the bare base, and no training")
    window.forget_messages()
    return window


def serve(workbench: Workbench, adapter: str | None) -> None:
    with suppress(NothingToDoError):
        Registry(Home(workbench.home)).promote(adapter, sha256_of(workbench.home / "answers.json"))


def begin_night(editor: Editor) -> psutil.Process:
    pid: Path = editor.workbench.folder / "pid"
    editor.menu("Train now")
    editor.is_told("learning: training 10/20, loss 0.900, 2 min left")
    editor.wait_for_status("training 30 %")
    return psutil.Process(int(pid.read_text()))


def end_night(workbench: Workbench, verdict: dict[str, Any]) -> None:
    unfinished = workbench.folder / "unfinished"
    unfinished.write_text(json.dumps(verdict))
    unfinished.rename(workbench.folder / "verdict")


def test_what_a_night_promotes_serves_at_the_next_key(editor: Editor) -> None:
    assert editor.completes("before.py", "hours = ", "many(rows)")["adapter"] is None
    begin_night(editor)
    end_night(editor.workbench, promoted(FIRST))
    verdict = editor.is_told("passed its exam")
    assert verdict == (
        f"Nightschool: adapter {FIRST} passed its exam and serves now: "
        "exact match on your newest outcomes 31.0 % → 34.2 %"
    )
    editor.wait_for_status(f"adapter {FIRST}")
    until(lambda: "training" not in editor.status, "the training's end")
    assert editor.completes("after.py", "hours = ", "audited(rows)")["adapter"] == FIRST


def test_a_corrected_offer_and_a_night_make_the_next_offer_better(editor: Editor) -> None:
    assert editor.completes("corrected.py", "hours = ", "many(rows)")["adapter"] is None
    editor.press("Shift+Home")
    editor.type("hours = audited(rows)")
    assert editor.save("corrected.py").rstrip("\n").endswith("\nhours = audited(rows)")
    row = editor.workbench.rows.labelled("edited", "corrected.py")
    assert (row["offered_text"], row["adapter"]) == ("many(rows)", None)
    begin_night(editor)
    end_night(editor.workbench, promoted(FIRST))
    editor.is_told("passed its exam and serves now")
    editor.wait_for_status(f"adapter {FIRST}")
    assert editor.completes("like.py", "hours = ", "audited(rows)")["adapter"] == FIRST


def test_a_refused_adapter_changes_nothing(editor: Editor) -> None:
    begin_night(editor)
    end_night(editor.workbench, REFUSED)
    editor.is_told(f"adapter {SECOND} did not pass its exam, what served serves on: it forgets")
    assert editor.completes("refused.py", "hours = ", "many(rows)")["adapter"] is None


@pytest.mark.parametrize("by", ["button", "menu"])
def test_a_cancelled_night_ends_and_says_so(editor: Editor, by: str) -> None:
    night = begin_night(editor)
    if by == "button":
        editor.press_button("Nightschool: learning", "Cancel")
    else:
        editor.menu("Cancel the training")
    editor.is_told("cancelled; the next night goes on from here")
    night.wait(10)
    until(lambda: "training" not in editor.status, "the training's end")
    told = [text for text in editor.messages() if "learning" not in text]
    assert told == ["Nightschool: cancelled; the next night goes on from here"]


def test_rolling_back_serves_what_served_before(editor: Editor) -> None:
    serve(editor.workbench, FIRST)
    serve(editor.workbench, SECOND)
    editor.wait_for_status(f"adapter {SECOND}")
    assert editor.completes("second.py", "hours = ", "closed(rows)")["adapter"] == SECOND
    editor.menu("Roll back")
    editor.is_told(f"the adapter {FIRST} serves again, instead of the adapter {SECOND}")
    editor.wait_for_status(f"adapter {FIRST}")
    assert editor.completes("first.py", "hours = ", "audited(rows)")["adapter"] == FIRST
    current = json.loads((editor.workbench.home / "adapters/current").read_text())
    assert current["serving"][sha256_of(editor.workbench.home / "answers.json")]["adapter"] == FIRST


def test_a_night_outlives_the_window(editor: Editor) -> None:
    """Kept last: it closes the window and opens it again."""
    night = begin_night(editor)
    page, address = editor.page, editor.page.url
    page.goto("about:blank")
    until(lambda: not editor.servers(), "the server's end")
    assert night.is_running()
    end_night(editor.workbench, promoted(SECOND))
    night.wait(10)
    page.goto(address)
    editor.wait_for_status(f"adapter {SECOND}")
    assert editor.completes("again.py", "hours = ", "closed(rows)")["adapter"] == SECOND
    assert editor.messages() == []
