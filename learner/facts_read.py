"""Rows to facts: what was recorded, exactly as it was recorded (redacted texts stay redacted)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from learner.contexts import read_prompt
from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Session, Settlement
from models.engine import Candidate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


def read_sessions(connection: sqlite3.Connection) -> Iterator[Session]:
    for row in connection.execute(
        "SELECT session_id, started_at, client, server_version, process FROM sessions"
    ):
        yield Session(*row)


def read_offer(connection: sqlite3.Connection, offer: int) -> Offered | None:
    """Return the offer with this row id, its prompt and candidates, or None where there is none."""
    row = connection.execute(
        "SELECT offer_id, session_id, offered_at, uri, project, language, line, column, text, replaced,"
        " layout, model, adapter, declined, invoked, served, latency_ms, support FROM offers"
        " JOIN files ON files.id = file JOIN engines ON engines.id = engine WHERE offers.id = ?",
        (offer,),
    ).fetchone()
    if row is None:
        return None
    *place, layout, model, adapter, declined, invoked, served, latency_ms, support = row
    candidates = connection.execute(
        "SELECT text, logprobs, stopped_by FROM candidates WHERE offer = ? ORDER BY number", (offer,)
    )
    return Offered(
        *place,
        prompt=read_prompt(connection, offer),
        layout=layout,
        model=model,
        adapter=adapter,
        candidates=tuple(Candidate(text, tuple(json.loads(p)), stopped) for text, p, stopped in candidates),
        declined=declined,
        invoked=bool(invoked),
        served=Served(served),
        latency_ms=latency_ms,
        support=support,
    )


def read_course(connection: sqlite3.Connection, offer: int, offer_id: str) -> list[Event | Settlement]:
    """Return what happened to the offer, in the order in which it was recorded."""
    events = [
        (row, Event(offer_id, at, EventKind(kind), KnownBy(known_by), length, detail))
        for row, at, kind, known_by, length, detail in connection.execute(
            "SELECT id, at, kind, known_by, length, detail FROM events WHERE offer = ? ORDER BY id", (offer,)
        )
    ]
    settlements = [
        (after, Settlement(offer_id, at, Horizon(horizon), text, kept, distance))
        for after, at, horizon, text, kept, distance in connection.execute(
            "SELECT after_event, settled_at, horizon, text, kept_chars, edit_distance FROM settlements"
            " WHERE offer = ? ORDER BY id",
            (offer,),
        )
    ]
    # The sort is stable: an event comes before the settlements that were taken after it.
    return [fact for _, fact in sorted([*events, *settlements], key=lambda item: item[0])]
