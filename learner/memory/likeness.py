"""How like a remembered place is to the present one: the features that the learned rule weighs."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from learner.memory.renaming import renamed, renames
from learner.retrieval.identifiers import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from learner.memory.place import MemoryPlace

HALF_LIFE_S = 30 * 86_400.0
"""In which an unused memory loses half of its strength."""
FAINTEST = 0.05
"""The strength of what was contradicted as often as it was seen."""
_LAST = re.compile(r"\w+\W*$|\W+$")


class Pattern(NamedTuple):
    """A row of the table ``patterns``."""

    id: int
    project: str
    language: str
    line: str
    uri: str
    before: str
    after: str
    above: str
    definition: str
    words: str
    wrong: str
    support: int
    contradicted: int
    made_at: float
    used_at: float
    known_to: str


COLUMNS = ", ".join(Pattern._fields)


def strength(pattern: Pattern, now: float) -> float:
    """Return how much of the memory is left: occasions less contradictions, halved every thirty days."""
    age = max(0.0, now - pattern.used_at)
    return max(FAINTEST, pattern.support - pattern.contradicted) * 0.5 ** (age / HALF_LIFE_S)


def continuation(pattern: Pattern, place: MemoryPlace) -> str | None:
    """Return what the pattern would write at the place, from the cursor on; None where it does not fit.

    It fits where its line begins with what stands left of the cursor, or, on a line that begins otherwise,
    where the text left of its own cursor ended with the same word and sign. Names in which the enclosing
    definitions differ are the present one's.
    """
    begun = place.begun
    names = renames(pattern.definition, place.definition)
    line = renamed(pattern.line, names)
    if line.startswith(begun):
        rest = line[len(begun) :]
    elif (last := _LAST.search(begun)) and len(last[0].strip()) > 1 and pattern.before.endswith(last[0]):
        rest = renamed(pattern.line[len(pattern.before.lstrip()) :], names)
    else:
        return None
    return _indented(rest, pattern.before, place.indent) if rest.strip() else None


def features(
    pattern: Pattern, place: MemoryPlace, rarity: Mapping[str, float], share: float
) -> dict[str, float]:
    """Return the features, each from 0 to 1.

    Args:
        rarity: of each of the place's words, how much it tells.
        share: of the strength of all that is remembered for such a place, this pattern's part.
    """
    begun = place.begun
    line = renamed(pattern.line, renames(pattern.definition, place.definition))
    fits = bool(begun.strip()) and line.startswith(begun)
    theirs = frozenset(pattern.words.split())
    total = sum(rarity.values())
    return {
        "bias": 1.0,
        "begun": float(fits),
        "begun_length": min(1.0, len(begun.strip()) / 16) if fits else 0.0,
        "tail": 0.0 if fits else _common_end(begun, pattern.before) / 16,
        "blank": float(not begun.strip()),
        "share": share,
        "overlap": sum(rarity[word] for word in theirs & rarity.keys()) / total if total else 0.0,
        "definition": _alike(place.definition, pattern.definition),
        "previous": _previous(place.previous, _last_line(pattern.above)),
        "after": float(place.after.strip() == pattern.after.strip()),
        "project": float(place.project == pattern.project),
        "file": float(place.uri == pattern.uri),
        "support": min(1.0, math.log2(max(1, pattern.support)) / 5),
        "contradicted": pattern.contradicted / (pattern.support + pattern.contradicted),
    }


def _indented(text: str, before: str, indent: str) -> str:
    """Return the text with its later lines indented from ``indent`` on, as they were from ``before``'s."""
    head, newline, tail = text.partition("\n")
    if not newline:
        return text
    old = before[: len(before) - len(before.lstrip())]
    lines = [indent + line[len(old) :] if line.startswith(old) else line for line in tail.split("\n")]
    return "\n".join([head, *lines])


def _common_end(ours: str, theirs: str) -> int:
    """Return how many code points the two end with alike, sixteen at most."""
    for count in range(min(16, len(ours), len(theirs)), 0, -1):
        if ours[-count:] == theirs[-count:]:
            return count
    return 0


def _previous(ours: str, theirs: str) -> float:
    if ours == theirs:
        return float(len(ours) > 2)
    return _alike(ours, theirs) / 2


def _last_line(above: str) -> str:
    return next((line.strip() for line in reversed(above.split("\n")) if line.strip()), "")


def _alike(ours: str, theirs: str) -> float:
    """Return the share of common words (Jaccard)."""
    if ours == theirs:
        return float(bool(ours))
    one, other = _words(ours), _words(theirs)
    return len(one & other) / len(one | other) if one or other else 0.0


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    # Cached: one place is compared with dozens, and the next keystroke's place with the same ones.
    return frozenset(words(text))
