"""What becomes of each offer: followed through the document's edits, told as facts.

The server calls in with what the editor sends; facts go to ``record``. Nothing here touches the disk. The few
newest offers of a document follow each edit at once; older ones catch up on the next :meth:`Outcomes.tick`.
How each fate is recognised is said in ``docs/outcomes.md``.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from learner.facts import Horizon
from lsp_server.edits import BY_HAND, Edit, Kind, Mirror, classify
from lsp_server.fates import Followed, Moment
from lsp_server.settling import HORIZONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from learner.facts import Fact, Offered
    from lsp_server.documents import Change, Document, Point

log = logging.getLogger(__name__)

HOT = 12
"""Offers of one document that follow each edit at once."""
MOST = 512
"""Offers of one document that are followed at all; the oldest settles early."""


class _Watched:
    """A document with offers in it."""

    def __init__(self, document: Document) -> None:
        self.mirror = Mirror(document)
        self.hot: list[Followed] = []
        self.cold: list[Followed] = []
        self.log: list[Edit] = []
        """Edits that the cold offers have not followed yet."""
        self.last: Edit | None = None

    def add(self, followed: Followed) -> None:
        self.hot.append(followed)
        if len(self.hot) > HOT:
            oldest = self.hot.pop(0)
            oldest.log_index = len(self.log)
            self.cold.append(oldest)

    def catch_up(self, now: float, *, reporting: bool) -> None:
        for followed in self.cold:
            for index in range(followed.log_index, len(self.log)):
                before = self.log[index - 1] if index else None
                followed.advance(self.log[index], before, now, reporting=reporting)
            followed.log_index = 0
        self.log.clear()

    @property
    def all(self) -> list[Followed]:
        return [*self.cold, *self.hot]


class Outcomes:
    """Follows offers; call every method from one thread.

    ``clock`` is monotonic seconds, for intervals; ``wall`` is Unix time, for stamps.
    """

    def __init__(
        self,
        record: Callable[[Fact], None],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._record = record
        self._clock = clock
        self._wall = wall
        self._latest = float("-inf")
        self._watched: dict[str, _Watched] = {}
        self._followed: dict[str, Followed] = {}
        self._displayed: Followed | None = None
        self._siblings: list[Followed] = []
        """Other candidates of the same answer, through which the developer may turn."""
        self._reporting = False
        """The client tells what it shows and what is taken in part, so nothing of that need be inferred."""

    # -- offers --------------------------------------------------------------------------------------

    def offered(self, offer: Offered, document: Document, *, late: bool = False) -> None:
        """Record a prediction and follow its place; ``late`` where the document has moved on since asked."""
        self._record(offer)
        at = self._now()
        if offer.line >= len(document.lines):
            return
        watched = self._watched.get(document.uri)
        if watched is None:
            watched = self._watched[document.uri] = _Watched(document)
        text = document.line_text(offer.line)
        replaced = text[offer.column : offer.column + offer.replaced]
        followed = Followed(offer, replaced, watched.mirror.state, at, self._record)
        if late:
            followed.come_late(at)
        elif self._displayed and self._displayed.offer.prompt is offer.prompt:
            self._siblings.append(followed)
        else:
            self._make_way((offer.line, offer.column), offer.uri, at)
            self._displayed = followed if followed.displayed else None
        self._followed[offer.offer_id] = followed
        watched.add(followed)

    def repeated(self, offer_id: str, remainder: str) -> None:
        """A later reply offered the ``remainder`` of an earlier prediction again."""
        followed = self._followed.get(offer_id)
        if followed is None or followed in self._siblings:
            return
        at = self._now()
        if self._displayed is not followed:
            self._make_way(followed.span.end, followed.offer.uri, at)
        if followed.offer.declined is None and remainder:
            followed.display(at)
            self._displayed = followed

    def _make_way(self, place: tuple[int, int], uri: str, at: Moment) -> None:
        """Take the offer on display away: superseded at the same place, otherwise left."""
        shown = self._displayed
        if shown is None:
            return
        self._take_away()
        if shown.offer.uri == uri and shown.stands_at(place):
            shown.supersede(at)
        else:
            shown.leave(at)

    # -- documents -----------------------------------------------------------------------------------

    def opened(self, document: Document) -> None:
        """Forget what was followed under the same URI, if the client opens it anew without closing."""
        self.closed(document)

    def changed(self, document: Document, changes: Sequence[Change]) -> None:
        """Follow the changes of one notification; ``document`` is as it is after them."""
        watched = self._watched.get(document.uri)
        if watched is None:
            return
        at = self._now()
        edits = [edit for change in changes if (edit := watched.mirror.apply(change, at.wall))]
        if not watched.mirror.matches(document):
            log.warning("lost track of %s; its offers are settled as they stand", document.uri)
            self.closed(document)
            return
        classify(edits, changes, len(document.lines), watched.last)
        watched.last = edits[-1] if edits else watched.last
        touched = False
        for followed in sorted(watched.hot, key=lambda followed: not followed.displayed):
            went_through = self._advance(followed, edits, at.now)
            touched = touched or (went_through and followed is self._displayed)
        if watched.cold:
            watched.log.extend(edits)
        self._see_sibling_taken(at)
        self._see_cursor_leave(document, edits, at, touched=touched)

    def _see_sibling_taken(self, at: Moment) -> None:
        taken = next((sibling for sibling in self._siblings if sibling.is_taken), None)
        if taken and self._displayed:
            self._siblings.remove(taken)
            for other in (self._displayed, *self._siblings):
                other.give_way(at)
            self._take_away()
            self._displayed = taken

    def _advance(self, followed: Followed, edits: Iterable[Edit], now: float) -> bool:
        before, touched = None, False
        for edit in edits:
            touched |= followed.advance(edit, before, now, reporting=self._reporting)
            before = edit
        return touched

    def _see_cursor_leave(
        self, document: Document, edits: Sequence[Edit], at: Moment, *, touched: bool
    ) -> None:
        shown = self._displayed
        if shown is None or not edits or touched:
            return
        by_hand = any(edit.kind in BY_HAND or edit.kind is Kind.UNDO for edit in edits)
        if by_hand or (shown.offer.uri == document.uri and shown.span.frozen):
            shown.leave(at)
            self._take_away()

    def _take_away(self) -> None:
        at = self._now()
        for sibling in self._siblings:
            sibling.supersede(at)
        self._siblings.clear()
        self._displayed = None

    def moved(self, document: Document, point: Point) -> None:
        """The cursor is at ``point``: a request said so."""
        shown = self._displayed
        if shown and not (shown.offer.uri == document.uri and shown.stands_at((point.line, point.column))):
            shown.leave(self._now())
            self._take_away()

    def closed(self, document: Document) -> None:
        """Settle all offers of a document as they stand."""
        watched = self._watched.pop(document.uri, None)
        if watched is None:
            return
        at = self._now()
        watched.catch_up(at.now, reporting=self._reporting)
        for followed in watched.all:
            self._end(followed, at)

    # -- the client's word ---------------------------------------------------------------------------

    def accepted(self, offer_id: str) -> None:
        """The client ran the accepted item's command."""
        if followed := self._known(offer_id, "accepted"):
            followed.told_accepted(self._now())

    def partially_accepted(self, offer_id: str, length: int) -> None:
        """The client took ``length`` code points of the offer."""
        self._reporting = True
        if followed := self._known(offer_id, "partially accepted"):
            followed.told_partial(length, self._now())

    def shown(self, offer_id: str) -> None:
        self._reporting = True
        if followed := self._known(offer_id, "shown"):
            followed.told_shown(self._now())

    def rejected(self, offer_ids: Iterable[str]) -> None:
        for offer_id in offer_ids:
            if followed := self._known(offer_id, "rejected"):
                followed.told_rejected(self._now())
                if followed is self._displayed:
                    self._take_away()

    def _known(self, offer_id: str, what: str) -> Followed | None:
        followed = self._followed.get(offer_id)
        if followed is None or followed.offer.declined is not None:
            log.warning("the client reports offer %.80r %s, which is unknown here; ignored", offer_id, what)
            return None
        return followed

    # -- time ----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Catch up with older offers, record what time has decided, and look at texts that are due."""
        at = self._now()
        for uri, watched in list(self._watched.items()):
            watched.catch_up(at.now, reporting=self._reporting)
            for followed in watched.all:
                followed.tick(at)
                self._look(followed, at)
            self._drop_settled(watched, at)
            if not watched.hot and not watched.cold:
                del self._watched[uri]

    def shutdown(self) -> None:
        """Settle everything as it stands."""
        at = self._now()
        for watched in self._watched.values():
            watched.catch_up(at.now, reporting=self._reporting)
            for followed in watched.all:
                self._end(followed, at)
        self._watched.clear()

    def _look(self, followed: Followed, at: Moment) -> None:
        age = at.now - followed.offered_at
        while followed.horizon < len(HORIZONS) and age >= HORIZONS[followed.horizon][1]:
            followed.settle(HORIZONS[followed.horizon][0], at)
            followed.horizon += 1

    def _drop_settled(self, watched: _Watched, at: Moment) -> None:
        for followed in watched.all[: max(0, len(watched.cold) + len(watched.hot) - MOST)]:
            self._end(followed, at)
            followed.horizon = len(HORIZONS)
        for group in (watched.hot, watched.cold):
            for followed in group:
                if followed.horizon == len(HORIZONS):
                    self._followed.pop(followed.offer.offer_id, None)
            group[:] = [followed for followed in group if followed.horizon < len(HORIZONS)]

    def _end(self, followed: Followed, at: Moment) -> None:
        followed.finish(at)
        followed.settle(Horizon.CLOSE, at)
        self._followed.pop(followed.offer.offer_id, None)
        if followed is self._displayed:
            self._take_away()

    def _now(self) -> Moment:
        self._latest = max(self._latest, self._clock())
        return Moment(self._latest, self._wall())
