"""Cursors in a file that is there already: what is taken out of it, and so has to be completed.

What is taken out ends where the engine would have stopped: the rules of serving say whether a line or a block
is completed at the cursor, and the same code cuts there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from learner.languages import PAIRS, lex, opens_block, syntax_of
from learner.place import indent_of, place_at, stop_for
from models.decode import Stopper
from models.engine import Request, Stop
from models.prompt import Prompt

if TYPE_CHECKING:
    import random
    from collections.abc import Container, Mapping, Sequence

    from learner.languages import Region


class Kind(StrEnum):
    """Where the cursor stands, and what is taken out there."""

    LINE_START = "line start"
    """A line but for its indentation."""
    MID_LINE = "mid-line"
    """The rest of a line, from a token's start or end on."""
    MID_WORD = "mid-word"
    """The rest of a line, from within a word on: most keystrokes are there."""
    BRACKETS = "brackets"
    """What is between brackets on one line, from a token on; the closing one stays, as editors put it in."""
    LINES = "lines"
    """The rest of a block, two lines or more, from a line's start or the middle of one."""
    BLOCK = "block"
    """The whole body of a block, below the line that opens it."""


SHARES: Mapping[Kind, float] = {
    Kind.LINE_START: 0.20,
    Kind.MID_LINE: 0.25,
    Kind.MID_WORD: 0.15,
    Kind.BRACKETS: 0.15,
    Kind.LINES: 0.10,
    Kind.BLOCK: 0.15,
}
"""How cursors are mixed where a file has enough places for each."""

LEAST_CHARS = 3
"""A target has at least so many characters that are not blank."""
MOST_LINES = 12
MOST_CHARS = 400
"""Code points of a target; of a longer block its first lines are taken, and where it ends is not said."""
LONGEST_LINE = 400
"""Code points; a longer line is data."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class Cursor:
    """A place in a text's lines, and what is taken out behind it."""

    kind: Kind
    line: int
    column: int
    """In code points."""
    end: tuple[int, int]
    """Line and column where the text goes on after what was taken out."""
    target: str
    """What is to be completed: what was taken out, or its first lines."""
    ends: bool
    """Whether the target is all of what was taken out."""
    stop: Stop
    indent: int

    def remaining(self, lines: Sequence[str]) -> list[str]:
        """Return the lines, with their endings, without what was taken out."""
        row, column = self.end
        here = lines[self.line][: self.column] + lines[row][column:]
        return [*lines[: self.line], here, *lines[row + 1 :]]


def draw_cursors(
    lines: Sequence[str],
    language: str,
    count: int,
    draw: random.Random,
    shares: Mapping[Kind, float] = SHARES,
    preferred: Container[str] = (),
) -> list[Cursor]:
    """Return at most ``count`` cursors in a text, each in a line of its own, from top to bottom.

    Args:
        lines: the text's, with their endings; ``language`` is its LSP language id.
        shares: of each kind; where a text lacks places of one, others take its share.
        preferred: lines, stripped, that are taken before others.
    """
    text = _Text(lines, language)
    rows = [row for row in range(len(lines)) if text.is_code(row)]
    draw.shuffle(rows)
    rows.sort(key=lambda row: lines[row].strip() not in preferred)
    wanted = _dealt(count, shares)
    found: list[Cursor] = []
    # Blocks have few places, so that they choose first; a second round gives what is left to any kind.
    for kinds in (
        [Kind.BLOCK],
        [Kind.LINES],
        [kind for kind in Kind if kind not in (Kind.BLOCK, Kind.LINES)],
    ):
        for row in list(rows):
            left = [kind for kind in kinds if wanted[kind] > 0]
            if not left:
                break
            if cursor := _first(text, row, _by_need(left, wanted, draw), draw):
                wanted[cursor.kind] -= 1
                found.append(cursor)
                rows.remove(row)
    for row in rows[: max(0, count - len(found))]:
        kinds = [Kind.LINE_START, Kind.MID_LINE, Kind.MID_WORD, Kind.BRACKETS]
        if cursor := _first(text, row, draw.sample(kinds, len(kinds)), draw):
            found.append(cursor)
    return sorted(found[:count], key=lambda cursor: (cursor.line, cursor.column))


