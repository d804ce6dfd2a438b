"""Scenes in a real Neovim with its own LSP client and nothing of ours, and the truth that the script knows.

Usage: python -m tests.sessions.neovim RECORDING.jsonl (records all scenes anew)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pynvim

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PATIENCE_S = 15.0
KEY_S = 0.07
CONFIGURE = """
local cmd, root = ...
vim.o.swapfile, vim.o.autoread, vim.o.shiftwidth, vim.o.expandtab = false, true, 4, true
vim.lsp.config('nightschool', {
  cmd = cmd, root_dir = root, filetypes = { 'python', 'c' }, init_options = { debounce = 0 },
})
vim.lsp.enable('nightschool')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then return '<Tab>' end
end, { expr = true })
"""
GHOST = """
local space, found = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion'], {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
  for _, piece in ipairs(mark[4].virt_text or {}) do table.insert(found, piece[1]) end
  for _, line in ipairs(mark[4].virt_lines or {}) do table.insert(found, '\\n' .. line[1][1]) end
end
return table.concat(found)
"""


@dataclass(frozen=True)
class Truth:
    """What the script knows of the one offer in a file."""

    file: str
    label: str
    text: str
    """What stands there in the end."""


def neovim_program() -> str:
    """Return $NVIM_PROGRAM, or the Neovim that ``make nvim`` has installed."""
    return os.environ.get("NVIM_PROGRAM") or str(ROOT / ".bench/nvim/bin/nvim")


class Neovim:
    """An editor without a screen; ``project`` is where its files are."""

    def __init__(self, project: Path, server: list[str]) -> None:
        self.project = project
        socket = project.parent / "nvim.sock"
        arguments = [neovim_program(), "--clean", "--headless", "-n", "--listen", str(socket)]
        silent = subprocess.DEVNULL
        # Not pynvim's own child: it leaves the process to the garbage collector.
        self._process = subprocess.Popen(arguments, stdin=silent, stdout=silent, stderr=silent)
        self._until(socket.exists)
        self._nvim = pynvim.attach("socket", path=str(socket))
        self._nvim.exec_lua(CONFIGURE, server, str(project))

    def open(self, file: str, text: str) -> None:
        """Edit a new file with the cursor behind the first line that ends with a blank."""
        (self.project / file).write_text(text)
        self._nvim.command(f"edit! {self.project / file}")
        self._until(lambda: self._nvim.exec_lua("return #vim.lsp.get_clients({bufnr = 0}) == 1"))
        row = next(n for n, line in enumerate(text.split("\n"), 1) if line.endswith(" "))
        self._nvim.api.win_set_cursor(0, [row, 0])
        self.press("A")

    def press(self, *keys: str) -> None:
        """Press keys at a typist's pace; special ones in angle brackets."""
        for key in keys:
            self._nvim.input(key)
            time.sleep(KEY_S)

    def type(self, text: str) -> None:
        self.press(*("<lt>" if key == "<" else "<CR>" if key == "\n" else key for key in text))

    def paste(self, text: str) -> None:
        self._nvim.api.paste(text, False, -1)

    def command(self, text: str) -> None:
        self._nvim.command(text)

    def read(self, seconds: float = 0.9) -> None:
        """Look at the ghost text for a while."""
        time.sleep(seconds)

    def sees(self, ghost: str) -> None:
        self._until(lambda: self._nvim.exec_lua(GHOST) == ghost, lambda: self._nvim.exec_lua(GHOST))

    def has(self, text: str) -> None:
        """Wait until ``text`` stands in the file."""
        self._until(lambda: text in self.text, lambda: self.text)

    def lacks(self, text: str) -> None:
        self._until(lambda: text not in self.text, lambda: self.text)

    @property
    def text(self) -> str:
        return "\n".join(self._nvim.api.buf_get_lines(0, 0, -1, True)) + "\n"

    def leave(self) -> None:
        """Back to normal mode, and let the client send what it still holds back."""
        self.press("<Esc>")
        time.sleep(0.3)

    def quit(self) -> None:
        """Stop the server as a user's ``:qa!`` does, and wait until both have gone."""
        servers = psutil.Process(self._process.pid).children(recursive=True)
        self._nvim.exec_lua(
            "local client = vim.lsp.get_clients()[1] client:stop()"
            " vim.wait(10000, function() return client:is_stopped() end)"
        )
        self._nvim.command("qa!", async_=True)
        self._process.wait(PATIENCE_S)
        self._nvim.close()
        # The client counts it as stopped before the ledger has its last facts.
        _, left = psutil.wait_procs(servers, PATIENCE_S)
        assert not left

    def _until(self, holds: Callable[[], bool], instead: Callable[[], Any] = lambda: "") -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"Neovim has instead: {instead()!r}"
            time.sleep(0.02)


