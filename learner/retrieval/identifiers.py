"""Identifiers as the words they are made of, so that ``HTTPServer``, ``http_server`` and prose meet."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_JOINT = re.compile(r"([a-z](?=[A-Z])|[A-Z](?=[A-Z][a-z]))")
_NAME = re.compile(r"[^\W\d]\w*")
_KEYWORDS = frozenset(
    _NAME.findall(
        """
        and as async await break case catch class const continue def default del do elif else end enum except
        export extends false final finally fn for from func function if impl implements import in interface is
        lambda let match mod module mut namespace new nil none not null or package pass private protected pub
        public raise return self static struct super switch this throw trait true try type use using var void
        where while with yield
        """
    )
)
LENGTHS = range(2, 31)
"""Shorter words say nothing; longer ones are no words."""


def words(text: str) -> list[str]:
    """Return the words of the identifiers in ``text``, in order, in lower case; no digits, no keywords."""
    found = (word.lower() for word in _WORD.findall(text))
    return [word for word in found if len(word) in LENGTHS and word not in _KEYWORDS]


def parted(text: str) -> str:
    """Return ``text`` with a space between the words of each identifier in mixed case."""
    return _JOINT.sub(r"\1 ", text)


def names(text: str) -> list[str]:
    """Return the distinct identifiers of ``text`` in order."""
    return list(dict.fromkeys(_NAME.findall(text)))


def similarity(lines: Iterable[str], others: Iterable[str]) -> float:
    """Return how much the two sets of stripped, non-blank lines overlap, from 0 to 1 (Jaccard)."""
    ours = {line.strip() for line in lines} - {""}
    theirs = {line.strip() for line in others} - {""}
    return len(ours & theirs) / len(ours | theirs) if ours or theirs else 0.0


def most_telling(text: str, limit: int) -> list[str]:
    """Return the distinct words of ``text`` that a search should use, the most frequent first."""
    return [word for word, _ in Counter(words(text)).most_common(limit)]
