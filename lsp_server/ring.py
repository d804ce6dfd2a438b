"""The ring: the places that were edited or visited last, as pieces of text for the prompts of other files."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from learner.retrieval.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsp_server.documents import Change, Document

ROWS = 32
"""Lines of a piece; a spot this near to another is the same one."""
FILES = 16
"""Files that are remembered."""
SPOTS = 2
"""Spots that are remembered in each file."""


@dataclass
class _Trail:
    """Where someone was in one document, the latest spot last."""

    document: Document
    spots: list[int] = field(default_factory=list)
    closed: tuple[Piece, ...] | None = None
    """The pieces as they were when the document was closed."""

    def pieces(self) -> tuple[Piece, ...]:
        if self.closed is not None:
            return self.closed
        return tuple(_piece(self.document, spot) for spot in reversed(self.spots))


class Ring:
    """The latest spots of the latest files; the newest come first."""

    def __init__(self) -> None:
        self._trails: OrderedDict[str, _Trail] = OrderedDict()

    def note(self, document: Document, line: int) -> None:
        """Remember that someone was at ``line``."""
        if document.path is None:
            return
        trail = self._trails.pop(document.uri, None)
        if trail is None or trail.closed is not None or trail.document is not document:
            trail = _Trail(document)
        self._trails[document.uri] = trail
        others = [spot for spot in trail.spots if abs(spot - line) >= ROWS]
        trail.spots = [*others[1 - SPOTS :], line]
        while len(self._trails) > FILES:
            self._trails.popitem(last=False)

    def note_edit(self, document: Document, change: Change) -> None:
        """Remember the edit's place, and move the spots below it along."""
        moved = change.text.count("\n") - change.removed.count("\n")
        trail = self._trails.get(document.uri)
        if trail is not None and moved:
            trail.spots = [spot + moved if spot > change.end.line else spot for spot in trail.spots]
        self.note(document, change.start.line + change.text.count("\n"))

    def note_close(self, document: Document) -> None:
        """Keep the pieces of a document that is about to be closed."""
        if trail := self._trails.get(document.uri):
            trail.closed = trail.pieces()

    def pieces(self, without: str) -> Iterator[Piece]:
        """Yield the pieces of the documents other than the one with the URI ``without``, newest first."""
        for uri, trail in reversed(self._trails.items()):
            if uri != without:
                yield from trail.pieces()


def _piece(document: Document, spot: int) -> Piece:
    assert document.path is not None
    first = max(0, min(spot, len(document.lines) - 1) - ROWS // 2)
    return Piece(document.path, first, tuple(document.lines[first : first + ROWS]))
