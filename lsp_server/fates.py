"""One offer's life: what happened to it, told from the edits at its place and from what the client says.

Times: ``now`` is monotonic, for intervals; an edit's ``at`` and :attr:`Moment.wall` are Unix time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from learner.distance import edit_distance, kept_chars
from learner.facts import Event, EventKind, Horizon, KnownBy, Settlement
from lsp_server.anchors import Position, Span, end_of
from lsp_server.edits import BURST, BY_HAND, PAIRS, Edit, Kind, is_key
from lsp_server.matching import ends_word
from lsp_server.stand import Stand

if TYPE_CHECKING:
    from collections.abc import Callable

    from learner.facts import Offered

log = logging.getLogger(__name__)

SEEN_S = 0.2
"""Gone sooner, an offer was not seen."""
READ_S = 0.7
"""Standing so long, an offer was read."""
IDLE_S = 30.0
"""Standing so long with nothing done, an offer counts as ignored."""
REPORT_S = 1.0
"""The time between an accept's insertion and the client's word of it, whichever comes first."""
TYPO_S = 3.0
"""The time in which a slip while typing an offer through may be mended."""
_POSITIVE = (EventKind.ACCEPTED, EventKind.TYPED)


class Moment(NamedTuple):
    now: float
    wall: float


class Verdict(NamedTuple):
    """What an offer's fate will be unless something better is known within a while."""

    kind: EventKind
    since: Moment
    wait: float
    length: int | None = None


