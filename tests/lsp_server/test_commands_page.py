"""The commands' page is generated; this fails when somebody forgot to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_page_shows_every_command_with_its_present_help():
    # In a process of its own: click keeps a command's first help, and other tests call them without the root.
    command = [sys.executable, "-m", "cogapp", "--check", "--diff", str(PAGE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, f"run: cog -r docs/commands.md\n{checked.stdout}"
