"""What a person does with ghost text in VS Code: the file on disk and the ledger's row say the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.editors.vscode.workbench import until

if TYPE_CHECKING:
    from tests.editors.vscode.workbench import Editor

# A browser, a workbench and a language model on two cores.
pytestmark = pytest.mark.timeout(300)

PICTURES = Path(os.environ.get("NIGHTSCHOOL_PICTURES", "")) if "NIGHTSCHOOL_PICTURES" in os.environ else None
SQUARES = "def squares(numbers):\n    return [number * number for number in numbers]\n\n\n"
CUBES = "def cubes(numbers):\n    return ["


def begin(editor: Editor, name: str, text: str = SQUARES, typed: str = CUBES[:-1]) -> str:
    """Open a file that ends where ``typed`` is to be typed; type the rest and return the ghost text."""
    start, last = typed.rsplit("\n", 1) if "\n" in typed else ("", typed)
    editor.open(name, f"{text}{start}\n" if start else text)
    editor.at_end()
    editor.type(last)
    return editor.ghost()


def test_tab_takes_all_of_it(editor: Editor, tmp_path: Path) -> None:
    ghost = begin(editor, "tab.py")
    picture = (PICTURES or tmp_path) / "vscode.png"
    editor.page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1000, "height": 330})
    editor.press("Tab")
    saved = editor.save("tab.py")
    row = editor.workbench.rows.labelled("accepted", "tab.py")
    assert saved.rstrip("\n").endswith(ghost)
    assert row["offered_text"].endswith(ghost)
    assert row["known_by"] == "explicit"


def test_tab_indents_where_there_is_no_ghost_text(editor: Editor) -> None:
    editor.open("indent.txt", "")
    editor.press("Escape", "Tab")
    editor.type("x")
    assert editor.save("indent.txt").endswith("    x")


def test_a_word_is_taken_and_the_rest_stays(editor: Editor) -> None:
    ghost = begin(editor, "word.py")
    before = editor.save("word.py")
    editor.press("Control+ArrowRight")
    row = editor.workbench.rows.labelled("partial", "word.py")
    taken = editor.save("word.py").rstrip("\n")[len(before.rstrip("\n")) :]
    assert taken and ghost.startswith(taken) and taken != ghost
    assert row["known_by"] == "explicit"
    assert row["offered_text"].startswith(taken)


def test_escape_rejects(editor: Editor) -> None:
    begin(editor, "escape.py")
    before = editor.save("escape.py")
    editor.press("Escape")
    editor.no_ghost()
    row = editor.workbench.rows.labelled("rejected", "escape.py")
    assert row["known_by"] == "explicit"
    assert editor.save("escape.py") == before


def test_typing_what_it_says_keeps_it(editor: Editor) -> None:
    ghost = begin(editor, "typed.py")
    before = editor.save("typed.py").rstrip("\n")
    editor.type(ghost[:3])
    # The editor has closed the bracket that was typed, so the rest may be shown without it.
    assert ghost[3:].startswith(editor.ghost())
    editor.press("Tab")
    assert editor.save("typed.py").rstrip("\n") == before + ghost
    assert editor.workbench.rows.labelled("accepted", "typed.py")


def test_it_is_off_for_a_language_that_was_turned_off(editor: Editor) -> None:
    begin(editor, "language.py")
    editor.press("Escape")
    editor.menu("Turn off for python")
    settings = editor.workbench.folder / "user/User/settings.json"
    until(lambda: '"python": false' in settings.read_text(), "the changed setting")
    offers = len(editor.workbench.rows.outcomes())
    editor.open("off.py", SQUARES)
    editor.at_end()
    editor.type("def halves(numbers):")
    editor.save("off.py")
    assert len(editor.workbench.rows.outcomes()) == offers
    editor.menu("Turn on for python")
    until(lambda: '"python": true' in settings.read_text(), "the changed setting")
    begin(editor, "on.py")


def test_a_snooze_is_silent_and_ends(editor: Editor) -> None:
    editor.open("snooze.py", SQUARES)
    editor.menu("Snooze for 5 minutes")
    editor.wait_for_status("snoozed")
    editor.menu("End the snooze")
    editor.wait_for_status("ready")


def test_the_report_shows_how_the_offers_fared(editor: Editor) -> None:
    begin(editor, "report.py")
    editor.press("Tab")
    editor.workbench.rows.labelled("accepted", "report.py")
    editor.menu("Open the report")
    frame = editor.page.frame_locator("iframe.webview").last.frame_locator("iframe")
    frame.locator("h2", has_text="How the offers fared").wait_for()
    assert frame.locator("table").count() == 1


def test_a_killed_server_is_started_again_with_one_message(editor: Editor) -> None:
    servers = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "serve" in (process.info["cmdline"] or ())
        and (process.info["environ"] or {}).get("NIGHTSCHOOL_HOME") == str(editor.workbench.home)
    ]
    assert servers
    for server in servers:
        os.kill(server.pid, signal.SIGKILL)
    editor.notification("the server ended and was restarted")
    assert len([text for text in editor.notifications() if "restarted" in text]) == 1
    editor.wait_for_status("ready")
    ghost = begin(editor, "killed.py")
    editor.press("Tab")
    assert editor.save("killed.py").rstrip("\n").endswith(ghost)


def test_training_without_enough_outcomes_says_what_is_missing(editor: Editor) -> None:
    editor.menu("Train now")
    assert "outcomes" in editor.notification("outcomes")
