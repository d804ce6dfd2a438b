"""Where a document's prompts begin, chosen so that it stays the same while one types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.window import first_line

if TYPE_CHECKING:
    from learner.window import Budget
    from lsp_server.documents import Change, Document, Point


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

    def first_at(self, document: Document, point: Point) -> int:
        """Return the first line to show to a cursor at ``point``."""
        if self._first is None or not self._reaches(document, point.line):
            self._first = first_line(document.lines, point.line, self.budget, share=0.5)
        return self._first

    def _reaches(self, document: Document, line: int) -> bool:
        """Whether the prefix from the present first line is neither too long nor needlessly short."""
        if self._first is None or self._first > line:
            return False
        least = first_line(document.lines, line, self.budget, share=0.25)
        most = first_line(document.lines, line, self.budget, share=1)
        return most <= self._first <= least
