"""What stands around the cursor, and what may be completed there: a line, or the body of a block."""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from learner.languages import PAIRS, Lexed, Region, Syntax, lex, opens_block, syntax_of
from models.engine import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.prompt import Prompt

ABOVE, BELOW = 200, 40
"""How many lines around the cursor are looked at."""
WIDTH = 2000
"""Of a longer line, only the part next to the cursor (or its start) is looked at."""
TAB = 8


@dataclass(frozen=True)
class Place:
    """The text around a cursor, as lines without their endings."""

    before: str
    """The cursor's line, left of the cursor."""
    after: str
    """The rest of the cursor's line."""
    above: Sequence[str] = ()
    """The lines above, nearest last; a bounded window."""
    below: Sequence[str] = ()
    """The lines below, nearest first; a bounded window."""
    language: str = ""

    @property
    def syntax(self) -> Syntax:
        return syntax_of(self.language)

    @cached_property
    def left(self) -> str:
        """The window's text before the cursor."""
        return "\n".join([*self.above, self.before])

    @cached_property
    def lexed(self) -> Lexed:
        """The strings, comments and brackets before the cursor."""
        return lex(self.left, self.syntax)


def split_lines(text: str) -> list[str]:
    r"""Split at LSP's line endings (``\n``, ``\r\n``, ``\r``), which stay on their lines.

    The last line has no ending and may be empty, so each line number a client may send is an index.
    """
    lines = list(io.StringIO(text, newline=""))
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def place_in(prompt: Prompt, language: str) -> Place:
    """Return what stands around the cursor of ``prompt``, as far as it shows it."""
    above = split_lines(prompt.prefix)
    return place_at(
        [*above[:-1], *split_lines(above[-1] + prompt.suffix)], len(above) - 1, len(above[-1]), language
    )


def place_at(lines: Sequence[str], here: int, column: int, language: str) -> Place:
    """Return what stands around the cursor before ``column`` (code points) of line ``here``.

    ``lines`` are a text's, with their endings; ``language`` is an LSP language id.
    """
    first = max(0, here - ABOVE)
    above = [_bare(line) for line in lines[first:here]]
    line = lines[here].rstrip("\r\n") if here < len(lines) else ""
    return Place(
        before=line[max(0, column - WIDTH) : column],
        after=line[column : column + WIDTH],
        above=above if first == 0 else _from_outermost(above),
        below=[_bare(line) for line in lines[here + 1 : here + 1 + BELOW]],
        language=language,
    )


def stop_for(place: Place) -> tuple[Stop, int]:
    """Return where a completion ends, and the indentation (columns) of the line that opens the block.

    A block is completed only on an empty line directly below its opening line (comments and a docstring may
    stand between), indented more than that line, and only while nothing of the body stands below.
    """
    line = (Stop.LINE, 0)
    if place.before.strip() or place.after.strip() or place.lexed.inside:
        return line
    opener = _opening_line(place)
    if opener is None:
        return line
    indent = indent_of(opener)
    below = next((text for text in place.below if text.strip()), "")
    if indent_of(place.before) <= indent or (below and indent_of(below) > indent):
        return line
    return Stop.BLOCK, indent


def in_comment(place: Place) -> bool:
    """Whether the cursor stands in a comment or in a docstring."""
    inside = place.lexed.inside
    if inside is None:
        return False
    return inside.comment or (place.syntax.docstrings and _alone(place, inside.start))


def indent_of(line: str) -> int:
    """Return the columns of white space that ``line`` begins with."""
    blank = line[: len(line) - len(line.lstrip())]
    return len(blank.expandtabs(TAB))


def _bare(line: str) -> str:
    return line[:WIDTH].rstrip("\r\n")


def _from_outermost(above: list[str]) -> list[str]:
    """Drop lines up to the first at the left margin: a window may begin within a docstring or comment."""
    margin = next((i for i, line in enumerate(above) if line and not line[0].isspace()), 0)
    return above[margin:]


def _alone(place: Place, start: int) -> bool:
    """Whether the string at ``start`` of the text before the cursor begins its line and may span lines."""
    text = place.left
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return text.startswith(place.syntax.long_quotes, start) and not line.strip("rRbBuUfF \t")


def _opening_line(place: Place) -> str | None:
    """Return the first line of the statement right above the cursor where it opens a block, else None."""
    rows = _Rows(place)
    row = len(place.above) - 1
    while row >= 0 and (region := rows.documentation(row)) is not None:
        row = rows.of(region.start) - 1
    if row < 0 or not opens_block(place.above[row], place.syntax):
        return None
    return place.above[rows.statement(row)]


class _Rows:
    """The lines above a cursor, by what was lexed in them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._starts = [0, *accumulate(len(line) + 1 for line in place.above)]

    def of(self, index: int) -> int:
        """Return the row of an index into the text before the cursor."""
        return bisect_right(self._starts, index) - 1

    def documentation(self, row: int) -> Region | None:
        """Return the comment or docstring that ends in ``row`` and has no code beside it."""
        line = self._place.above[row]
        end = self._starts[row] + len(line.rstrip())
        for region in reversed(self._place.lexed.regions):
            if region.start < end <= region.end:
                return region if self._stands_alone(region) else None
        return None

    def statement(self, row: int) -> int:
        """Return the row in which the statement that ends in ``row`` begins: brackets may span lines."""
        opened: list[int] = []
        first = row
        partners: list[tuple[int, int]] = []
        for index, bracket in self._place.lexed.brackets:
            if bracket not in PAIRS:
                opened.append(index)
            elif opened:
                partners.append((self.of(opened.pop()), self.of(index)))
        for start, end in reversed(partners):
            if first <= end <= row:
                first = min(first, start)
        return first

    def _stands_alone(self, region: Region) -> bool:
        row = self.of(region.start)
        before = self._place.left[self._starts[row] : region.start]
        return not before.strip() if region.comment else _alone(self._place, region.start)
