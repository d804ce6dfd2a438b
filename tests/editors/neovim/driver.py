"""A real Neovim with our plugin, driven over its RPC, and what the server's ledger says afterwards."""

from __future__ import annotations

import gc
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pynvim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "editor-clients/neovim"
PATIENCE_S = 30.0
KEY_S = 0.02
PROGRAMS = {
    "0.12": Path(os.environ.get("NVIM_PROGRAM") or ROOT / ".bench/nvim/bin/nvim"),
    "0.11": Path(os.environ.get("NVIM_011_PROGRAM") or ROOT / ".bench/nvim-0.11/bin/nvim"),
}
KEYS = {
    "accept": "<Tab>",
    "accept_word": "<C-l>",
    "accept_line": "<C-j>",
    "dismiss": "<C-]>",
    "next": "<M-]>",
    "previous": "<M-[>",
    "request": "<M-\\>",
}
SET_UP = """
local plugin, options = ...
vim.o.swapfile, vim.o.shiftwidth, vim.o.expandtab, vim.o.more = false, 4, true, false
vim.opt.runtimepath:prepend(plugin)
vim.cmd.runtime('plugin/nightschool.lua')
require('nightschool').setup(options)
"""
GHOST = """
local found = {}
for _, name in ipairs({ 'nightschool', 'nvim.lsp.inline_completion' }) do
  local space = vim.api.nvim_get_namespaces()[name]
  for _, mark in ipairs(space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true }) or {}) do
    local text = ''
    for _, piece in ipairs(mark[4].virt_text or {}) do text = text .. piece[1] end
    for _, line in ipairs(mark[4].virt_lines or {}) do
      text = text .. '\\n'
      for _, piece in ipairs(line) do text = text .. piece[1] end
    end
    table.insert(found, { mark[2] + 1, mark[3], text })
  end
end
assert(#found < 2, 'two ghosts')
return found[1]
"""


@dataclass(frozen=True)
class Outcome:
    """What the ledger says of one offer."""

    offered: str
    label: str
    known_by: str
    settled: str


def scripted(directory: Path, answers: Mapping[str, str]) -> list[str]:
    """Return a command like ``nightschool`` whose server says ``answers`` (see ``scripted_server``)."""
    home = directory / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    (directory / "answers.json").write_text(json.dumps(answers))
    script = directory / "nightschool"
    files = shlex.join([str(directory / "answers.json"), str(home), str(directory / "recording.jsonl")])
    python = f"NIGHTSCHOOL_HOME={home} PYTHONPATH={ROOT} exec {sys.executable}"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = serve ]; then {python} -m tests.sessions.scripted_server {files}; fi\n'
        f'NIGHTSCHOOL_HOME={home} exec {Path(sys.executable).parent}/nightschool "$@"\n'
    )
    script.chmod(0o755)
    return [str(script)]


def real(home: Path, model: Path) -> list[str]:
    """Return a command like ``nightschool`` that works in ``home`` and completes with ``model``."""
    script = home.parent / "nightschool"
    program = Path(sys.executable).parent / "nightschool"
    script.write_text(
        f"#!/bin/sh\nexport NIGHTSCHOOL_HOME={home}\n"
        f'if [ "$1" = serve ]; then exec {program} serve --model {shlex.quote(str(model))}; fi\n'
        f'exec {program} "$@"\n'
    )
    script.chmod(0o755)
    return [str(script)]


