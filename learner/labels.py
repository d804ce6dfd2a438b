"""What the facts mean: one definition of each label, as pure functions and as the SQL made from it.

An offer's label is the verdict of its best witness. Witnesses are its events; ``VERDICTS`` orders them: what
the client said explicitly beats what was inferred, that beats what was assumed after a time, and among equals
the kind decides. The settled text then refines an accept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from learner.facts import EventKind, KnownBy

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFINITION = 1
"""Raise this with every change to this module's meaning: ledgers then derive their labels anew."""


class Label(StrEnum):
    ACCEPTED = "accepted"
    PARTIAL = "partial"
    EDITED = "edited"
    """Accepted, then changed by hand."""
    TYPED = "typed"
    DIVERGED = "diverged"
    REJECTED = "rejected"
    """Rejected, or accepted and taken back with undo."""
    IGNORED = "ignored"
    UNSEEN = "unseen"
    SUPERSEDED = "superseded"
    HIDDEN = "hidden"
    """Kept back by the gate; what was typed instead is its settlement."""


HIDDEN = "hidden"
"""The ``declined`` value of offers that the gate kept back."""

KIND_ORDER = {
    EventKind.ACCEPTED: Label.ACCEPTED,
    EventKind.PARTIAL: Label.PARTIAL,
    EventKind.TYPED: Label.TYPED,
    EventKind.REJECTED: Label.REJECTED,
    EventKind.DIVERGED: Label.DIVERGED,
    EventKind.SUPERSEDED: Label.SUPERSEDED,
    EventKind.IGNORED: Label.IGNORED,
}
"""Kinds that say how an offer ended, the one to believe first, with the label each gives."""

_LAST = ((EventKind.SHOWN, Label.IGNORED), (EventKind.UNSEEN, Label.UNSEEN))
"""Believed only where nothing says how the offer ended; a client's word that it was shown beats a guess."""

VERDICTS: tuple[tuple[EventKind, KnownBy, Label], ...] = (
    *((kind, known_by, label) for known_by in KnownBy for kind, label in KIND_ORDER.items()),
    *((kind, known_by, label) for kind, label in _LAST for known_by in KnownBy),
)
"""All witnesses, the one to believe first."""

TAKING = (EventKind.ACCEPTED, EventKind.PARTIAL)
"""Kinds that put offered text into the document at once, and that an undo takes out again."""
TAKEN = (Label.ACCEPTED, Label.EDITED, Label.PARTIAL)
NOT_SHOWN = (Label.UNSEEN, Label.SUPERSEDED, Label.HIDDEN)

REPOSITORY_WEIGHT = 0.5
"""Of an example from the developer's files: text that stays, though nobody was offered anything there."""
PRACTICE_WEIGHT = 0.5
"""Of a task from there that was found to be half mastered."""
REPLAY_WEIGHT = 0.5
"""Of generic code against forgetting."""


@dataclass(frozen=True)
class Witness:
    """What a label needs of an event; events are given in the order in which they were recorded."""

    kind: EventKind
    known_by: KnownBy


@dataclass(frozen=True)
class Look:
    """What a label needs of a settlement: how far the text had moved from the offer, and after how many
    of the offer's events it was looked at."""

    edit_distance: int
    events_before: int


@dataclass(frozen=True)
class Verdict:
    label: Label
    known_by: KnownBy


def is_outcome(declined: str | None) -> bool:
    """Return whether a prediction has an outcome: it was offered, or the gate alone kept it back."""
    return declined is None or declined == HIDDEN


def verdict(declined: str | None, events: Sequence[Witness], looks: Sequence[Look]) -> Verdict:
    """Return what became of an offer; ``looks`` are its settlements in the order of recording.

    An offer of which nothing is known counts as unseen.
    """
    if declined == HIDDEN:
        return Verdict(Label.HIDDEN, KnownBy.EXPLICIT)
    ranks = [_RANK[e.kind, e.known_by] for e in events if (e.kind, e.known_by) in _RANK]
    if not ranks:
        return Verdict(Label.UNSEEN, KnownBy.TIMEOUT)
    kind, known_by, label = VERDICTS[min(ranks)]
    if kind in TAKING and (undo := _undo_in_force(events)):
        return Verdict(Label.REJECTED, undo.known_by)
    if kind is EventKind.ACCEPTED and _was_corrected(events, looks):
        return Verdict(Label.EDITED, known_by)
    return Verdict(label, known_by)


def weight(label: Label, kept_share: float) -> float:
    """Return how much an outcome teaches, from -1 (avoid this) to 1 (do this again).

    ``kept_share`` is the share of the taken characters that still stand in the settled text (0 to 1). Text
    that stayed counts in full, an accept that was rewritten for what is left of it; a hand-typed offer was
    right, and merely late. What was not seen, or was replaced by a newer offer, teaches nothing.
    """
    match label:
        case Label.ACCEPTED:
            return 0.5 + 0.5 * kept_share
        case Label.PARTIAL | Label.EDITED:
            return 0.75 * kept_share
        case Label.TYPED:
            return 0.75
        case Label.REJECTED:
            return -0.5
        case Label.DIVERGED:
            return -0.25
        case Label.IGNORED:
            return -0.1
        case Label.UNSEEN | Label.SUPERSEDED | Label.HIDDEN:
            return 0.0