class Followed:
    """An offer, the span where it stands or would stand, and its fate so far."""

    def __init__(
        self,
        offer: Offered,
        replaced: str,
        state: int,
        since: Moment,
        record: Callable[[Event | Settlement], None],
    ) -> None:
        place = (offer.line, offer.column)
        self.offer = offer
        self.text = offer.text.replace("\r\n", "\n")
        self._stand = Stand(self.text, place, replaced, state)
        self.offered_at = since.now
        self.since = since
        """Since when it stands."""
        self.displayed = offer.declined is None and offer.text != ""
        self.horizon = 0
        """Index of the next one."""
        self.log_index = 0
        """The first edit of the document's log that the span has not followed yet."""
        self._record = record
        self._verdict: Verdict | None = None
        self._partial: Verdict | None = None
        self._fate: EventKind | None = None
        self._shown: Moment | None = None
        """When the client said so, until that is recorded."""
        self._told_shown = False
        self._told_accepted: Moment | None = None
        self._told_partial: tuple[Moment, int] | None = None
        self._taken_state: int | None = None
        self._touched_state = state
        self._whole = False
        self._undone = False
        self._disturbed_by: set[str] = set()

    @property
    def span(self) -> Span:
        """Where it stands, or would stand."""
        return self._stand.span

    # -- what the document says ---------------------------------------------------------------------

    def advance(self, edit: Edit, before: Edit | None, now: float, *, reporting: bool) -> bool:
        """Follow one edit; return whether it went through the offer's text.

        ``before`` is the edit before it in the same notification; ``reporting`` clients tell of partial
        accepts themselves.
        """
        old = self.span
        if self._stand.is_passed_by(edit):
            self._stand.shift(edit)
            return False
        # Who deletes what was taken comes by the state before it too, but goes on from there.
        known = None if self.is_taken and edit.kind is Kind.DELETION else self._stand.known(edit)
        reported, edit = edit, self._stand.aligned(edit)
        self._stand.follow(edit, known, taken=self.is_taken)
        touched = self.span.text != old.text
        if touched and self._takes(edit, old, Moment(now, edit.at), reporting=reporting):
            reported.kind = reported.kind if reported.kind is Kind.TYPING else Kind.OFFER
        elif touched:
            if known is None and edit.kind not in BY_HAND and (edit.text or edit.kind is not Kind.UNDO):
                touched = self._disturb(edit, old)
            elif edit.kind in BY_HAND:
                self._judge_typing(edit, old, before, Moment(now, edit.at))
        elif known is None and not old.text and edit.removed and edit.kind not in BY_HAND:
            self._stand.carry(edit, old)
        if touched:
            self._touched_state = edit.state
            if edit.kind is Kind.UNDO:
                self._note_undo(edit)
        self._stand.remember(edit.was, old)
        self._stand.remember(edit.state, self.span)
        return touched

    def _takes(self, edit: Edit, old: Span, at: Moment, *, reporting: bool) -> bool:
        """Recognise an accept, in full or in part, or the last key of an offer typed by hand."""
        if not self._is_open():
            return False
        here = self._stand.matched(self.span)
        by_key = is_key(edit.text) and (len(edit.text) < 2 or edit.text in PAIRS or not edit.text.strip())
        stale = not by_key and len(edit.text) == len(self.text) and self.span.text.startswith(self.text)
        if (here.whole or stale) and self._told_accepted:
            self._accept(KnownBy.EXPLICIT, at, edit.state)
        elif stale or (here.whole and not by_key):
            self._suppose(Verdict(EventKind.ACCEPTED, at, REPORT_S), edit.state)
        elif here.whole and edit.kind in BY_HAND:
            self._suppose(Verdict(EventKind.TYPED, at, REPORT_S), edit.state)
        elif by_key or not here.fits or here.length <= self._stand.matched(old).length:
            return False
        elif self._told_partial:
            self._take_part(KnownBy.EXPLICIT, at, here.length, edit.state)
        elif reporting:
            pass  # its report comes at once, and what has none was a paste of the same text
        elif len(edit.text) <= BURST and not ends_word(self.text, here.length):
            return False
        else:
            self._flush_partial()
            self._partial = Verdict(EventKind.PARTIAL, at, REPORT_S, here.length)
            self._taken_state, self._undone = edit.state, False
        return True

    def _judge_typing(self, edit: Edit, old: Span, before: Edit | None, at: Moment) -> None:
        """See whether the developer goes along with the offer or writes something else."""
        if not self._is_open() or (self._verdict and self._verdict.kind in _POSITIVE):
            return
        self._stand.note_closers(edit, old, before)
        here = self._stand.matched(self.span)
        if here.fits:
            if self._verdict and self._verdict.kind is EventKind.DIVERGED:
                self._verdict, self.displayed = None, True
        elif self._verdict is None:
            seen = at.now - self.since.now >= SEEN_S
            kind = EventKind.DIVERGED if seen else EventKind.UNSEEN
            self._verdict = Verdict(kind, at, TYPO_S, here.length if seen else None)
            self._end_display(at)

    def _disturb(self, edit: Edit, old: Span) -> bool:
        """Keep a paste, formatter, reload or bulk edit out of the text; return whether it went through it."""
        if not self._stand.keep_out(edit, old, taken=self.is_taken):
            return False
        if edit.kind not in self._disturbed_by:
            self._disturbed_by.add(edit.kind)
            self._flush()
            self._settle(Horizon.DISTURBED, edit.at, old.text)
            self._tell(EventKind.DISTURBED, KnownBy.INFERRED, edit.at, detail=edit.kind)
        return True

    def _note_undo(self, edit: Edit) -> None:
        if self._taken_state is None:
            return
        back = edit.state < self._taken_state
        if back is not self._undone:
            self._flush()
            self._undone = back
            self._tell(EventKind.UNDONE if back else EventKind.REDONE, KnownBy.INFERRED, edit.at)

    @property
    def is_taken(self) -> bool:
        """Whether the whole offer was accepted or typed, and not undone."""
        return self._whole and not self._undone

    # -- what the client says -----------------------------------------------------------------------

    def told_accepted(self, at: Moment) -> None:
        """The client ran the item's command: an accept, if the text is there or comes at once."""
        if self._fate is EventKind.ACCEPTED and not self._undone:
            return
        pending = self._verdict.kind if self._verdict else None
        if self._fate not in _POSITIVE and (pending in _POSITIVE or self._stand.matched(self.span).whole):
            since = self._verdict.since if self._verdict and pending in _POSITIVE else at
            self._accept(KnownBy.EXPLICIT, since, self._touched_state)
        else:
            self._told_accepted = at

    def told_partial(self, length: int, at: Moment) -> None:
        """The client took a leading part; its insertion came before or comes at once."""
        here = self._stand.matched(self.span)
        if here.whole:
            self.told_accepted(at)
        elif here.fits and here.length:
            since = self._partial.since if self._partial else at
            self._take_part(KnownBy.EXPLICIT, since, here.length, self._touched_state)
        else:
            self._told_partial = at, length

    def told_rejected(self, at: Moment) -> None:
        if self._fate in _POSITIVE or (self._verdict and self._verdict.kind in _POSITIVE):
            return
        self._verdict = None
        self.displayed = False
        self._fate = EventKind.REJECTED
        self._tell(EventKind.REJECTED, KnownBy.EXPLICIT, at.wall)

    def told_shown(self, at: Moment) -> None:
        """The client displays the offer; recorded once it has stood long enough to be seen."""
        if not self._told_shown:
            self._shown, self._told_shown = at, True

    # -- display -------------------------------------------------------------------------------------

    def stands_at(self, place: Position) -> bool:
        """Whether the cursor at ``place`` is where the offer goes on."""
        reached = self._stand.matched(self.span).reached
        return place in (end_of(self.span.start, self.span.text[:reached]), self.span.end)

    def display(self, at: Moment) -> None:
        """The offer stands again, or still."""
        if self._verdict and self._verdict.kind in _POSITIVE:
            return
        if not self.displayed:
            self.since = Moment(at.now, self.since.wall) if self._fate is None else self.since
        self.displayed = True
        self._verdict = None

    def leave(self, at: Moment) -> None:
        """The offer went without a key typed against it: the cursor left, or the document was closed."""
        stood = at.now - self.since.now
        self._withdraw(EventKind.IGNORED if stood >= READ_S else EventKind.UNSEEN, at)

    def supersede(self, at: Moment) -> None:
        """A newer prediction took the offer's place."""
        seen = at.now - self.since.now >= SEEN_S
        self._withdraw(EventKind.SUPERSEDED if seen else EventKind.UNSEEN, at)

    def give_way(self, at: Moment) -> None:
        """Another candidate was taken in its place: what stands here now was not written against it."""
        if self._verdict and self._verdict.kind is EventKind.DIVERGED:
            self._verdict, self.displayed = None, True
        self.supersede(at)

    def come_late(self, at: Moment) -> None:
        """The answer came when the document had moved on; it was not displayed."""
        self._withdraw(EventKind.UNSEEN, at)

    def _withdraw(self, kind: EventKind, at: Moment) -> None:
        if self.displayed and self._verdict is None:
            self._verdict = Verdict(kind, at, REPORT_S)
        self._end_display(at)

    def _end_display(self, at: Moment) -> None:
        self.displayed = False
        if at.now - self.since.now < SEEN_S:
            self._shown = None  # the client drew it, and nobody can have seen it
        self._flush_shown(at)

    def _flush_shown(self, at: Moment) -> None:
        if self._shown and at.now - self._shown.now >= SEEN_S:
            self._tell(EventKind.SHOWN, KnownBy.EXPLICIT, self._shown.wall)
            self._shown = None

    # -- time ----------------------------------------------------------------------------------------

    def tick(self, at: Moment) -> None:
        """Record what has been supposed for long enough."""
        self._flush_shown(at)
        if self._partial and at.now - self._partial.since.now >= REPORT_S:
            self._flush_partial()
        if self._verdict and at.now - self._verdict.since.now >= self._verdict.wait:
            self._flush()
        if self.displayed and self._fate is None and at.now - self.since.now >= IDLE_S and not self._partial:
            self._fate = EventKind.IGNORED
            self._tell(EventKind.IGNORED, KnownBy.TIMEOUT, at.wall)
        if self._told_accepted and at.now - self._told_accepted.now >= REPORT_S:
            log.warning("accept of offer %s without its text in the document; ignored", self.offer.offer_id)
            self._told_accepted = None
        if self._told_partial and at.now - self._told_partial[0].now >= REPORT_S:
            self._told_partial = None

    def finish(self, at: Moment) -> None:
        """Decide at once: the document was closed or the server ends."""
        self.leave(at)
        self._flush()

    # -- verdicts ------------------------------------------------------------------------------------

    def _is_open(self) -> bool:
        if self.offer.declined is not None or not self.text or self._fate in _POSITIVE:
            return False
        waiting = self.displayed or self._verdict is not None or self._told_accepted is not None
        return waiting and not (self._verdict and self._verdict.kind is EventKind.ACCEPTED)

    def _suppose(self, verdict: Verdict, state: int) -> None:
        """Take the offer for accepted or typed, until the client says better or ``verdict.wait`` is over."""
        if verdict.kind is EventKind.TYPED:
            self._flush_partial()
        self._mark_whole(state)
        self._verdict = verdict

    def _mark_whole(self, state: int) -> None:
        self.displayed = False
        self._taken_state, self._undone, self._whole = state, False, True
        self._stand.make_whole()

    def _accept(self, known_by: KnownBy, at: Moment, state: int) -> None:
        self._mark_whole(state)
        self._verdict = self._told_accepted = self._partial = None
        self._fate = EventKind.ACCEPTED
        self._tell(EventKind.ACCEPTED, known_by, at.wall, length=len(self.text))

    def _take_part(self, known_by: KnownBy, at: Moment, length: int, state: int) -> None:
        self._partial = self._told_partial = None
        self._taken_state, self._undone = state, False
        self._fate = EventKind.PARTIAL
        self._tell(EventKind.PARTIAL, known_by, at.wall, length=length)

    def _flush_partial(self) -> None:
        if self._partial:
            at, length = self._partial.since, self._partial.length or 0
            self._take_part(KnownBy.INFERRED, at, length, self._taken_state or 0)

    def _flush(self) -> None:
        """Record what is supposed so far."""
        self._flush_partial()
        verdict, self._verdict = self._verdict, None
        if verdict is None:
            return
        if verdict.kind is EventKind.ACCEPTED:
            self._fate = verdict.kind
            self._tell(verdict.kind, KnownBy.INFERRED, verdict.since.wall, length=len(self.text))
        elif verdict.kind is EventKind.TYPED and self._fate is EventKind.PARTIAL:
            self._fate = EventKind.TYPED  # the rest of what was taken in part, which says more
        elif self._fate in (None, EventKind.PARTIAL):
            self._fate = self._fate or verdict.kind
            self._tell(verdict.kind, KnownBy.INFERRED, verdict.since.wall, length=verdict.length)

    def settle(self, horizon: Horizon, at: Moment) -> None:
        """Record the text as it stands."""
        self._settle(horizon, at.wall, self.span.text)

    def _settle(self, horizon: Horizon, at: float, settled: str) -> None:
        kept, distance = kept_chars(self.text, settled), edit_distance(self.text, settled)
        self._record(Settlement(self.offer.offer_id, at, horizon, settled, kept, distance))

    def _tell(
        self, kind: EventKind, known_by: KnownBy, at: float, *, length: int | None = None, detail: str = ""
    ) -> None:
        self._record(Event(self.offer.offer_id, at, kind, known_by, length, detail))
