"""What is called otherwise at another place: the names in which two definitions differ.

``def load_order(order):`` and ``def load_book(book):`` are alike but for their names, and a line that was
written in the one is mostly meant in the other's names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from keyword import iskeyword
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"\w+|\W")
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def renames(theirs: str, ours: str) -> Mapping[str, str]:
    """Return our name for each of theirs that differs; empty where the definitions differ in more than names.

    Where only their parameters are of another kind or number, the name that is defined counts alone.
    """
    found = _aligned(theirs, ours) or _aligned(theirs.partition("(")[0], ours.partition("(")[0])
    return {old: new for old, new in found.items() if old != new}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Return the text with whole words replaced."""
    return _WORD.sub(lambda word: names.get(word[0], word[0]), text) if names else text


def _aligned(theirs: str, ours: str) -> dict[str, str]:
    """Return which word stands for which; empty unless each always stands for the same."""
    one, other = _TOKEN.findall(theirs), _TOKEN.findall(ours)
    if len(one) != len(other):
        return {}
    found: dict[str, str] = {}
    for old, new in zip(one, other, strict=True):
        if found.setdefault(old, new) != new or (old != new and not (_is_name(old) and _is_name(new))):
            return {}
    return found


def _is_name(token: str) -> bool:
    """Return whether somebody may have chosen it; what opens a definition is a keyword in most languages."""
    return token.isidentifier() and not iskeyword(token)