def until_stop(text: str, suffix: str, stop: Stop, indent: int) -> str:
    """Return the beginning of ``text`` that the engine would have generated in front of ``suffix``."""
    stopper = Stopper(Request(Prompt("", suffix), stop=stop, indent=indent))
    stopper.feed(text.encode("utf-8", "replace"))
    return stopper.text.partition("\n")[0] if stop is Stop.LINE else stopper.text


def first_lines(text: str) -> str:
    """Return the leading lines of ``text`` that are no more than a completion has; at least the first."""
    kept = text.split("\n")[:MOST_LINES]
    while len(kept) > 1 and sum(len(line) + 1 for line in kept) > MOST_CHARS:
        kept.pop()
    return "\n".join(kept).rstrip()


def _dealt(count: int, shares: Mapping[Kind, float]) -> dict[Kind, int]:
    """Return how many of each kind; what is lost by rounding goes to the largest fractions."""
    total = sum(shares.values()) or 1.0
    exact = {kind: count * shares.get(kind, 0.0) / total for kind in Kind}
    dealt = {kind: int(value) for kind, value in exact.items()}
    by_fraction = sorted(Kind, key=lambda kind: dealt[kind] - exact[kind])
    for kind in by_fraction[: count - sum(dealt.values())]:
        dealt[kind] += 1
    return dealt


def _by_need(kinds: Sequence[Kind], wanted: Mapping[Kind, int], draw: random.Random) -> list[Kind]:
    """Return the kinds in a random order in which the one that lacks most tends to come first."""
    return sorted(kinds, key=lambda kind: -wanted[kind] * draw.random())


def _first(text: _Text, row: int, kinds: Sequence[Kind], draw: random.Random) -> Cursor | None:
    return next((cursor for kind in kinds if (cursor := text.cursor(kind, row, draw))), None)