class Editor:
    """Neovim without a screen, with the plugin set up; its files are in ``directory/project``."""

    def __init__(self, version: str, directory: Path, options: Mapping[str, Any]) -> None:
        self.project = directory / "project"
        (self.project / ".git").mkdir(parents=True, exist_ok=True)
        self.ledger = directory / "home" / "ledger.db"
        self.draws_itself = version == "0.11" or options.get("ghost_text") == "own"
        socket = directory / "nvim.sock"
        silent = subprocess.DEVNULL
        environment = os.environ | {"XDG_STATE_HOME": str(directory / "state")}
        arguments = [str(PROGRAMS[version]), "--clean", "--headless", "-n", "--listen", str(socket)]
        # Not pynvim's own child: it leaves the process to the garbage collector.
        self._process = subprocess.Popen(
            arguments, stdin=silent, stdout=silent, stderr=silent, env=environment, cwd=self.project
        )
        self.until(socket.exists)
        self._nvim = self._attach(str(socket))
        self.lua("vim.notify = function(text) _G.notified = vim.list_extend(_G.notified or {}, { text }) end")
        self.lua(SET_UP, str(PLUGIN), {"keymap": KEYS, "settings": {"debounce": 0}} | dict(options))

    def _attach(self, socket: str) -> pynvim.Nvim:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return pynvim.attach("socket", path=socket)
            except ConnectionRefusedError:  # its file is there a moment before Neovim listens
                assert time.monotonic() < end
                time.sleep(0.01)

    def lua(self, code: str, *arguments: Any) -> Any:
        return self._nvim.exec_lua(code, *arguments)

    def command(self, text: str) -> None:
        self._nvim.command(text)

    def open(self, file: str, text: str, *, attached: bool = True) -> None:
        """Edit a new file, in insert mode behind its first line that ends with a blank."""
        (self.project / file).write_text(text)
        self.press("<Esc>")
        self.command(f"silent edit! {self.project / file}")
        if attached:
            self.until(lambda: self.lua("return require('nightschool.server').client(0) ~= nil"))
        row = next(n for n, line in enumerate(text.split("\n"), 1) if line.endswith(" "))
        self._nvim.api.win_set_cursor(0, [row, 0])
        self.press("A")

    def press(self, *keys: str) -> None:
        """Press keys; special ones in angle brackets."""
        for key in keys:
            self._nvim.input(key)
            time.sleep(KEY_S)

    def type(self, text: str) -> None:
        self.press(*("<lt>" if key == "<" else "<CR>" if key == "\n" else key for key in text))

    def read(self, seconds: float = 0.3) -> None:
        """Look at the ghost text for as long as it takes to be seen, by the server's clock."""
        time.sleep(seconds)

    @property
    def text(self) -> str:
        return "\n".join(self._nvim.api.buf_get_lines(0, 0, -1, True)) + "\n"

    @property
    def cursor(self) -> tuple[int, int]:
        """Row from 1 and byte column from 0."""
        return tuple(self._nvim.api.win_get_cursor(0))

    @property
    def ghost(self) -> str | None:
        found = self.lua(GHOST)
        return found[2] if found else None

    @property
    def notified(self) -> list[str]:
        return self.lua("return _G.notified or {}")

    def sees(self, ghost: str | None) -> None:
        """Wait until this is the ghost text, and stands at the cursor."""
        self.until(lambda: self.ghost == ghost, lambda: (self.ghost, self.text))
        if ghost is not None:
            assert tuple(self.lua(GHOST)[:2]) == self.cursor

    def has(self, text: str) -> None:
        """Wait until ``text`` stands in the file."""
        self.until(lambda: text in self.text, lambda: self.text)

    def is_told(self, part: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until a message with ``part`` in it was shown, and see to it that it was shown once."""
        self.until(lambda: any(part in each for each in self.notified), lambda: self.notified, patience_s)
        assert len([each for each in self.notified if part in each]) == 1

    def outcome_is(self, file: str, expected: Outcome) -> None:
        """Close the file, so that its text settles, and wait until the ledger has ``expected`` for its only
        offer that came to anything."""
        self.press("<Esc>")
        self.command("silent bwipeout!")
        self.until(lambda: self.outcomes(file) == [expected], lambda: self.outcomes(file))

    def outcomes(self, file: str) -> list[Outcome]:
        """Return what the ledger says of the offers in ``file``, but for those superseded or not seen."""
        query = (
            "SELECT offered_text, label, known_by, coalesce(settled_text, '') FROM outcomes"
            " WHERE uri LIKE ? AND label NOT IN ('superseded', 'unseen') ORDER BY offered_at"
        )
        if not self.ledger.exists():
            return []
        with closing(sqlite3.connect(self.ledger)) as connection:
            try:
                rows = connection.execute(query, [f"%/{file}"]).fetchall()
            except sqlite3.OperationalError:
                return []  # it is being made
        return [Outcome(*row) for row in rows]

    @property
    def servers(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def adapters(self, file: str) -> list[str | None]:
        """Return which adapter made each of the offers that :meth:`outcomes` tells of."""
        query = (
            "SELECT adapter FROM outcomes WHERE uri LIKE ? AND label NOT IN ('superseded', 'unseen')"
            " ORDER BY offered_at"
        )
        with closing(sqlite3.connect(self.ledger)) as connection:
            return [adapter for (adapter,) in connection.execute(query, [f"%/{file}"])]

    def quit(self, leaving: psutil.Process | None = None) -> None:
        """Leave as a user does, and wait until the servers have gone too; ``leaving`` is to stay."""
        if self._process.poll() is not None:
            return
        servers = [server for server in self.servers if server != leaving]
        self.press("<Esc>")
        self._nvim.command("qa!", async_=True)
        self._process.wait(PATIENCE_S)
        self._nvim.close()
        # pynvim leaves its transports to the garbage collector, which complains: now, while that is expected.
        del self._nvim
        gc.collect()
        _, left = psutil.wait_procs(servers, PATIENCE_S)
        assert not left

    def until(
        self,
        holds: Callable[[], bool],
        instead: Callable[[], Any] = lambda: "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        end = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < end, f"Neovim has instead: {instead()!r}"
            time.sleep(0.01)
