"""Finding what is remembered for a place: lines that begin alike, and places that speak of the same things.

All of it runs on one SQLite connection: the server's is a copy in RAM, so that no keystroke waits for a
disk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.memory.likeness import COLUMNS, Pattern, continuation, features, strength
from models.engine import Candidate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from learner.memory.place import MemoryPlace
    from learner.memory.rule import Rule

BEGIN_ALIKE = 32
"""Patterns looked at that begin as the line does."""
SPEAK_ALIKE = 16
"""Patterns looked at that share words with the place."""
TERMS = 8
"""Words of one search."""
POSTINGS = 500
"""Full-text entries read in one search: the rarest words come first, and what is everywhere tells nothing."""
STOPPED_BY = "memory"
"""In place of what stopped the engine, for a text that no model wrote."""
LAST = "\U0010ffff"
STEADY = 1_000
"""Patterns from which a word's count is kept: one more or less changes nothing then. A word that nobody had
written when it was first looked for may be in the next pattern."""


@dataclass(frozen=True)
class Recalled:
    """Something remembered, as it would be written at the place that was asked about."""

    pattern: Pattern
    text: str
    """From the cursor on; empty where it belongs to a like place but cannot stand at this one."""
    score: float
    """How likely the text is right here (0 to 1), by the learned rule."""
    features: Mapping[str, float]
    exact: bool
    """Whether its line begins with what stands on the present one."""
    known: bool = False
    """Whether the adapter that serves writes it by itself: then it needs neither offering nor showing."""

    @property
    def support(self) -> int:
        """On how many occasions it was written."""
        return self.pattern.support

    @property
    def wrong(self) -> str:
        """What was offered instead of it last; may be empty."""
        return self.pattern.wrong

    def candidate(self, text: str) -> Candidate:
        """Return ``text``, which is of this memory, as the gate and the ledger take it.

        The learned rule's probability stands where the model's would: that of one token.
        """
        return Candidate(text, (math.log(self.score),), STOPPED_BY)

    @property
    def context(self) -> tuple[str, ...]:
        """The lines that stood above it, nearest last."""
        return tuple(self.pattern.above.split("\n"))


class Vocabulary:
    """How many patterns have a word; asking the full text for it takes half a millisecond a word."""

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        """``counts`` are those of all words; without them the full text is asked."""
        self._complete = counts is not None
        self._counts = counts or {}

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Vocabulary:
        """Count all words at once; :meth:`note` keeps the counts right."""
        return cls(dict(connection.execute("SELECT term, doc FROM vocabulary").fetchall()))

    def note(self, before: str, after: str) -> None:
        """A pattern's words are ``after`` now instead of ``before``; either may be empty."""
        old, new = set(before.split()), set(after.split())
        for word in old - new:
            self._counts[word] = self._counts.get(word, 1) - 1
        for word in new - old:
            self._counts[word] = self._counts.get(word, 0) + 1

    def count(self, connection: sqlite3.Connection, word: str) -> int:
        found = self._counts.get(word)
        if found is None and self._complete:
            return 0
        if found is None:
            row = connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
            found = row[0] if row else 0
            if found >= STEADY:
                self._counts[word] = found
        return found


def recall(
    connection: sqlite3.Connection,
    vocabulary: Vocabulary,
    rule: Rule,
    place: MemoryPlace,
    limit: int,
    now: float,
    serving: str = "",
) -> list[Recalled]:
    """Return what is remembered for the place, the likeliest first.

    Args:
        now: Unix time.
        serving: the id of the adapter that serves; empty for the base alone.
    """
    counts = {word: vocabulary.count(connection, word) for word in place.words}
    patterns = {each.id: each for each in _speaking_alike(connection, place, counts)}
    if len(place.begun.strip()) > 1:
        patterns.update((each.id, each) for each in _beginning_alike(connection, place))
    rarity = {word: 1.0 / math.log(3.0 + count) for word, count in counts.items()}
    texts = {each.id: continuation(each, place) or "" for each in patterns.values()}
    strengths = {each.id: strength(each, now) for each in patterns.values() if texts[each.id]}
    total = sum(strengths.values())
    found = []
    for each in patterns.values():
        share = strengths.get(each.id, 0.0) / total if total else 0.0
        measured = features(each, place, rarity, share)
        exact = bool(measured["begun"])
        known = serving in each.known_to.split()
        found.append(Recalled(each, texts[each.id], rule.probability(measured), measured, exact, known))
    found.sort(key=lambda each: (bool(each.text), each.score), reverse=True)
    return found[:limit]


def _beginning_alike(connection: sqlite3.Connection, place: MemoryPlace) -> list[Pattern]:
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM patterns WHERE language = ? AND line > ? AND line < ? AND support > 0"
        " LIMIT ?",
        (place.language, place.begun, place.begun + LAST, BEGIN_ALIKE),
    )
    return [Pattern(*row) for row in rows.fetchall()]


def _speaking_alike(
    connection: sqlite3.Connection, place: MemoryPlace, counts: Mapping[str, int]
) -> list[Pattern]:
    """Return the patterns that share the rarest of the place's words (BM25)."""
    chosen: list[str] = []
    postings = 0
    for word, count in sorted(counts.items(), key=lambda item: item[1]):
        if count and postings + count <= POSTINGS and len(chosen) < TERMS:
            chosen.append(word)
            postings += count
    if not chosen:
        return []
    # The plus keeps SQLite from going through all patterns of the language by their index.
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM patterns WHERE +language = ? AND support > 0 AND id IN"
        " (SELECT rowid FROM pattern_words WHERE pattern_words MATCH ? ORDER BY rank LIMIT ?)",
        (place.language, " OR ".join(f'"{word}"' for word in chosen), SPEAK_ALIKE),
    )
    return [Pattern(*row) for row in rows.fetchall()]
