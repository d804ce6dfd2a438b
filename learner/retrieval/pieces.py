"""Which pieces of other files belong to a place: definitions it uses, recent places, and similar lines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from learner.retrieval.definitions import extent, imports, leads_to, used
from learner.retrieval.identifiers import most_telling, similarity
from learner.retrieval.index import ROWS, read_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from learner.privacy import PrivacyFilter
    from learner.retrieval.index import Hit, Index
    from learner.window import Budget

ABOVE, BELOW = 4, 4
"""Lines around the cursor that a search goes by (docs/context.md has the measurements)."""
TERMS = 40
"""Words of a search."""
HITS = 24
"""Hits that are looked at."""
PER_FILE = 2
"""Pieces that similar lines may bring from one file."""
COPY = 0.5
"""Share of common lines from which two pieces are one, or a piece says nothing new."""
HEAD = 300
"""Lines at a file's start that may import."""


@dataclass(frozen=True)
class Piece:
    """Consecutive lines of a file."""

    path: Path
    first: int
    """The first line's number, from 0."""
    lines: tuple[str, ...]
    """With their endings."""

    @property
    def text(self) -> str:
        return "".join(self.lines)


@dataclass(frozen=True)
class Question:
    """A place, as the search needs it; taken on the event loop, answered in another thread."""

    path: Path | None
    root: Path | None
    language: str
    line: int
    block: str
    lines: tuple[str, ...]
    ring: tuple[Piece, ...]
    open: Mapping[Path, tuple[str, ...]]
    """The lines of the open documents, which are newer than their files."""

    @property
    def near(self) -> str:
        """The lines that the cursor is in the midst of."""
        around = self.lines[max(0, self.line - ABOVE) : self.line + 1 + BELOW]
        return "".join(line[:400] for line in around)


class Finder:
    """Answers questions from the indexes and the ring; reads files, so it runs off the event loop."""

    def __init__(self, indexes: Mapping[Path, Index], privacy: PrivacyFilter, budget: Budget) -> None:
        self._indexes, self._privacy, self._budget = indexes, privacy, budget

    def find(self, question: Question) -> tuple[Piece, ...]:
        """Return the pieces worth showing within the budget, the most relevant last (next to the prefix)."""
        chosen: list[Piece] = []
        left = self._budget.chunk_chars
        seen = {line.strip() for line in question.lines}
        for candidate in self._candidates(question):
            if len(chosen) == self._budget.chunks:
                break
            piece = self._redacted(candidate)
            if len(piece.text) <= left and not _repeats(piece, seen):
                chosen.append(piece)
                left -= len(piece.text)
                seen |= {line.strip() for line in piece.lines}
        return tuple(reversed(chosen))

    def _candidates(self, question: Question) -> Iterator[Piece]:
        yield from self._defined(question)
        recent = (piece for piece in question.ring if self._privacy.allows(piece.path))
        # In turn: whoever has been in two files would else be shown those two places and nothing similar.
        for pair in zip_longest(self._similar(question), recent):
            yield from filter(None, pair)

    def _defined(self, question: Question) -> Iterator[Piece]:
        """Yield the definitions of imported names that the lines near the cursor use."""
        index = self._index(question)
        if index is None:
            return
        found = imports("".join(question.lines[:HEAD]), question.language)
        for each in used(found, question.near):
            hits = [hit for hit in index.symbols(each.original) if leads_to(each.module, hit.path)]
            best = max(hits, key=lambda hit: leads_to(each.module, hit.path), default=None)
            lines = self._lines(index, best, question) if best else None
            if best and lines and best.line < len(lines):
                yield Piece(index.root / best.path, best.line, lines[best.line : extent(lines, best.line)])

    def _similar(self, question: Question) -> Iterator[Piece]:
        """Yield the pieces of the workspace that speak of what the lines near the cursor do."""
        index = self._index(question)
        if index is None:
            return
        taken: dict[str, int] = {}
        for hit in index.search(most_telling(question.near, TERMS), HITS):
            lines = self._lines(index, hit, question)
            if lines and taken.get(hit.path, 0) < PER_FILE:
                taken[hit.path] = taken.get(hit.path, 0) + 1
                yield Piece(index.root / hit.path, hit.line, lines[hit.line : hit.line + ROWS])

    def _index(self, question: Question) -> Index | None:
        return self._indexes.get(question.root) if question.root else None

    def _lines(self, index: Index, hit: Hit, question: Question) -> tuple[str, ...] | None:
        """Return a file's lines as they are now; None for the current file and for what may not be shown."""
        path = index.root / hit.path
        if path == question.path or not self._privacy.allows(path):
            return None
        if path in question.open:
            return question.open[path]
        text = read_source(path)
        return tuple(text.splitlines(keepends=True)) if text is not None else None

    def _redacted(self, piece: Piece) -> Piece:
        text = piece.text
        redacted = self._privacy.redact(text)
        return piece if redacted == text else Piece(piece.path, piece.first, tuple(redacted.splitlines(True)))


def merged(pinned: Sequence[Piece], found: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return ``found``, those that ``pinned`` shows already in their old order and wording in front."""
    kept = [old for old in pinned if any(_same(old, new) for new in found)]
    return (*kept, *(new for new in found if not any(_same(old, new) for old in kept)))


def _same(old: Piece, new: Piece) -> bool:
    return old.path == new.path and similarity(old.lines, new.lines) >= COPY


def _repeats(piece: Piece, seen: set[str]) -> bool:
    """Whether the piece is blank, or most of its lines stand in other pieces or in the current file."""
    telling = [line.strip() for line in piece.lines if line.strip()]
    return not telling or sum(line in seen for line in telling) > COPY * len(telling)
