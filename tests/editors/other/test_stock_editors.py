"""Editors without a client of ours, set up with what docs/editors.md says, read from there."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.editors.neovim.driver import ROOT, scripted
from tests.editors.terminal import Terminal

OTHERS = Path(os.environ.get("OTHER_EDITORS") or ROOT / ".bench/editors")
PAGE = ROOT / "docs/editors.md"
PATIENCE_S = 30.0
ANSWERS = {"accepted = ": "sum(rows)", "accepted = su": "m(rows)", "accepted = sum": "(rows)"}


def program(name: str) -> str:
    path = OTHERS / "bin" / name
    if not path.is_file():
        pytest.fail(f"{path} is missing; run: make editors", pytrace=False)
    return str(path)


def configuration(language: str, part: str, directory: Path) -> str:
    """Return the page's block in ``language`` that has ``part`` in it, with a scripted server's command for
    ``nightschool``."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if part in block)
    (command,) = scripted(directory, ANSWERS)
    return re.sub(r'(command = |\()"nightschool"', rf'\g<1>"{command}"', block)


def project(directory: Path) -> Path:
    folder = directory / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "a.py").write_text("rows = load()\naccepted =\n")
    return folder


def outcomes(directory: Path) -> list[tuple[str, str, str]]:
    """Return text, label and witness of each offer that came to something, once there are any.

    The editor is to be there still: Emacs ends its servers with a signal.
    """
    query = "SELECT offered_text, label, known_by FROM outcomes WHERE label NOT IN ('unseen', 'superseded')"
    end = time.monotonic() + PATIENCE_S
    while True:
        with closing(sqlite3.connect(directory / "home" / "ledger.db")) as ledger, suppress(sqlite3.Error):
            if found := ledger.execute(query).fetchall():
                return found
        assert time.monotonic() < end, "nothing was recorded"
        time.sleep(0.05)


def test_helix_offers_it_in_its_completion_menu(tmp_path: Path):
    settings = tmp_path / "config/helix"
    settings.mkdir(parents=True)
    (settings / "languages.toml").write_text(configuration("toml", "language-server", tmp_path))
    folder = project(tmp_path)
    screen = Terminal(
        [program("hx"), "a.py"],
        {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path)},
        folder,
    )
    try:
        screen.until(lambda: "accepted =" in "".join(screen.lines()))
        screen.press("jA ")
        screen.press("su")
        # It may not have asked yet: the server is started meanwhile.
        screen.until(lambda: any("sum(rows)" in line for line in screen.lines()), again="\x18")
        screen.press("\t\r")
        screen.until(lambda: any(line.endswith("accepted = sum(rows)") for line in screen.lines()))
        # Helix runs no command of an item's.
        assert [(label, by) for _, label, by in outcomes(tmp_path)] == [("accepted", "inferred")]
        screen.press("\x1b")
        screen.until(lambda: " NOR " in "".join(screen.lines()))
        screen.press(":wq\r")
    finally:
        screen.close()
    assert (folder / "a.py").read_text() == "rows = load()\naccepted = sum(rows)\n"


def test_emacs_shows_it_as_ghost_text(tmp_path: Path):
    (tmp_path / "init.el").write_text(configuration("elisp", "lsp-mode", tmp_path))
    folder = project(tmp_path)
    command = [program("emacs"), "-nw", "-q", "-l", str(tmp_path / "init.el"), "a.py"]
    screen = Terminal(command, {"HOME": str(tmp_path)}, folder)
    try:
        screen.until(lambda: "accepted =" in "".join(screen.lines()))
        # In the echo area, where the next message may stand a moment later.
        screen.until(lambda: "initialized successfully" in screen.printed)
        screen.press("\x1b>\x10\x05 ")
        screen.until(lambda: any(line.endswith("accepted = sum(rows)") for line in screen.lines()))
        screen.press("\t")
        screen.press("\x18\x13")
        screen.until(lambda: "accepted = sum(rows)" in (folder / "a.py").read_text())
        assert outcomes(tmp_path) == [("sum(rows)", "accepted", "explicit")]
    finally:
        screen.press("\x18\x03yes\r")
        screen.close()


def test_emacs_completes_it_at_point_with_eglot(tmp_path: Path):
    (tmp_path / "init.el").write_text(configuration("elisp", "eglot", tmp_path))
    folder = project(tmp_path)
    command = [program("emacs"), "-nw", "-q", "-l", str(tmp_path / "init.el"), "a.py"]
    screen = Terminal(command, {"HOME": str(tmp_path)}, folder)
    try:
        screen.until(lambda: "accepted =" in "".join(screen.lines()))
        screen.until(lambda: "[eglot" in screen.lines()[-2] or "Connected" in "".join(screen.lines()))
        screen.press("\x1b>\x10\x05 su")
        # It may have asked before the server was ready.
        screen.until(
            lambda: any(line.endswith("accepted = sum(rows)") for line in screen.lines()), again="\x1b\t"
        )
        # It runs no command of an item's either.
        assert [(label, by) for _, label, by in outcomes(tmp_path)] == [("accepted", "inferred")]
        screen.press("\x18\x13")
        screen.until(lambda: "accepted = sum(rows)" in (folder / "a.py").read_text())
    finally:
        screen.press("\x18\x03yes\r")
        screen.close()
