"""Examples from outcomes: what settled where an offer was, read from the ledger, newest first."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from learner.cursors import first_lines, until_stop
from learner.examples import Dropped, Example, Source
from learner.facts import Event, Horizon, Settlement
from learner.facts_read import read_course, read_offer
from learner.labels import Label, Look, Witness, clean_looks, target_weight, weight
from learner.place import place_in, stop_for
from learner.privacy import PrivacyFilter
from learner.secret_scan import PLACEHOLDER
from models.engine import Stop

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from learner.facts import Offered
    from learner.place import Place

PAGE = 2000
"""Rows read at once: a long read would hold up the log's return into the file."""
GOES_ON_S = 600.0
"""Seconds after an offer in which text appended to it shows that the line went on."""

_NOT_TAKEN = (Label.DIVERGED, Label.REJECTED, Label.IGNORED, Label.HIDDEN)
_WRONG = (Label.EDITED, Label.DIVERGED, Label.REJECTED)
"""Labels that say that something else was wanted than what was offered."""
_EARLY = (Horizon.S10, Horizon.DISTURBED)
"""Looks at which a line may still be in the making."""


@dataclass
class FromOutcomes:
    examples: list[Example] = field(default_factory=list[Example])
    """Newest first."""
    looked_at: int = 0
    dropped: Counter[Dropped] = field(default_factory=Counter[Dropped])
    projects: Counter[str] = field(default_factory=Counter[str])
    """How many of the outcomes looked at are of each project (a folder's path)."""


def outcome_examples(
    connection: sqlite3.Connection, most: int, since: float = 0.0, ignore: Sequence[str] = ()
) -> FromOutcomes:
    """Return at most ``most`` examples from the outcomes since a unix time, looking at no more than it takes.

    Raises:
        sqlite3.Error: as SQLite says; a single row that makes no sense is counted and left out.
    """
    found = FromOutcomes()
    files = _Files(ignore)
    for offer, label, project, uri in _outcomes(connection, since):
        if len(found.examples) >= most:
            break
        found.looked_at += 1
        found.projects[project] += 1
        if label in _NOTHING:
            found.dropped[_NOTHING[label]] += 1
        elif not files.allow(uri, project):
            found.dropped[Dropped.PRIVATE_FILE] += 1
        else:
            example = _read_example(connection, offer, label)
            if isinstance(example, Dropped):
                found.dropped[example] += 1
            else:
                found.examples.append(example)
    return found


_NOTHING = {str(Label.UNSEEN): Dropped.UNSEEN, str(Label.SUPERSEDED): Dropped.SUPERSEDED}


def path_of(uri: str) -> Path | None:
    """Return the file that ``uri`` names; None for an untitled buffer and other schemes."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


class _Files:
    """Which files may be learned from, by what is ignored now."""

    def __init__(self, ignore: Sequence[str]) -> None:
        self._ignore = ignore
        self._filters: dict[str, PrivacyFilter] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def allow(self, uri: str, project: str) -> bool:
        if (uri, project) not in self._known:
            self._known[uri, project] = self._look(uri, project)
        return self._known[uri, project]

    def _look(self, uri: str, project: str) -> bool:
        path = path_of(uri)
        if project not in self._filters:
            self._filters[project] = PrivacyFilter([Path(project)] if project else [], self._ignore)
        return path is None or self._filters[project].allows(path)


def _outcomes(connection: sqlite3.Connection, since: float) -> Iterator[tuple[int, str, str, str]]:
    """Yield row id, label, project and URI of each outcome, newest first."""
    before: tuple[float, int] = (float("inf"), 0)
    while True:
        # CROSS: the offers in the order of time come first, whatever the planner thinks of the others.
        rows = connection.execute(
            "SELECT offers.id, label, project, uri, offered_at FROM offers"
            " CROSS JOIN verdicts ON verdicts.offer = offers.id CROSS JOIN files ON files.id = offers.file"
            " WHERE (offered_at, offers.id) < (?, ?) AND offered_at >= ?"
            " ORDER BY offered_at DESC, offers.id DESC LIMIT ?",
            (*before, since, PAGE),
        ).fetchall()
        for offer, label, project, uri, _ in rows:
            yield offer, label, project, uri
        if len(rows) < PAGE:
            return
        before = (rows[-1][4], rows[-1][0])


def _read_example(connection: sqlite3.Connection, row: int, label: str) -> Example | Dropped:
    try:
        offer = read_offer(connection, row)
        if offer is None:
            return Dropped.UNREADABLE
        course = read_course(connection, row, offer.offer_id)
        outcome = _Outcome(offer, Label(label), _last_clean(course), _lines_later(connection, offer))
    except (ValueError, TypeError, KeyError, zlib.error):
        # A missing piece, a kind that no version knows, text that is none: this row alone is lost.
        return Dropped.UNREADABLE
    return outcome.example()


def _last_clean(course: Sequence[Event | Settlement]) -> Settlement | None:
    """Return the last look at the text before anything but the developer changed it."""
    events: list[Witness] = []
    looks: list[Look] = []
    settlements: list[Settlement] = []
    for fact in course:
        if isinstance(fact, Event):
            events.append(Witness(fact.kind, fact.known_by))
        else:
            looks.append(Look(fact.edit_distance, len(events)))
            settlements.append(fact)
    clean = len(clean_looks(events, looks))
    return settlements[clean - 1] if clean else None


def _lines_later(connection: sqlite3.Connection, offer: Offered) -> list[str]:
    """Return what stood left of the cursor where later offers were made on the offer's line."""
    rows = connection.execute(
        "SELECT line_before FROM offers INDEXED BY offers_by_time JOIN files ON files.id = file"
        " WHERE offered_at > ? AND offered_at < ? AND line = ? AND uri = ? AND session_id = ?",
        (offer.offered_at, offer.offered_at + GOES_ON_S, offer.line, offer.uri, offer.session_id),
    ).fetchall()
    return [later for (later,) in rows]


