"""The part of the current file that a prompt shows, chosen so that it stays the same while one types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp_server.documents import Change, Document, Point


@dataclass(frozen=True)
class Budget:
    """How much a prompt shows; docs/context.md holds the measurements behind the defaults."""

    prefix_lines: int = 120
    """At most this many lines above the cursor's."""
    prefix_chars: int = 5000
    """At most this many code points above the cursor's line."""
    suffix_lines: int = 30
    """At most this many lines below the cursor's."""
    suffix_chars: int = 1200
    """At most this many code points below the cursor's line."""
    line_chars: int = 1000
    """Of the cursor's line, at most this many code points on each side."""
    chunks: int = 4
    """Pieces of other places."""
    chunk_chars: int = 3200
    """Code points of all pieces together."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"setting 'context.{name}' is {value!r}, but must be a whole number from 0 on"
                )


NEAR = Budget(
    prefix_lines=24,
    prefix_chars=900,
    suffix_lines=6,
    suffix_chars=240,
    line_chars=400,
    chunks=0,
    chunk_chars=0,
)
"""What suffices for a first answer at a place that is not evaluated yet."""


class Window:
    """The first line that a document's prompts show, kept while the cursor stays in reach.

    Each new first line makes the engine evaluate the whole prefix again. So a prefix may grow up to the
    budget, then falls back to half of it.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._first: int | None = None

    def note_edit(self, change: Change) -> None:
        """Let the first line move along with an edit above it; ``change`` has been applied."""
        if self._first is None or change.start.line >= self._first:
            return
        moved = change.text.count("\n") - change.removed.count("\n")
        inside = change.end.line >= self._first
        self._first = None if inside and moved else self._first + moved

    def around(self, document: Document, point: Point) -> tuple[list[str], list[str]]:
        """Return the lines to show above and below the cursor's line, with their endings."""
        if not self._reaches(document, point.line):
            self._first = _start(document, point.line, self.budget, share=0.5)
        below = document.lines[point.line + 1 : point.line + 1 + self.budget.suffix_lines]
        return document.lines[self._first : point.line], _fitting(below, self.budget.suffix_chars)

    def _reaches(self, document: Document, line: int) -> bool:
        """Whether the prefix from the present first line is neither too long nor needlessly short."""
        if self._first is None or self._first > line:
            return False
        least = _start(document, line, self.budget, share=0.25)
        most = _start(document, line, self.budget, share=1)
        return most <= self._first <= least


def _start(document: Document, line: int, budget: Budget, share: float) -> int:
    """Return the first line of a prefix that takes ``share`` of the budget."""
    above = document.lines[max(0, line - int(budget.prefix_lines * share)) : line]
    return line - len(_fitting(above[::-1], int(budget.prefix_chars * share)))


def _fitting(lines: list[str], chars: int) -> list[str]:
    """Return the leading lines that take at most ``chars`` together."""
    for count, line in enumerate(lines):
        chars -= len(line)
        if chars < 0:
            return lines[:count]
    return lines