class _Text:
    """A text's lines, lexed once, and the cursors that they allow."""

    def __init__(self, lines: Sequence[str], language: str) -> None:
        self.lines, self.language = lines, language
        self.bare = [line.rstrip("\r\n") for line in lines]
        self._starts = [0, *accumulate(map(len, lines))]
        self._syntax = syntax_of(language)
        lexed = lex("".join(lines), self._syntax)
        self._prose = self._rows_within(lexed.regions)
        self._brackets: dict[int, list[tuple[int, str]]] = {}
        for index, bracket in lexed.brackets:
            row = bisect_right(self._starts, index) - 1
            self._brackets.setdefault(row, []).append((index - self._starts[row], bracket))

    def _rows_within(self, regions: Sequence[Region]) -> set[int]:
        """Return the rows that begin within a comment or a long string, or with one."""
        rows: set[int] = set()
        row = 0
        for region in regions:
            while row < len(self.bare) and self._first_character(row) < region.start:
                row += 1
            while row < len(self.bare) and self._first_character(row) < region.end:
                starts_here = self._first_character(row) == region.start
                if not starts_here or region.comment or region.closer in self._syntax.long_quotes:
                    rows.add(row)
                row += 1
        return rows

    def _first_character(self, row: int) -> int:
        return self._starts[row] + self._margin(row)

    def _margin(self, row: int) -> int:
        return len(self.bare[row]) - len(self.bare[row].lstrip())

    def is_code(self, row: int) -> bool:
        bare = self.bare[row]
        return len(bare) <= LONGEST_LINE and _is_enough(bare) and row not in self._prose

    def cursor(self, kind: Kind, row: int, draw: random.Random) -> Cursor | None:
        """Return a cursor of the kind in a row of code, or None where it allows none."""
        match kind:
            case Kind.LINE_START:
                return self._rest_of_line(kind, row, self._margin(row))
            case Kind.MID_LINE:
                return self._rest_of_line(kind, row, _any(self._token_edges(row), draw))
            case Kind.MID_WORD:
                inside = [
                    at
                    for word in _WORD.finditer(self.bare[row])
                    for at in range(word.start() + 1, word.end())
                ]
                return self._rest_of_line(kind, row, _any(inside, draw))
            case Kind.BRACKETS:
                return self._within_brackets(row, draw)
            case Kind.LINES:
                return self._rest_of_block(row, draw)
            case Kind.BLOCK:
                return self._body(row)

    def _token_edges(self, row: int) -> list[int]:
        """Return the columns between tokens, where something stands on both sides."""
        bare = self.bare[row]
        edges = {at for token in _TOKEN.finditer(bare) for at in token.span()}
        return sorted(at for at in edges if self._margin(row) < at < len(bare))

    def _rest_of_line(self, kind: Kind, row: int, column: int | None) -> Cursor | None:
        if column is None:
            return None
        return self._taken_out(kind, row, column, (row, len(self.bare[row])))

    def _within_brackets(self, row: int, draw: random.Random) -> Cursor | None:
        pairs: list[tuple[int, int]] = []
        opened: list[int] = []
        for column, bracket in self._brackets.get(row, []):
            if bracket not in PAIRS:
                opened.append(column + 1)
            elif opened:
                pairs.append((opened.pop(), column))
        pairs = [(start, end) for start, end in pairs if _is_enough(self.bare[row][start:end])]
        if not pairs:
            return None
        start, end = draw.choice(pairs)
        columns = [start, *(at for at in self._token_edges(row) if start < at < end)]
        return self._taken_out(Kind.BRACKETS, row, draw.choice(columns), (row, end))

    def _rest_of_block(self, row: int, draw: random.Random) -> Cursor | None:
        indent = indent_of(self.bare[row])
        above = (indent_of(line) for line in reversed(self.bare[max(0, row - 60) : row]) if line.strip())
        outer = next((columns for columns in above if columns < indent), None)
        if outer is None:
            return None
        last = self._last_row(row, outer)
        if last == row:
            return None
        column = draw.choice([self._margin(row), *self._token_edges(row)])
        return self._taken_out(Kind.LINES, row, column, (last, len(self.bare[last])), outer)

    def _body(self, row: int) -> Cursor | None:
        """Return the body of the block which this is the first line of."""
        opener = row - 1
        while opener >= 0 and (not self.bare[opener].strip() or opener in self._prose):
            opener -= 1
        if opener < 0 or not opens_block(self.bare[opener], self._syntax):
            return None
        outer = indent_of(self.bare[opener])
        if indent_of(self.bare[row]) <= outer:
            return None
        last = self._last_row(row, outer)
        end = (last, len(self.bare[last]))
        cursor = self._taken_out(Kind.BLOCK, row, self._margin(row), end)
        return cursor if cursor and cursor.stop is Stop.BLOCK else None

    def _last_row(self, row: int, outer: int) -> int:
        """Return the last row that is indented more than ``outer``, before one that is not."""
        last = row
        for below in range(row + 1, len(self.bare)):
            if self.bare[below].strip():
                if indent_of(self.bare[below]) <= outer:
                    break
                last = below
        return last

    def _taken_out(
        self, kind: Kind, row: int, column: int, end: tuple[int, int], outer: int | None = None
    ) -> Cursor | None:
        """Return the cursor from which all up to ``end`` is taken out."""
        removed = self._between((row, column), end).rstrip()
        target = first_lines(removed)
        if not _is_enough(target) or len(target) > MOST_CHARS:
            return None
        cursor = Cursor(kind, row, column, end, target, target == removed, Stop.LINE, 0)
        rest = cursor.remaining(self.lines)
        if outer is None:
            stop, indent = stop_for(place_at(rest, row, column, self.language))
        else:
            stop, indent = Stop.BLOCK, outer
        if stop is Stop.LINE and "\n" in target:
            return None
        return Cursor(kind, row, column, end, target, target == removed, stop, indent)

    def _between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        if start[0] == end[0]:
            return self.bare[start[0]][start[1] : end[1]]
        rows = [*self.bare[start[0] : end[0]], self.bare[end[0]][: end[1]]]
        return "\n".join([rows[0][start[1] :], *rows[1:]])


def _any(columns: Sequence[int], draw: random.Random) -> int | None:
    return draw.choice(columns) if columns else None


def _is_enough(text: str) -> bool:
    return len("".join(text.split())) >= LEAST_CHARS
