"""A real Neovim with its own LSP client and nothing of ours, which plays scenes for a recording.

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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pynvim

from tests.sessions.neovim_scenes import ANSWERS, SCENES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sessions.neovim_scenes import Truth

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