def clean_looks(events: Sequence[Witness], looks: Sequence[Look]) -> Sequence[Look]:
    """Return the looks before a paste, formatter or reload went through: those correct nothing."""
    disturbed = next((n for n, e in enumerate(events) if e.kind is EventKind.DISTURBED), len(events))
    return [look for look in looks if look.events_before <= disturbed]


def target_weight(label: Label, kept_share: float) -> float:
    """Return how much the text that settled where an offer was teaches as what should be offered (0 to 1).

    ``kept_share`` as for :func:`weight`. A correction, and what was typed instead, are the developer's own
    words and say what was missing; what stands after a rejection or where an offer was ignored may have come
    much later. What was not seen, or was replaced by a newer offer, teaches nothing.
    """
    match label:
        case Label.EDITED:
            return 1.0
        case Label.ACCEPTED:
            return 0.5 + 0.5 * kept_share
        case Label.TYPED | Label.DIVERGED:
            return 0.75
        case Label.REJECTED | Label.PARTIAL | Label.HIDDEN:
            return 0.5
        case Label.IGNORED:
            return 0.25
        case Label.UNSEEN | Label.SUPERSEDED:
            return 0.0


_RANK = {(kind, known_by): rank for rank, (kind, known_by, _) in enumerate(VERDICTS)}


def _undo_in_force(events: Sequence[Witness]) -> Witness | None:
    """Return the undo that nothing took back: neither a redo nor a second accept."""
    last = next((e for e in reversed(events) if e.kind in _MOVES), None)
    return last if last and last.kind is EventKind.UNDONE else None


def _was_corrected(events: Sequence[Witness], looks: Sequence[Look]) -> bool:
    clean = clean_looks(events, looks)
    return bool(clean) and clean[-1].edit_distance > 0


_MOVES = (*TAKING, EventKind.UNDONE, EventKind.REDONE)


def _quoted(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_RANK_SQL = (
    "CASE kind || ' ' || known_by "
    + " ".join(f"WHEN '{kind} {known_by}' THEN {rank}" for rank, (kind, known_by, _) in enumerate(VERDICTS))
    + " END"
)
_LABEL_SQL = " ".join(f"WHEN {rank} THEN '{label}'" for rank, (_, _, label) in enumerate(VERDICTS))
_KNOWN_SQL = " ".join(f"WHEN {rank} THEN '{known_by}'" for rank, (_, known_by, _) in enumerate(VERDICTS))
_UNDO_SQL = " ".join(f"WHEN '{EventKind.UNDONE} {known_by}' THEN '{known_by}'" for known_by in KnownBy)


def _ranks_of(kinds: Sequence[EventKind]) -> str:
    return ", ".join(str(rank) for rank, (kind, _, _) in enumerate(VERDICTS) if kind in kinds)


def verdict_sql(only: str) -> str:
    """Return the same definition over the tables, as a query for offer, label and known_by.

    It is made of the same order of witnesses as :func:`verdict`; a test compares the two on generated facts.
    ``only`` is a condition on the table of offers.
    """
    # MATERIALIZED: else SQLite puts each subquery wherever its column is used, and runs it dozens of times.
    return f"""
WITH witnessed AS MATERIALIZED (SELECT id AS offer, declined,
  (SELECT min({_RANK_SQL}) FROM events WHERE offer = offers.id) AS best,
  (SELECT kind || ' ' || known_by FROM events WHERE offer = offers.id AND kind IN ({_quoted(_MOVES)})
    ORDER BY id DESC LIMIT 1) AS last_move,
  (SELECT edit_distance FROM settlements WHERE offer = offers.id
    AND after_event < ifnull((SELECT min(id) FROM events WHERE offer = offers.id
      AND kind = '{EventKind.DISTURBED}'), after_event + 1)
    ORDER BY id DESC LIMIT 1) AS clean_distance
  FROM offers WHERE {only}),
judged AS MATERIALIZED (SELECT *, CASE WHEN best IN ({_ranks_of(TAKING)}) THEN
  CASE last_move {_UNDO_SQL} END END AS undone_by FROM witnessed)
SELECT offer,
  CASE WHEN declined = '{HIDDEN}' THEN '{Label.HIDDEN}'
    WHEN best IS NULL THEN '{Label.UNSEEN}'
    WHEN undone_by IS NOT NULL THEN '{Label.REJECTED}'
    WHEN best IN ({_ranks_of([EventKind.ACCEPTED])}) AND clean_distance > 0 THEN '{Label.EDITED}'
    ELSE CASE best {_LABEL_SQL} END END AS label,
  CASE WHEN declined = '{HIDDEN}' THEN '{KnownBy.EXPLICIT}'
    WHEN best IS NULL THEN '{KnownBy.TIMEOUT}'
    ELSE ifnull(undone_by, CASE best {_KNOWN_SQL} END) END AS known_by
FROM judged
"""
