"""The ledger as JSON, one object per offer: the facts, and the label derived from them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from learner.facts import Settlement
from learner.facts_read import read_course, read_offer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


def export(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yield every offer, oldest first, as :class:`learner.facts.Offered` names its fields, with ``label``,
    ``known_by`` (both null where the offer was kept back by anything but the gate), ``events`` and
    ``settlements``."""
    # All row ids first: a long read would hold up the log's return into the file.
    for (row,) in connection.execute("SELECT id FROM offers ORDER BY offered_at, id").fetchall():
        exported = export_offer(connection, row)
        if exported is not None:
            yield exported


def export_offer(connection: sqlite3.Connection, row: int) -> dict[str, Any] | None:
    """Return the offer with this row id, or None where it is gone."""
    offer = read_offer(connection, row)
    if offer is None:
        return None
    course = read_course(connection, row, offer.offer_id)
    judged = connection.execute("SELECT label, known_by FROM verdicts WHERE offer = ?", (row,)).fetchone()
    label, known_by = judged or (None, None)
    return {
        **dataclasses.asdict(offer),
        "label": label,
        "known_by": known_by,
        "events": [_fact(fact) for fact in course if not isinstance(fact, Settlement)],
        "settlements": [_fact(fact) for fact in course if isinstance(fact, Settlement)],
    }


def _fact(fact: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(fact)
    del fields["offer_id"]
    return fields
