"""What goes wrong around VS Code: at most one message says what and how to mend it, and typing goes on."""

from __future__ import annotations

from shutil import copyfile
from typing import TYPE_CHECKING

import pytest

from tests.editors.vscode.programs import broken, scripted
from tests.editors.vscode.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench
    from tests.editors.vscode.editor import Editor

# A browser and a workbench on two cores.
pytestmark = pytest.mark.timeout(300)

ANSWERS = {"before = ": "1 + 1", "after = ": "2 + 2"}
HEALTHY = "nightschool 9.9.9"
SILENT = "for line in sys.stdin.buffer:\n    pass"
CLOSED = """#!/bin/sh
[ "$1" = serve ] || { echo nightschool 9.9.9; exit; }
exec 0<&-
sleep 1
echo no numpy here >&2
exit 1
"""
TOO_LARGE = 2_700_000


START_S = 6
USUAL = {"server__startTimeout": START_S, "maxTokens": None, "languages": None, "inComments": None}
SLOW = """#!/bin/sh
if [ "$1" = serve ]; then
  touch '{folder}/begun'
  while [ ! -e '{folder}/go' ]; do sleep 0.05; done
fi
exec '{program}' "$@"
"""


@pytest.fixture(scope="module")
def window(browser: Browser, new_workbench: NewWorkbench) -> Iterator[Editor]:
    workbench = new_workbench()
    workbench.change_settings(server__command=scripted(workbench.home, ANSWERS), **USUAL)
    with workbench.opened(browser) as editor:
        yield editor


@pytest.fixture
def editor(window: Editor) -> Editor:
    """The window with a sound server, and nothing said."""
    window.use(scripted(window.workbench.home, ANSWERS), **USUAL)
    window.forget_messages()
    return window


def types(editor: Editor, name: str) -> None:
    """See that typing, indenting and saving work, without ghost text."""
    editor.open(name, "")
    editor.type("before = ")
    editor.press("Escape", "Tab")
    editor.type("x")
    text = editor.save(name)
    assert text.startswith("before = ")
    assert text.endswith("x")
    assert editor.visible_ghost() is None


@pytest.mark.parametrize(
    ("version", "serve", "reason"),
    [
        ("nightschool 0.0.9", "", "nightschool 0.0.9 is too old"),
        ("Fortran 77", "", "is not Nightschool: it says «Fortran 77»"),
        (HEALTHY, SILENT, "serve has not answered for 6 seconds"),
        (HEALTHY, "sys.exit('no numpy here')", "serve ended before it was ready (1): no numpy here"),
    ],
)
def test_a_server_of_no_use_is_told_of_once(
    editor: Editor, tmp_path: Path, version: str, serve: str, reason: str
) -> None:
    editor.use(broken(tmp_path / "bin", version, serve), "error")
    editor.is_told(reason)
    types(editor, f"{tmp_path.name}.py")
    assert len(editor.messages()) == 1
    until(lambda: not editor.servers(), "the end of the server before")
    # Nobody has answered the message: what mends it counts all the same.
    editor.use(scripted(editor.workbench.home, ANSWERS))
    editor.completes(f"{tmp_path.name}_mended.py", "after = ", "2 + 2")


def test_a_server_that_cannot_be_written_to_is_told_of_by_its_end(editor: Editor, tmp_path: Path) -> None:
    script = tmp_path / "closed"
    script.write_text(CLOSED)
    script.chmod(0o755)
    editor.use([str(script)], "error")
    editor.is_told("serve ended before it was ready (1): no numpy here")


def test_a_server_that_was_mended_is_started_from_the_menu(editor: Editor, tmp_path: Path) -> None:
    (program,) = broken(tmp_path / "bin", HEALTHY, "sys.exit('no numpy here')")
    editor.use([program], "error")
    (sound,) = scripted(editor.workbench.home, ANSWERS)
    copyfile(sound, program)
    editor.menu("Restart the server")
    editor.wait_for_status("ready: ")
    editor.completes("restarted.py", "after = ", "2 + 2")


