"""Plays whole scripted sessions and scores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sessions.developer import Developer
from tests.sessions.direct import DirectWire
from tests.sessions.editor import Clock, Editor
from tests.sessions.hands import START
from tests.sessions.score import score, score_ledger
from tests.sessions.served import ServedWire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sessions.score import Row


NOT_SERVED = ("scene_hidden",)
"""The server has no gate that keeps offers back."""


def play(seed: int, offers: int, *, reports: bool) -> list[Row]:
    """Return the scored offers of one session, told by the facts that :class:`Outcomes` records.

    Odd seeds work in a file with CRLF line endings.

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


def play_served(seed: int, offers: int, home: Path, *, reports: bool) -> list[Row]:
    """The same through the whole server, told by the ledger in ``home``.

    Raises:
        AssertionError: the server's document is not the editor's, or the ledger has other offers.
    """
    clock = Clock()
    wire = ServedWire(f"file:///session_{seed}.py", START, clock, home, crlf=seed % 2 == 1)
    editor = Editor(wire, clock, START, reports)
    developer = Developer(editor, seed, NOT_SERVED)
    developer.work(offers)
    text = wire.text
    wire.close()
    assert text.replace("\r\n", "\n") == editor.text
    return score_ledger(wire.ledger_path, developer.truths)
