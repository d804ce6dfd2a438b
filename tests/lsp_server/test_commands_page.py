"""The commands' page is generated; this fails when somebody forgot to."""

from __future__ import annotations

from pathlib import Path

from cogapp import Cog

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_page_shows_every_command_with_its_present_help(capsys):
    stale = Cog().main(["cog", "--check", "--diff", str(PAGE)])

    assert stale == 0, f"run: cog -r docs/commands.md\n{capsys.readouterr().out}"
