"""Plays whole scripted sessions and scores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sessions.developer import START, Developer
from tests.sessions.direct import DirectWire
from tests.sessions.editor import Clock, Editor
from tests.sessions.score import score

if TYPE_CHECKING:
    from tests.sessions.score import Row


def play(seed: int, offers: int, *, reports: bool) -> list[Row]:
    """Return the scored offers of one session; odd seeds work in a file with CRLF line endings.

    Raises:
        AssertionError: the server's document is not the editor's.
    """
    clock = Clock()
    wire = DirectWire(f"file:///session_{seed}.py", START, clock, crlf=seed % 2 == 1)
    editor = Editor(wire, clock, START, reports)
    developer = Developer(editor, seed)
    developer.work(offers)
    wire.close()
    assert wire.document.source.replace("\r\n", "\n") == editor.text
    return score(wire.facts, developer.truths)
