"""How far the text that stands at an offer's place agrees with the offer."""

from __future__ import annotations

from typing import NamedTuple

_BLANKS = " \t"


class Match(NamedTuple):
    length: int
    """Code points of the offer that stand there, from its beginning."""
    reached: int
    """The same in code points of the standing text."""
    fits: bool
    """Nothing else stands there, but for indentation and brackets that the editor added by itself."""
    whole: bool
    """All of the offer stands there."""


def match(offered: str, standing: str, tail: str) -> Match:
    """Compare an offer with the text at its place; indentation after a line break may differ.

    ``tail`` is what may follow: closing brackets and quotes that the editor set by itself, and what stood
    right of the cursor and would be replaced.
    """
    length, reached = _agreement(offered, standing)
    rest = standing[reached:]
    indent = rest != "" and not rest.strip() and _in_indent(standing, reached)
    fits = not rest or indent or (rest.strip() != "" and tail.endswith(rest.strip()))
    return Match(length, reached, fits, fits and length == len(offered) and not indent)


def ends_word(offered: str, length: int) -> bool:
    """Whether a part of ``length`` code points ends where a word does."""
    if not 0 < length < len(offered):
        return True
    return not (_is_word(offered[length - 1]) and _is_word(offered[length]))


def blank_apart(a: str, b: str) -> bool:
    """Whether two texts differ in white space only."""
    return "".join(a.split()) == "".join(b.split())


def common_prefix(a: str, b: str) -> int:
    """Return the length of the longest common prefix; halves, so that a whole document costs little."""
    if not a or not b or a[0] != b[0]:
        return 0
    low, high = 1, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _agreement(offered: str, standing: str) -> tuple[int, int]:
    length = reached = 0
    while True:
        more = common_prefix(offered[length:], standing[reached:])
        length, reached = length + more, reached + more
        if not (_in_indent(offered, length) and _in_indent(standing, reached)):
            return length, reached
        ahead, further = _skip_blanks(offered, length), _skip_blanks(standing, reached)
        if (ahead, further) == (length, reached) or reached == len(standing):
            return length, reached
        if offered[ahead : ahead + 1] != standing[further : further + 1]:
            return length, reached
        length, reached = ahead, further


def _in_indent(text: str, index: int) -> bool:
    line = text.rfind("\n", 0, index)
    return line >= 0 and not text[line:index].strip()


def _skip_blanks(text: str, index: int) -> int:
    while index < len(text) and text[index] in _BLANKS:
        index += 1
    return index


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