@dataclass(frozen=True)
class _Outcome:
    offer: Offered
    label: Label
    settled: Settlement | None
    lines_later: list[str]

    def example(self) -> Example | Dropped:
        offer, place = self.offer, place_in(self.offer.prompt, self.offer.language)
        stop, indent = _stop_at(place, offer)
        text = self._standing()
        if text is None:
            return Dropped.UNSETTLED
        stopped = until_stop(text, offer.prompt.suffix, stop, indent)
        target = _visible(first_lines(stopped), stopped, place)
        if PLACEHOLDER in target:
            return Dropped.SECRET
        rejected = self._rejected(target)
        counts = target_weight(self.label, self._kept_share())
        if len(target) < len(stopped.rstrip()):
            ends = False  # It is longer than a completion gets.
        else:
            ends = len(stopped) < len(text.rstrip()) or self._is_all(target, stop)
        if not target:
            if self.label is Label.DIVERGED and ends:
                rejected = ""  # The line was ended just here: nothing is what should have been offered.
            elif rejected:
                counts, ends = -weight(self.label, 0.0) or counts, False
            else:
                return Dropped.NOTHING_WRITTEN
        return Example(
            prompt=offer.prompt,
            target=target,
            weight=counts,
            source=Source.OUTCOME,
            file=offer.uri,
            at=offer.offered_at,
            ends=ends,
            stop=stop,
            indent=indent,
            offer_id=offer.offer_id,
            rejected=rejected,
            line=offer.line,
        )

    def _standing(self) -> str | None:
        """Return what stands at the offer's place; None where nobody looked and nothing tells."""
        if self.settled is not None:
            return self.settled.text
        return self.offer.text if self.label in (Label.ACCEPTED, Label.TYPED) else None

    def _kept_share(self) -> float:
        if self.settled is None or not self.offer.text:
            return 0.0
        return min(1.0, self.settled.kept_chars / len(self.offer.text))

    def _rejected(self, target: str) -> str:
        text = self.offer.text
        is_wrong = self.label in _WRONG and text != target and PLACEHOLDER not in text
        return text if is_wrong else ""

    def _is_all(self, target: str, stop: Stop) -> bool:
        """Return whether it is known that nothing of the completion comes after what settled."""
        offer = self.offer
        if self.label is Label.PARTIAL:
            return False
        if self.label in _NOT_TAKEN:
            # Of a block only as many lines are known as were offered.
            is_early = self.settled is None or self.settled.horizon in _EARLY
            return stop is Stop.LINE and not is_early
        if offer.candidates and offer.candidates[0].stopped_by == "length":
            return False
        if offer.prompt.suffix.partition("\n")[0].strip():
            return True  # What came later may stand behind that.
        line = (offer.prompt.prefix.rpartition("\n")[2] + target).rstrip()
        return not any(later.startswith(line) and later.rstrip() != line for later in self.lines_later)


def _stop_at(place: Place, offer: Offered) -> tuple[Stop, int]:
    """Return how the completion was asked for: by its place, unless lines were all that was wanted."""
    stop, indent = stop_for(place)
    by_line = any(candidate.stopped_by == "newline" for candidate in offer.candidates)
    return (Stop.LINE, 0) if by_line else (stop, indent)


def _visible(target: str, text: str, place: Place) -> str:
    """Return the target as it would be offered: blanks at its end part it from a word, or are none of it."""
    if not target.strip():
        return ""
    return target + " " if place.after.strip() and text.startswith(target + " ") else target
