"""What our Neovim client adds: to a keystroke, above the server's answer, and to the editor's start.

Usage: python benchmarks/neovim_client.py [KEYSTROKES] (60 by default; run ``make nvim`` first)

Neovim runs in a pseudo-terminal; a keystroke's time ends when the ghost text's bytes arrive at the terminal.
From that the time between the request's arrival at the server and its answer is taken away; Neovim's own work
on the key stays in.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from report import Figure, at_most, publish

from tests.editors.neovim.driver import PLUGIN, PROGRAMS, scripted

PATIENCE_S = 10.0
STARTS = 15
START = """
local since = vim.uv.hrtime()
vim.opt.runtimepath:prepend('{plugin}')
vim.cmd.runtime('plugin/nightschool.lua')
require('nightschool').setup({{ keymap = {{ accept = '<Tab>' }} }})
io.stdout:write((vim.uv.hrtime() - since) / 1e6)
"""
INIT = """
vim.opt.runtimepath:prepend('{plugin}')
require('nightschool').setup({{ cmd = {{ '{cmd}' }}, settings = {{ debounce = 0 }} }})
"""


class Screen:
    """Neovim in a pseudo-terminal, as bytes."""

    def __init__(self, command: list[str], where: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "XDG_STATE_HOME": str(where / "state")}
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read until ``text`` has come; fails after ten seconds."""
        read, end = b"", time.perf_counter() + PATIENCE_S
        while text.encode() not in read:
            ready, _, _ = select.select([self._ours], [], [], end - time.perf_counter())
            if not ready:
                raise TimeoutError(f"{text!r} did not come; the terminal has {read[-200:]!r}")
            read += os.read(self._ours, 65536)

    def rest(self, seconds: float) -> None:
        """Read and forget what comes."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._ours], [], [], left)[0]:
                os.read(self._ours, 65536)

    def close(self) -> None:
        self.press("\x1b:qa!\r")
        self._process.wait(PATIENCE_S)
        os.close(self._ours)


def keystrokes(version: str, count: int, directory: Path) -> tuple[list[float], list[float]]:
    """Return for each keystroke the milliseconds until its ghost text was there, and the server's part."""
    answers = {f"place_{number} = ": f"ghost_{number}()" for number in range(count)}
    command = scripted(directory, answers)
    (directory / "init.lua").write_text(INIT.format(plugin=PLUGIN, cmd=command[0]))
    file = directory / "a.py"
    file.write_text("import os\n")
    screen = Screen(
        [str(PROGRAMS[version]), "-u", str(directory / "init.lua"), "-n", "-i", "NONE", str(file)], directory
    )
    seen = []
    screen.rest(3.0)
    for number in range(count):
        screen.press(f"oplace_{number} =")
        screen.rest(0.5)
        began = time.perf_counter()
        screen.press(" ")
        screen.wait_for(f"ghost_{number}()")
        seen.append(1000 * (time.perf_counter() - began))
        screen.press("\x1b")
        screen.rest(0.2)
    screen.close()
    return seen, served(directory / "recording.jsonl")


def served(recording: Path) -> list[float]:
    """Return the milliseconds between each request that had an offer and its answer, at the server."""
    asked: dict[int, float] = {}
    times = []
    for line in recording.read_text().splitlines():
        entry = json.loads(line)
        message = entry["message"]
        if message.get("method") == "textDocument/inlineCompletion":
            asked[message["id"]] = entry["at"]
        elif message.get("id") in asked and message.get("result"):
            times.append(1000 * (entry["at"] - asked[message["id"]]))
    return times


def starts(version: str, directory: Path) -> list[float]:
    script = directory / "start.lua"
    script.write_text(START.format(plugin=PLUGIN))
    command = [str(PROGRAMS[version]), "--clean", "--headless", "-n", "-S", str(script), "+qa!"]
    return [
        float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        for _ in range(STARTS)
    ]


def main(count: int) -> None:
    figures: list[Figure] = []
    details = {}
    for version in PROGRAMS:
        with tempfile.TemporaryDirectory() as scratch:
            seen, server = keystrokes(version, count, Path(scratch))
            added = [total - own for total, own in zip(seen, server, strict=True)]
            loaded = starts(version, Path(scratch))
        note = f"in all {statistics.median(seen):.1f} ms, of it the server {statistics.median(server):.1f} ms"
        figures += [
            at_most(
                f"Neovim {version}: keystroke to ghost text, added, ms",
                statistics.median(added),
                10,
                note,
            ),
            at_most(f"Neovim {version}: setup, ms", statistics.median(loaded), 5),
        ]
        details[version] = {"added_ms": added, "server_ms": server, "setup_ms": loaded}
    publish("neovim_client", figures, {"runs": details})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
