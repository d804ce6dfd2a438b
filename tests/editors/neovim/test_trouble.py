"""What goes wrong around the editor: one message says what and how to mend it, and typing goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.driver import Editor, Outcome, scripted

if TYPE_CHECKING:
    from tests.editors.neovim.conftest import OpenEditor


def program(directory: Path, script: str) -> list[str]:
    """Return a command whose ``serve`` runs a Python script."""
    path = directory / "broken"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return [str(path)]


def test_a_killed_server_is_started_again(version: str, open_editor: OpenEditor):
    editor = open_editor(version)
    editor.open("before.py", "before = \n")
    editor.sees("1")
    (server,) = editor.servers
    server.kill()
    editor.is_told("the server ended (signal 9) and is started again")
    assert editor.ghost is None
    editor.type("typed")
    editor.has("before = typed\n")
    editor.until(lambda: editor.lua("return require('nightschool.server').client(0) ~= nil"))
    editor.open("after.py", "after = \n")
    editor.sees("2")
    editor.press("<Tab>")
    editor.outcome_is("after.py", Outcome("2", "accepted", "explicit", "2"))
    assert len(editor.notified) == 1


def test_restarting_gives_another_server(version: str, open_editor: OpenEditor):
    editor = open_editor(version)
    editor.open("before.py", "before = \n")
    editor.sees("1")
    (server,) = editor.servers
    editor.press("<Esc>")
    editor.command("Nightschool restart")
    editor.until(lambda: not server.is_running())
    editor.open("after.py", "after = \n")
    editor.sees("2")
    assert editor.notified == []


def test_one_server_serves_two_projects(editor: Editor):
    other = editor.project.parent / "other"
    (other / ".git").mkdir(parents=True)
    editor.open("first.py", "before = \n")
    editor.sees("1")
    editor.open("../other/second.py", "after = \n")
    editor.sees("2")
    assert len(editor.servers) == 1
    folders = editor.lua(
        "return vim.tbl_map(function(each) return each.name end, vim.lsp.get_clients()[1].workspace_folders)"
    )
    assert folders == [str(editor.project), str(other)]


def test_a_server_that_does_not_start_is_told_of_once(open_editor: OpenEditor, tmp_path: Path):
    editor = open_editor(cmd=program(tmp_path, "raise SystemExit(2)"))
    editor.open("a.py", "before = \n", attached=False)
    editor.is_told("the server ended (exit code 2) before it was ready; see :checkhealth nightschool")
    editor.open("b.py", "before = \n", attached=False)
    editor.type("typed")
    editor.has("before = typed\n")
    assert len(editor.notified) == 1
    assert "!" in editor.lua("return require('nightschool').statusline()")


def test_a_missing_server_is_told_of_once(open_editor: OpenEditor):
    editor = open_editor(cmd=["no-such-nightschool"])
    editor.open("a.py", "before = \n", attached=False)
    editor.is_told("no server found; run: pipx install nightschool (looked for no-such-nightschool)")
    editor.open("b.py", "before = \n", attached=False)
    editor.type("typed")
    editor.has("before = typed\n")
    assert len(editor.notified) == 1


def test_a_server_that_never_answers_holds_nothing_up(open_editor: OpenEditor, tmp_path: Path):
    silent = program(tmp_path, "import sys\nfor line in sys.stdin.buffer: pass\n")
    editor = open_editor(cmd=silent, start_timeout=0.2)
    editor.open("a.py", "before = \n", attached=False)
    editor.type("typed")
    editor.press("<Tab>")
    editor.has("before = typed  ")
    editor.is_told("the server has said nothing for 0.2 s; see :checkhealth nightschool")


def test_an_old_server_is_told_of_once_and_used(open_editor: OpenEditor, tmp_path: Path):
    command = scripted(tmp_path, {"before = ": "1"})
    script = Path(command[0])
    old = "import lsp_server, runpy, sys; lsp_server.__version__ = '0.0.9'; sys.argv.pop(0)"
    run = f"-c \"{old}; runpy.run_module('tests.sessions.scripted_server', run_name='__main__')\" x"
    script.write_text(script.read_text().replace("-m tests.sessions.scripted_server", run))
    editor = open_editor(cmd=command)
    editor.open("a.py", "before = \n")
    editor.sees("1")
    editor.is_told("the server is version 0.0.9, but 0.1.0 or newer is needed; run: pipx upgrade nightschool")


def test_bad_options_are_told_of_in_one_message_and_the_others_stand(open_editor: OpenEditor):
    editor = open_editor(menu=1, root_markers="no list", colour="red", keymap={"accept": "<C-y>"})
    editor.is_told(
        "option colour is unknown; option menu is 1, but must be 'beside' or 'hide'; "
        'option root_markers is "no list", but must be a list of strings'
    )
    editor.open("a.py", "before = \n")
    editor.sees("1")
    editor.press("<C-y>")
    editor.has("before = 1\n")


def test_a_setting_of_the_wrong_type_is_told_of_by_the_server(open_editor: OpenEditor):
    editor = open_editor(settings={"debounce": 0, "max_tokens": "many"})
    editor.open("a.py", "before = \n")
    editor.is_told("setting 'max_tokens' is 'many', but must be a whole number from 1 to 512")
    editor.sees("1")


@pytest.mark.parametrize(
    ("made_by", "reason"),
    [
        ("enew | set filetype=python", "it has no file name"),
        ("terminal cat", "it is not for editing"),
        ("new | set buftype=prompt filetype=python", "it is not for editing"),
        ("edit https://example.org/a.py | set filetype=python", "it is not a file of this machine"),
    ],
)
def test_what_is_no_file_is_left_alone(editor: Editor, made_by: str, reason: str):
    editor.open("first.py", "before = \n")
    editor.press("<Esc>")
    editor.command("silent! noautocmd " + made_by if "https" in made_by else made_by)
    attached = editor.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'nightschool' })")
    assert attached == 0
    assert editor.lua("return require('nightschool.server').refusal(0)") == reason
    editor.command("bwipeout!")


@pytest.mark.parametrize(
    ("made_by", "keys", "shown"),
    [
        ("enew | set filetype=python", "ibefore = x", "before = x"),
        ("new | set buftype=prompt filetype=python", "ibefore = x", "before = x"),
        ("terminal cat", "ibefore = x", "before = x"),
    ],
)
def test_typing_in_what_is_no_file_is_as_ever(open_editor: OpenEditor, made_by: str, keys: str, shown: str):
    editor = open_editor()
    editor.open("first.py", "before = \n")
    editor.sees("1")
    editor.press("<Esc>")
    editor.command(made_by)
    editor.press(*keys, "<BS>", "y")
    editor.has(shown[:-1] + "y")
    assert editor.ghost is None
    editor.press("<C-\\><C-n>")
    assert editor.notified == []
    editor.command("bwipeout!")
    everywhere = "%"
    assert editor.outcomes(everywhere) == editor.outcomes("first.py")


def test_a_huge_file_is_left_alone(open_editor: OpenEditor):
    editor = open_editor(max_file_size=1000)
    editor.open("huge.py", "before = \n" + 100 * "# a line\n" * 2, attached=False)
    editor.type("typed")
    editor.has("before = typed\n")
    assert editor.lua("return require('nightschool.server').client(0) == nil")
    editor.open("small.py", "before = \n")
    editor.sees("1")
    editor.press("<Tab>")
    editor.outcome_is("small.py", Outcome("1", "accepted", "explicit", "1"))
    assert editor.outcomes("huge.py") == []
    assert editor.notified == []


def test_a_read_only_file_is_completed_and_not_written(editor: Editor):
    (editor.project / "read_only.py").write_text("before = \n")
    (editor.project / "read_only.py").chmod(0o444)
    editor.press("<Esc>")
    editor.command(f"silent view {editor.project / 'read_only.py'}")
    editor.until(lambda: editor.lua("return require('nightschool.server').client(0) ~= nil"))
    editor.press("A")
    editor.sees("1")
    editor.press("<Tab>")
    editor.has("before = 1\n")
    editor.outcome_is("read_only.py", Outcome("1", "accepted", "explicit", "1"))
    assert (editor.project / "read_only.py").read_text() == "before = \n"


def test_a_missing_model_is_told_of_once(open_editor: OpenEditor, tmp_path: Path):
    home = tmp_path / "empty"
    home.mkdir(mode=0o700)
    script = tmp_path / "nightschool"
    program = Path(sys.executable).parent / "nightschool"
    script.write_text(f'#!/bin/sh\nNIGHTSCHOOL_HOME={home} exec {program} "$@"\n')
    script.chmod(0o755)
    editor = open_editor(cmd=[str(script)])
    editor.open("a.py", "before = \n")
    editor.is_told("; run: ")
    editor.type("typed")
    editor.has("before = typed\n")
    status = editor.lua("return require('nightschool').status()")
    assert status["state"] == "error"
    assert status["message"].startswith("no model at ")
    assert status["remedy"].startswith("nightschool model get")
    assert editor.lua("return require('nightschool').statusline()") == "Nightschool !"
    assert editor.outcomes("a.py") == []
