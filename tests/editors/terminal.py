"""A program in a real terminal: a pseudo-terminal with pyte behind it, as text and as a picture."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pyte.screens import Char

PATIENCE_S = 30.0
GOODBYE_S = 5.0
UNKNOWN = re.compile(
    rb"\x1b\[[<>=][0-9;]*[A-Za-z]|\x1b\[\?[0-9;]*[nu]|\x1b\[[0-9;?]*\$p|\x1b\[[0-9]* q|\x1b[P_].*?\x1b\\",
    re.DOTALL,
)
"""Newer terminals' sequences, which pyte would print: ``CSI > u``, ``CSI $ p``, ``DCS``, ``APC``."""
PAPER, INK = "14161b", "e0e2ea"
"""Neovim's default colours."""


class Terminal:
    """Runs a command on a screen of 84 by 20 cells until :meth:`close`."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        where: Path,
        columns: int = 84,
        rows: int = 20,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.printed = ""
        """All that the program has written, with the sequences that place and colour it."""
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=where,
            env=os.environ | settings | dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # some programs open /dev/tty
        )
        os.close(theirs)
        self._ours = ours
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        held = b""
        while True:
            try:
                data = held + os.read(self._ours, 65536)
            except OSError:  # the program has gone
                return
            # A sequence that the read has cut in two is kept for the next one.
            end = data.rfind(b"\x1b") if b"\x1b" in data[-64:] else len(data)
            held, data = data[end:], data[:end]
            if held and re.fullmatch(
                rb"\x1b(\[[0-9;?<>=$ ]*[A-Za-z]|[()][A-Z0-9]|[=>78]).*", held, re.DOTALL
            ):
                held, data = b"", data + held
            with self._lock:
                self.printed += data.decode(errors="replace")
                self._stream.feed(UNKNOWN.sub(b"", data))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def lines(self) -> list[str]:
        with self._lock:
            return [line.rstrip() for line in self.screen.display]

    def cell(self, row: int, column: int) -> Char:
        return self.screen.buffer[row][column]

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column from 0."""
        return self.screen.cursor.y, self.screen.cursor.x

    def until(self, holds: Callable[[], bool], again: str = "") -> None:
        """Wait until the screen is as wanted, pressing ``again`` each second."""
        began = pressed = time.monotonic()
        while not holds():
            now = time.monotonic()
            assert now < began + PATIENCE_S, "the screen has instead:\n" + "\n".join(self.lines())
            if again and now > pressed + 1:
                self.press(again)
                pressed = now
            time.sleep(0.02)

    def close(self) -> None:
        """Wait a while for the program to end, and kill it if it does not."""
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GOODBYE_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(PATIENCE_S)
            os.close(self._ours)

    def picture(self, path: Path, size: int = 26) -> None:
        """Save the screen as a PNG, the cursor as a bar."""
        # Imported here: no other test needs Pillow or a font.
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.truetype("DejaVuSansMono.ttf", size)
        width, height = round(font.getlength("M")), round(size * 1.35)
        image = Image.new(
            "RGB", (width * (self.screen.columns + 2), height * (self.screen.lines + 1)), f"#{PAPER}"
        )
        draw = ImageDraw.Draw(image)
        for row in range(self.screen.lines):
            for column in range(self.screen.columns):
                char = self.cell(row, column)
                ink, paper = _colour(char.fg, INK), _colour(char.bg, PAPER)
                if char.reverse:
                    ink, paper = paper, ink
                x, y = width * (column + 1), height * row + height // 2
                draw.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
                draw.text((x, y + (height - size) // 2 - 2), char.data, font=font, fill=ink)
        row, column = self.cursor
        x, y = width * (column + 1), height * row + height // 2
        draw.rectangle((x, y, x + 2, y + height - 1), fill=f"#{INK}")
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)


def _colour(name: str, default: str) -> str:
    return f"#{default if name == 'default' else name}" if len(name) == 6 or name == "default" else name
