"""Where an offer's text stands in its document, and how much of the offer it is, edit by edit."""

from __future__ import annotations

from lsp_server.anchors import Growth, Position, Span, end_of, follow
from lsp_server.disturbance import carried_through
from lsp_server.edits import PAIRS, Edit, Kind
from lsp_server.matching import Match, blank_apart, match

SNAPSHOTS = 128
"""States of the document next to which a span was touched, and to which an undo may return."""
_CLOSERS = ")]}>\"'`"
_NO_GROWTH = Growth(at_start=False, at_end=False, newlines=0)


class Stand:
    """The span of one offer."""

    def __init__(self, text: str, place: Position, replaced: str, state: int) -> None:
        """``replaced`` is what the offer was to replace at ``place``, in the document's ``state``."""
        self.span = Span(place, end_of(place, replaced), replaced)
        self._text = text
        self._newlines = text.count("\n")
        self._replaced = replaced
        self._tail = replaced
        """What stands behind the offer's text without being part of it."""
        self._spans = {state: self.span}

    def matched(self, span: Span) -> Match:
        """Return how much of the offer ``span`` holds."""
        return match(self._text, span.text, self._tail)

    def is_passed_by(self, edit: Edit) -> bool:
        """Whether the edit is elsewhere; an ambiguous one might be here."""
        if edit.start <= self.span.end and edit.end >= self.span.start:
            return False
        return not (edit.slides and (self.span.start in edit.slides or self.span.end in edit.slides))

    def shift(self, edit: Edit) -> None:
        """Follow an edit that is elsewhere."""
        self.span = follow(self.span, edit, _NO_GROWTH)

    def aligned(self, edit: Edit) -> Edit:
        """Return an ambiguous insertion or deletion as if it were made at the offer's place."""
        start, end = self.span.start, self.span.end
        if not edit.slides or edit.instead or start <= edit.start <= end:
            return edit
        if start in edit.slides:
            return edit.slid_to(start)
        return edit.slid_to(end) if end in edit.slides else edit

    def follow(self, edit: Edit, known: Span | None, *, taken: bool) -> None:
        """Follow an edit made here; ``known`` is the span of a state that it returns to."""
        self.span = known or follow(self.span, edit, self._growth(taken=taken, by_hand=True))

    def known(self, edit: Edit) -> Span | None:
        """Return the span as it stood when the document was as the edit leaves it, if it was ever so."""
        return self._spans.get(edit.state) if edit.seen else None

    def remember(self, state: int, span: Span) -> None:
        """Keep the span of a state next to which it was touched, for when an undo returns there."""
        self._spans[state] = span
        if len(self._spans) > SNAPSHOTS:
            del self._spans[next(iter(self._spans))]

    def note_closers(self, edit: Edit, old: Span, before: Edit | None) -> None:
        """Remember brackets and quotes that the editor closed by itself."""
        follows_opener = before is not None and before.text + edit.text in PAIRS
        if edit.text in PAIRS and not self._text.startswith(edit.text, self.matched(old).length):
            self._tail = edit.text[len(edit.text) // 2 :] + self._tail
        elif follows_opener and edit.text in _CLOSERS:
            self._tail = edit.text + self._tail

    def make_whole(self) -> None:
        """The offer's text stands here in full, whatever was cut from the span before."""
        self.span = self.span._replace(cut=False, beheaded=False)

    def carry(self, edit: Edit, old: Span) -> None:
        """Find the empty place again behind an edit that replaced what is around it."""
        self.span = carried_through(old, edit.replacement) or self.span

    def keep_out(self, edit: Edit, old: Span, *, taken: bool) -> bool:
        """Keep a paste, formatter, reload or bulk edit out of the text; return whether it went through it."""
        touching = edit.start == edit.end == old.end
        if touching and (old.text or edit.kind is not Kind.UNDO):
            growth = self._growth(taken=taken, by_hand=False)._replace(at_end=False)
            self.span = follow(old, edit, growth)
            if self.span.text != old.text:
                self.span = old._replace(start=edit.new_end, end=edit.new_end)
            if old.text:
                return False
        elif old.start <= edit.start and edit.end <= old.end and blank_apart(edit.removed, edit.text):
            pass
        else:
            growth = self._growth(taken=taken, by_hand=False)
            self.span = carried_through(old, edit.replacement) or follow(
                old._replace(frozen=True), edit, growth
            )
        return self.span.text != old.text or (self.span.frozen and old.text != "")

    def _growth(self, *, taken: bool, by_hand: bool) -> Growth:
        begun = self.span.text != self._replaced
        if taken:
            return Growth(self.span.beheaded, self.span.cut and by_hand, self._newlines)
        return Growth(
            not begun or self.span.beheaded, (begun or not self._replaced) and by_hand, self._newlines
        )
