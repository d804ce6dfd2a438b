"""`:Nightschool` and the rest of what a plugin has: status line, health, help, lazy loading."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.answers import ANSWERS
from tests.editors.neovim.driver import PLUGIN, PROGRAMS, Outcome, real, scripted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.editors.neovim.conftest import OpenEditor
    from tests.editors.neovim.driver import Editor

NIGHT_S = 90.0
"""Until the real command has found that there is nothing to learn from."""
START_S = 30
OURS = """
local keys = {}
for _, mapping in ipairs(vim.api.nvim_get_keymap('i')) do
  if (mapping.desc or ''):find('Nightschool') then table.insert(keys, mapping.lhs) end
end
return keys
"""
OPENER = """
local problem = ...
vim.ui.open = function(path)
  _G.opened = path
  return nil, problem ~= '' and problem or nil
end
"""


def shown_by(editor: Editor, subcommand: str, part: str) -> str:
    """Return the text of the window that a subcommand opens, as soon as ``part`` is in it; close it."""
    editor.press("<Esc>")
    editor.command(f"Nightschool {subcommand}")
    editor.until(lambda: part in editor.text, lambda: (editor.text, editor.notified))
    text = editor.text
    editor.command("bwipeout!")
    return text


def test_status_and_log_open_a_window(editor: Editor):
    editor.open("windows.py", "before = \n")
    editor.sees("1")
    assert "server   0." in shown_by(editor, "status", "state    ready")
    (editor.ledger.parent / "server.log").write_text("a line of the log\n")
    shown_by(editor, "log", "a line of the log")


def test_stats_show_how_the_offers_fared(open_editor: OpenEditor):
    editor = open_editor()
    editor.open("counted.py", "before = \n")
    editor.sees("1")
    editor.press("<Tab>")
    editor.outcome_is("counted.py", Outcome("1", "accepted", "explicit", "1"))
    names, row = (line.split() for line in shown_by(editor, "stats", "ACCEPTED").split("\n")[:2])
    assert (names[:4], row[1:5]) == (["OFFERS", "SHOWN", "ACCEPTED", "PARTLY"], ["1", "1", "1", "0"])


@pytest.mark.parametrize("problem", [None, "no handler"], ids=["a browser", "no browser"])
def test_the_report_is_written_and_opened(open_editor: OpenEditor, problem: str | None):
    editor = open_editor()
    editor.lua(OPENER, problem or "")
    editor.open("reported.py", "before = \n")
    editor.sees("1")
    editor.press("<Tab>", "<Esc>")
    editor.command("Nightschool report")
    page = editor.ledger.parent / "report.html"
    editor.is_told(f"the report is {page}" + (" (no browser was opened)" if problem else ""))
    assert editor.lua("return _G.opened") == str(page)
    assert "<html" in page.read_text()
    assert len(editor.notified) == 1


def test_toggling_in_a_buffer_for_a_language_and_everywhere(open_editor: OpenEditor):
    editor = open_editor()
    editor.open("a.py", "before = \n")
    editor.sees("1")
    for where, message in (
        ("buffer", "in this buffer"),
        ("filetype", "for python"),
        ("everywhere", "everywhere"),
    ):
        editor.press("<Esc>")
        editor.command(f"Nightschool toggle {where}")
        editor.is_told(f"off {message}")
        editor.press("A", "<BS>", "<Space>")
        editor.sees(None)
        editor.press("<Esc>")
        editor.command(f"Nightschool toggle {where}")
        editor.is_told(f"on {message}")
        editor.press("A", "<BS>", "<Space>")
        editor.sees("1")


def test_snoozing_and_waking(open_editor: OpenEditor):
    editor = open_editor()
    editor.open("a.py", "before = \n")
    editor.sees("1")
    editor.command("Nightschool snooze 5")
    editor.is_told("snoozes for 5 minutes")
    editor.until(lambda: editor.lua("return require('nightschool').statusline()") == "Nightschool snoozed")
    editor.sees(None)
    editor.command("Nightschool snooze 0")
    editor.is_told("awake")
    editor.press("<BS>", "<Space>")
    editor.sees("1")


@pytest.mark.timeout(180)
def test_training_shows_that_it_goes_on_and_what_became_of_it(
    home: Path, smollm: Path, open_editor: OpenEditor
):
    """There is nothing to learn from yet; the night says so, as it would say anything else."""
    editor = open_editor(cmd=real(home, smollm))
    editor.open("a.py", "before = \n")
    editor.command("Nightschool train")
    assert editor.lua("return require('nightschool').statusline()").startswith("Nightschool trains")
    editor.command("Nightschool train")
    editor.is_told("training goes on; :Nightschool train cancel ends it")
    editor.is_told("nothing was learned", NIGHT_S)
    editor.until(lambda: "trains" not in editor.lua("return require('nightschool').statusline()"))


def test_training_can_be_cancelled(home: Path, smollm: Path, open_editor: OpenEditor):
    editor = open_editor(cmd=real(home, smollm))
    editor.open("a.py", "before = \n")
    editor.command("Nightschool train")
    editor.until(lambda: "%" in editor.lua("return require('nightschool').statusline()"))
    editor.command("Nightschool train cancel")
    editor.until(lambda: "trains" not in editor.lua("return require('nightschool').statusline()"))
    editor.is_told("cancelled; the next night goes on from here")


def test_wrong_words_are_told_of(open_editor: OpenEditor):
    editor = open_editor()
    editor.command("Nightschool dance")
    editor.is_told("dance is no subcommand; there are log, report, restart, rollback, snooze, stats, status")
    editor.command("Nightschool snooze long")
    editor.is_told("snooze takes minutes, not long")
    editor.command("Nightschool train")
    editor.is_told("no server is running; open a file, or see :checkhealth nightschool")
    completed = editor.lua("return vim.fn.getcompletion('Nightschool toggle ', 'cmdline')")
    assert completed == ["buffer", "everywhere", "filetype"]


def test_health_says_what_is_there_and_what_is_not(open_editor: OpenEditor):
    editor = open_editor()
    editor.open("a.py", "before = \n")
    editor.press("<Esc>")
    editor.command("checkhealth nightschool")
    editor.until(lambda: "with 1 buffers" in editor.text, lambda: editor.text)
    assert "nightschool, version" in editor.text or "nightschool 0." in editor.text
    assert "run: " in editor.text or "nightschool model get" in editor.text


def test_no_key_is_taken_without_being_asked_for(open_editor: OpenEditor):
    editor = open_editor(keymap={})
    editor.open("a.py", "before = \n")
    editor.sees("1")
    assert editor.lua(OURS) == []
    editor.lua("require('nightschool').map('<C-y>', 'accept')")
    assert editor.lua(OURS) == ["<C-Y>"]


def test_it_works_as_a_native_package_and_loads_lazily(version: str, tmp_path: Path):
    """Nothing of it is loaded before the first file, and nothing of Neovim's LSP client because of it."""
    plugin = tmp_path / "site/pack/any/start/nightschool"
    shutil.copytree(PLUGIN, plugin)
    (tmp_path / "init.lua").write_text(
        f"vim.opt.packpath:prepend('{tmp_path}/site')\n"
        "vim.opt.loadplugins = true\n"
        f"require('nightschool').setup({{ cmd = {{ '{scripted(tmp_path, ANSWERS)[0]}' }} }})\n"
        "loaded = { package.loaded['vim.lsp'] ~= nil, package.loaded['nightschool.server'] ~= nil }\n"
    )
    script = tmp_path / "check.lua"
    script.write_text(
        "vim.cmd('helptags ' .. vim.fn.fnameescape(vim.env.NIGHTSCHOOL_DOC))\n"
        "vim.cmd.help('nightschool')\n"
        "print(vim.fn.expand('%:t'), vim.fn.exists(':Nightschool'), loaded[1], loaded[2])\n"
    )
    run = subprocess.run(
        [PROGRAMS[version], "-u", tmp_path / "init.lua", "-n", "--headless", "-S", script, "+qa!"],
        capture_output=True,
        text=True,
        timeout=30,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "NIGHTSCHOOL_DOC": str(plugin / "doc")},
    )
    assert run.stderr.split() == ["nightschool.txt", "2", "false", "false"]


def test_it_can_be_set_up_when_the_first_file_is_open(version: str, tmp_path: Path):
    """As lazy.nvim does with `event = "VeryLazy"`."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text("before = \n")
    command = scripted(tmp_path, ANSWERS)[0]
    (tmp_path / "init.lua").write_text(
        f"vim.opt.runtimepath:prepend('{PLUGIN}')\n"
        "local function clients() return vim.lsp.get_clients({ bufnr = 0, name = 'nightschool' }) end\n"
        "vim.api.nvim_create_autocmd('VimEnter', { callback = vim.schedule_wrap(function()\n"
        f"  require('nightschool').setup({{ cmd = {{ '{command}' }} }})\n"
        f"  vim.wait({1000 * START_S}, function() return #clients() == 1 end)\n"
        "  io.stderr:write(#clients())\n"
        "  vim.cmd('qa!')\n"
        "end) })\n"
    )
    run = subprocess.run(
        [PROGRAMS[version], "-u", tmp_path / "init.lua", "-n", "--headless", "a.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert run.stderr == "1"