def scene_accept(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\naccepted = \nprint(accepted)\n")
    nvim.sees("sum(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("accepted = sum(rows)\n")
    nvim.leave()
    return Truth(file, "accepted", "sum(rows)")


def scene_accept_block(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "def area(w, h):\n    \nprint(area(1, 2))\n")
    block = "size = w * h\n    return size"
    nvim.sees(block)
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("h):\n    " + block)
    nvim.leave()
    return Truth(file, "accepted", block)


def scene_accept_wide(nvim: Neovim, file: str) -> Truth:
    """Characters outside the basic plane and a tab stand before the cursor."""
    nvim.open(file, "if True:\n\tnaïve = '𝄞𝄞'; ß = \n\tpass\n".replace("True:", "True: # ß"))
    nvim.sees("'𝄞' + π")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("ß = '𝄞' + π\n")
    nvim.leave()
    return Truth(file, "accepted", "'𝄞' + π")


def scene_accept_rest(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nremaining = \n")
    nvim.sees("len(rows) - 1")
    nvim.read(0.4)
    nvim.type("len")
    nvim.sees("(rows) - 1")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("remaining = len(rows) - 1\n")
    nvim.leave()
    return Truth(file, "accepted", "len(rows) - 1")


def scene_accept_then_edit(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nchanged = \n")
    nvim.sees("max(rows, key=size)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("max(rows, key=size)")
    nvim.read(1.3)
    nvim.press("<Esc>", "F", "s", "c", "w")
    nvim.type("age")
    nvim.leave()
    nvim.has("max(rows, key=age)")
    return Truth(file, "edited", "max(rows, key=age)")


def scene_accept_then_delete_line(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ndeleted = \nprint(rows)\n")
    nvim.sees("min(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("min(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "d", "d")
    nvim.lacks("deleted")
    nvim.leave()
    return Truth(file, "edited", "")


def scene_undo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nundone = \n")
    nvim.sees("any(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("undone = any(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "u")
    nvim.lacks("any(rows)")
    nvim.leave()
    return Truth(file, "rejected", "")


def scene_undo_and_redo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nredone = \n")
    nvim.sees("all(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("redone = all(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "u")
    nvim.lacks("all(rows)")
    nvim.read(0.4)
    nvim.press("<C-r>")
    nvim.has("redone = all(rows)")
    nvim.leave()
    return Truth(file, "accepted", "all(rows)")


def scene_type_all(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ntyped = \n")
    nvim.sees("list(rows)[0]")
    nvim.read(0.4)
    nvim.type("list(rows)[0]")
    nvim.has("typed = list(rows)[0]\n")
    nvim.leave()
    return Truth(file, "typed", "list(rows)[0]")


def scene_type_with_typo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nmended = \n")
    nvim.sees("rows.first()")
    nvim.read(0.4)
    nvim.type("rows.fo")
    nvim.press("<BS>")
    nvim.type("irst()")
    nvim.has("mended = rows.first()\n")
    nvim.leave()
    return Truth(file, "typed", "rows.first()")


def scene_type_block(nvim: Neovim, file: str) -> Truth:
    """Enter brings the second line's indentation."""
    nvim.open(file, "def twice(number):\n    \n")
    block = "total = 2 * number\n    return total"
    nvim.sees(block)
    nvim.read(0.4)
    nvim.type("total = 2 * number\nreturn total")
    nvim.has("twice(number):\n    " + block)
    nvim.leave()
    return Truth(file, "typed", block)


def scene_diverge(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ndiverged = \n")
    nvim.sees("sorted(rows)")
    nvim.read()
    nvim.type("sorted[1:]")
    nvim.has("diverged = sorted[1:]\n")
    nvim.leave()
    return Truth(file, "diverged", "sorted[1:]")


def scene_leave(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nignored = \nprint(rows)\n")
    nvim.sees("rows.copy()")
    nvim.read()
    nvim.press("<Esc>", "G", "A")
    nvim.type("  # later")
    nvim.has("print(rows)  # later")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_backspace_before(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nwithdrawn = \nprint(rows)\n")
    nvim.sees("rows.pop()")
    nvim.read()
    nvim.press("<BS>", "<BS>")
    nvim.has("withdrawn \n")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_paste(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\npasted = \n")
    nvim.sees("rows.last()")
    nvim.read()
    nvim.paste("https://example.org/a/b?c=d&e=f")
    nvim.has("pasted = https://example.org")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_reload(nvim: Neovim, file: str) -> Truth:
    """Another branch is checked out, with other text on this line and a line more above it."""
    nvim.open(file, "rows = load()\nreloaded = \nprint(rows)\n" + _FILLER)
    nvim.sees("rows.get('key')")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("reloaded = rows.get('key')")
    nvim.read(1.3)
    nvim.leave()
    theirs = "import os\nrows = load()\nreloaded = theirs(os.environ)  # theirs\nprint(rows)\n"
    (nvim.project / file).write_text(theirs + _FILLER.replace("line", "entry"))
    nvim.command("edit!")
    nvim.has("theirs(os.environ)")
    nvim.leave()
    return Truth(file, "accepted", "rows.get('key')")


def scene_reload_elsewhere(nvim: Neovim, file: str) -> Truth:
    """The file is read again with the accepted text in it and another line above it."""
    nvim.open(file, "rows = load()\nkept = \nprint(rows)\n" + _FILLER)
    nvim.sees("rows.items()")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("kept = rows.items()")
    nvim.read(1.3)
    nvim.leave()
    (nvim.project / file).write_text("import os\n" + nvim.text)
    nvim.command("edit!")
    nvim.has("import os")
    nvim.leave()
    return Truth(file, "accepted", "rows.items()")


def scene_format(nvim: Neovim, file: str) -> Truth:
    """``gq`` sends the line through a formatter, which spaces the operators."""
    nvim.open(file, "rows = load()\nspaced = \nprint(rows)\n")
    nvim.sees("one+two+rows")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("spaced = one+two+rows")
    nvim.read(1.3)
    nvim.press("<Esc>")
    nvim.command("setlocal formatexpr= formatprg=sed\\ 's/+/\\ +\\ /g'")
    nvim.press("g", "q", "q")
    nvim.has("spaced = one + two + rows")
    nvim.leave()
    return Truth(file, "accepted", "one + two + rows")


def scene_indent(nvim: Neovim, file: str) -> Truth:
    """``=`` indents the whole file anew."""
    nvim.open(file, "if found:\n  print(rows)\nwhile True:\n  if \n  break\n".replace("if \n", "check = \n"))
    nvim.sees("rows.pop(0)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("check = rows.pop(0)")
    nvim.read(1.3)
    nvim.press("<Esc>", "g", "g", "=", "G")
    nvim.has("    check = rows.pop(0)")
    nvim.leave()
    return Truth(file, "accepted", "rows.pop(0)")


_FILLER = "".join(f"line_{n} = {n}\n" for n in range(20))

ANSWERS = {
    "accepted = ": "sum(rows)",
    "area(w, h):\n    ": "size = w * h\n    return size",
    "ß = ": "'𝄞' + π",
    "remaining = ": "len(rows) - 1",
    "changed = ": "max(rows, key=size)",
    "deleted = ": "min(rows)",
    "undone = ": "any(rows)",
    "redone = ": "all(rows)",
    "typed = ": "list(rows)[0]",
    "mended = ": "rows.first()",
    "twice(number):\n    ": "total = 2 * number\n    return total",
    "diverged = ": "sorted(rows)",
    "ignored = ": "rows.copy()",
    "withdrawn = ": "rows.pop()",
    "pasted = ": "rows.last()",
    "reloaded = ": "rows.get('key')",
    "kept = ": "rows.items()",
    "spaced = ": "one+two+rows",
    "check = ": "rows.pop(0)",
}
SCENES = {name: each for name, each in sorted(globals().items()) if name.startswith("scene_")}


def play(directory: Path, scenes: dict[str, Callable[[Neovim, str], Truth]] = SCENES) -> list[Truth]:
    """Play scenes in one Neovim; ``directory`` then has ``home`` with the ledger, and ``recording.jsonl``,
    which ends with the truth."""
    project = directory / "project"
    project.mkdir()
    answers = directory / "answers.json"
    answers.write_text(json.dumps(ANSWERS))
    recording = directory / "recording.jsonl"
    command = ["env", "-C", str(project), f"PYTHONPATH={ROOT}", sys.executable]
    module = ["-m", "tests.sessions.scripted_server", str(answers), str(directory / "home"), str(recording)]
    nvim = Neovim(project, command + module)
    truths = [scene(nvim, f"{name}.py") for name, scene in scenes.items()]
    nvim.quit()
    with recording.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"truth": asdict(truth)}, ensure_ascii=False) + "\n" for truth in truths)
    return truths


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        play(Path(scratch))
        shutil.copy(Path(scratch) / "recording.jsonl", sys.argv[1])