def test_settings_that_change_while_the_server_starts_reach_it(editor: Editor, tmp_path: Path) -> None:
    (program,) = scripted(editor.workbench.home, ANSWERS)
    slow = tmp_path / "nightschool"
    slow.write_text(SLOW.format(folder=tmp_path, program=program))
    slow.chmod(0o755)
    editor.workbench.change_settings(server__command=[str(slow)], server__startTimeout=60)
    until((tmp_path / "begun").exists, "the start")
    editor.workbench.change_settings(enabled=False)
    editor.wait_for_choice("Turn on")
    (tmp_path / "go").touch()
    editor.wait_for_status("off")
    editor.workbench.change_settings(enabled=None)
    editor.wait_for_status("ready: ")
    editor.completes("changed_early.py", "after = ", "2 + 2")


def test_a_server_on_the_path_is_found(editor: Editor) -> None:
    (program,) = scripted(editor.workbench.home, ANSWERS)
    found = editor.workbench.server.programs / "nightschool"
    found.symlink_to(program)
    try:
        editor.use(None)
        editor.completes("found.py", "after = ", "2 + 2")
    finally:
        found.unlink()
    assert editor.messages() == []


def test_settings_of_a_wrong_type_are_named_once(editor: Editor) -> None:
    editor.workbench.change_settings(maxTokens="many", languages="python")
    editor.is_told("setting 'max_tokens' is 'many', but must be a whole number from 1 to 512")
    editor.is_told("setting 'languages' is 'python'")
    editor.workbench.change_settings(inComments=False)
    editor.completes("wrong_type.py", "after = ", "2 + 2")
    assert len(editor.messages()) == 2


def test_a_command_of_the_wrong_type_is_named(editor: Editor) -> None:
    """The server is then looked for; on this machine there is none."""
    editor.use("nightschool", "the server is not installed")
    editor.is_told('setting nightschool.server.command is "nightschool", but must be a list of text')
    editor.is_told("its server is not installed")
    assert len(editor.messages()) == 2


def test_a_killed_server_is_started_again_with_one_message(editor: Editor) -> None:
    for number in range(2):
        server, before = editor.server(), len(editor.statuses())
        server.kill()
        editor.wait_for_status("ready: ", after=before)
        assert editor.server().pid != server.pid
        editor.is_told("the server ended and was restarted")
        editor.completes(f"killed_{number}.py", "after = ", "2 + 2")
    assert len(editor.messages()) == 1


def test_a_read_only_file_is_left_alone(editor: Editor) -> None:
    editor.open("read_only.py", "before = \n")
    editor.press("End")
    editor.type("x")
    editor.press("Control+ArrowRight", "Tab", "Escape")
    assert editor.visible_ghost() is None
    assert (editor.workbench.project / "read_only.py").read_text() == "before = \n"
    editor.completes("beside_read_only.py", "after = ", "2 + 2")
    assert editor.messages() == []


def test_a_huge_file_can_be_typed_in_and_holds_nothing_up(editor: Editor) -> None:
    editor.open("huge.txt", f"{'a long line ' * 20}\n" * (TOO_LARGE // 240))
    editor.at_end()
    editor.type("after = ")
    huge = editor.workbench.project / "huge.txt"
    editor.press("Control+S")
    until(lambda: huge.read_text().endswith("after = "), "the saved text")
    assert editor.visible_ghost() is None
    editor.completes("beside_huge.py", "after = ", "2 + 2")
    assert editor.messages() == []


def test_a_buffer_without_a_file_is_completed(editor: Editor) -> None:
    editor.command("New Untitled Text File")
    tab = editor.page.locator('.tab.active[data-resource-name^="Untitled-"]')
    tab.wait_for()
    name = tab.get_attribute("data-resource-name") or ""
    editor.type("after = ")
    assert editor.ghost() == "2 + 2"
    editor.press("Tab")
    row = editor.workbench.rows.labelled("accepted", name)
    assert (row["offered_text"], row["known_by"]) == ("2 + 2", "explicit")
    editor.press("Control+A", "Delete")
    assert editor.messages() == []


def test_a_terminal_is_left_alone(editor: Editor) -> None:
    editor.command("Terminal: Create New Terminal")
    made = editor.workbench.project / "made_in_the_terminal"
    editor.page.locator(".terminal-wrapper.active .xterm").first.click()
    editor.type(f"before = ; touch {made}\n")
    until(made.exists, "what was typed in the terminal")
    assert editor.visible_ghost() is None
    editor.command("Terminal: Kill All Terminals")
    # With the last of them the panel goes, and gives the focus back to the editor.
    editor.page.locator(".part.panel").wait_for(state="hidden")
    editor.completes("beside_terminal.py", "after = ", "2 + 2")
    assert editor.messages() == []
