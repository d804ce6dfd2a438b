"""What a developer typed between two texts of a file, and what the file looked like while they typed.

They are taken to have gone through the file from top to bottom: above the cursor stands the new text, below
it still the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from learner.distance import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LINES = 6000
"""Of a file; the comparison of two longer ones takes seconds."""
ALIKE = 0.5
"""Share of the shorter line that stays from which a line was changed in place, and not written anew."""


@dataclass(frozen=True)
class TypedLine:
    """A line of the new text that was typed, or the part of it that was."""

    row: int
    """In the new text."""
    first: int
    last: int
    """The columns (code points) between which it was typed; what is right of them stood there before."""
    below: int
    """The row of the old text that stands below it while it is typed."""
    run: int
    """The row of the new text after the last one that was typed in one go with it."""


@dataclass(frozen=True)
class View:
    """A file at the moment before a text is typed."""

    lines: tuple[str, ...]
    """With their endings."""
    line: int
    column: int


def typed_lines(before: Sequence[str], after: Sequence[str]) -> list[TypedLine]:
    """Return the typed lines, from top to bottom; both texts are lines with their endings.

    A line that only moved in or out is not typed, nor is anything where a text is too long to compare.
    """
    if max(len(before), len(after)) > MOST_LINES:
        return []
    found: list[TypedLine] = []
    matcher = SequenceMatcher(None, before, after)
    for _, i1, i2, j1, j2 in (code for code in matcher.get_opcodes() if code[0] in ("replace", "insert")):
        for row in range(j1, j2):
            paired = i1 + row - j1
            old = before[paired] if paired < i2 else ""
            span = _span(old.rstrip("\r\n"), after[row].rstrip("\r\n"))
            if span is not None:
                found.append(TypedLine(row, *span, below=min(paired + 1, i2), run=j2))
    return found


def view(before: Sequence[str], after: Sequence[str], typed: TypedLine, column: int) -> View:
    """Return the file while ``typed`` has been typed up to ``column``."""
    whole = after[typed.row]
    bare = whole.rstrip("\r\n")
    ending = whole[len(bare) :]
    below = before[typed.below :]
    if below and not ending:
        ending = "\n"
    here = bare[:column] + bare[typed.last :] + ending
    return View((*after[: typed.row], here, *below), typed.row, column)


def truth(after: Sequence[str], typed: TypedLine, column: int) -> str:
    r"""Return what was typed from ``column`` on: the rest of the line's new part, and the new lines below it.

    Lines end with ``\n``. Where something stands right of what was typed, only the line's part.
    """
    bare = after[typed.row].rstrip("\r\n")
    here = bare[column : typed.last]
    if typed.last < len(bare):
        return here
    return "\n".join([here, *(line.rstrip("\r\n") for line in after[typed.row + 1 : typed.run])])


def _span(old: str, new: str) -> tuple[int, int] | None:
    """Return between which columns of ``new`` it was typed over ``old``; None where nothing was."""
    if old.strip() == new.strip() or not new.strip():
        return None
    margin = len(new) - len(new.lstrip())
    left = shared(old, new)
    right = shared(old[left:][::-1], new[left:][::-1])
    if left + right < len(new) and left + right - margin >= ALIKE * min(len(old), len(new)):
        return max(left, margin), len(new) - right
    return margin, len(new)
