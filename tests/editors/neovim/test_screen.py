"""What a person sees: Neovim in a real terminal, with a real model."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.answers import ANSWERS
from tests.editors.neovim.driver import PLUGIN, PROGRAMS, ROOT, real, scripted
from tests.editors.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.editors.neovim.conftest import OpenEditor

PROJECT = ROOT / "lsp_server/demo_project/loans.py"
GHOST_COLOURS = ("9b9ea4", "4f5258")
"""In Neovim's dark default colours: of ``Comment`` (0.11), and of ``NonText`` (``ComplHint``)."""


def start(
    version: str, directory: Path, command: Sequence[str], file: str, text: str, rows: int = 20
) -> Terminal:
    project = directory / "project"
    (project / ".git").mkdir(parents=True, exist_ok=True)
    (project / file).write_text(text)
    cmd = ", ".join(f"'{word}'" for word in command)
    (directory / "init.lua").write_text(
        f"vim.opt.runtimepath:prepend('{PLUGIN}')\n"
        "vim.o.termguicolors, vim.o.number, vim.o.laststatus, vim.o.ruler = true, true, 2, false\n"
        "vim.o.statusline = \"%f %m%=%{v:lua.require'nightschool'.statusline()} \"\n"
        f"require('nightschool').setup({{ cmd = {{ {cmd} }}, keymap = {{ accept = '<Tab>' }} }})\n"
    )
    arguments = [
        str(PROGRAMS[version]),
        "-u",
        str(directory / "init.lua"),
        "-n",
        "-i",
        "NONE",
        str(project / file),
    ]
    return Terminal(arguments, {"XDG_STATE_HOME": str(directory / "state")}, project, rows=rows)


def ghost_cells(terminal: Terminal, row: int) -> str:
    """Return the text right of the cursor that has the colour of ghost text."""
    cells = [terminal.cell(row, column) for column in range(terminal.cursor[1], terminal.screen.columns)]
    return "".join(cell.data for cell in cells if cell.fg in GHOST_COLOURS).rstrip()


def test_ghost_text_stands_behind_the_cursor_and_pushes_the_rest_aside(version: str, tmp_path: Path):
    """Behind a tab and wide characters, and before a closing parenthesis."""
    terminal = start(
        version, tmp_path, scripted(tmp_path, ANSWERS), "a.py", "\tx = ('漢字', ß = )\n", rows=18
    )
    try:
        terminal.until(lambda: "Nightschool" in terminal.lines()[-2])
        terminal.press("A\x1b[D")
        terminal.until(lambda: "'𝄞' + π)" in terminal.lines()[0])
        column = terminal.cursor[1]
        assert terminal.lines()[0].startswith("  1         x = ('漢") or "漢" in terminal.lines()[0]
        assert ghost_cells(terminal, 0) == "'𝄞' + π"
        assert terminal.cell(0, column).data == "'"
        terminal.press("\t")
        terminal.until(lambda: ghost_cells(terminal, 0) == "")
        assert "ß = '𝄞' + π)" in terminal.lines()[0]
    finally:
        terminal.press("\x1b:qa!\r")
        terminal.close()


def test_no_message_asks_for_a_key(version: str, tmp_path: Path):
    """A message longer than the screen would otherwise stop the typing with a hit-enter prompt."""
    command = [f"no-such-nightschool-{60 * 'x'}"]
    terminal = start(version, tmp_path, command, "a.py", "\n")
    try:
        terminal.until(lambda: "Nightschool: no server found" in "".join(terminal.lines()))
        terminal.press("ityped")
        terminal.until(lambda: "typed" in terminal.lines()[0])
        assert "Press ENTER" not in "".join(terminal.lines())
    finally:
        terminal.press("\x1b:qa!\r")
        terminal.close()


@pytest.mark.timeout(180)
def test_the_default_model_completes_on_the_screen(home: Path, qwen: Path, tmp_path: Path):
    """`NIGHTSCHOOL_PICTURES` names a folder for the picture that the README shows."""
    command = [str(Path(sys.executable).parent / "nightschool")]
    text = PROJECT.read_text()
    before, _, after = text.partition("        late = [")
    text = f"{before}        late = [loan for loan in self.loans if \n{after.partition(chr(10))[2]}"
    terminal = start("0.12", tmp_path, command, "loans.py", text)
    row = text[: text.index("if \n")].count("\n") + 1
    try:
        terminal.until(lambda: "Nightschool" in terminal.lines()[-2])
        terminal.press(f":{row}\rzzA")
        terminal.until(lambda: ghost_cells(terminal, terminal.cursor[0]) != "")
        shown = ghost_cells(terminal, terminal.cursor[0])
        if folder := os.environ.get("NIGHTSCHOOL_PICTURES"):
            terminal.until(lambda: not terminal.lines()[-2].endswith("…"))
            terminal.picture(Path(folder) / "neovim.png")
        terminal.press("\t")
        terminal.until(lambda: ghost_cells(terminal, terminal.cursor[0]) == "")
        terminal.press("\x1b:w\r")
        terminal.until(lambda: "written" in terminal.lines()[-1])
        assert f"if {shown}" in (tmp_path / "project/loans.py").read_text()
    finally:
        terminal.press("\x1b:qa!\r")
        terminal.close()
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        rows = ledger.execute(
            "SELECT offered_text, label, known_by FROM outcomes WHERE label = 'accepted'"
        ).fetchall()
    assert rows == [(shown, "accepted", "explicit")]


@pytest.mark.timeout(180)
def test_a_small_model_completes_in_the_older_editor(home: Path, smollm: Path, open_editor: OpenEditor):
    editor = open_editor("0.11", cmd=real(home, smollm))
    editor.open("small.py", "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n")
    editor.until(lambda: editor.ghost is not None, lambda: editor.notified, patience_s=60)
    ghost = editor.ghost
    editor.press("<Tab>")
    editor.has(f"return {ghost}")
    editor.until(lambda: [each.label for each in editor.outcomes("small.py")] == ["accepted"])
