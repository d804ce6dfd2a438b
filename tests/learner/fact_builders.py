"""Facts as a server would record them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Session, Settlement
from models.engine import Candidate
from models.prompt import Chunk, Prompt

NOON = 1_790_000_000.0
"""When the tests' facts happen, in unix seconds."""


def session(session_id: str = "s1") -> Session:
    return Session(session_id, NOON, "test editor", "0.1", 1)


def offered(offer_id: str = "o1", **changes: Any) -> Offered:
    offer = Offered(
        offer_id=offer_id,
        session_id="s1",
        offered_at=NOON,
        uri="file:///project/a.py",
        project="/project",
        language="python",
        line=2,
        column=11,
        text="add(1, 2)",
        replaced=0,
        prompt=Prompt(
            "def add(a, b):\n    return a + b\nresult = ",
            "\nprint(result)\n",
            "a.py",
            "project",
            (Chunk("b.py", "x = 1\n"),),
        ),
        layout="psm-1",
        model="f" * 64,
        adapter=None,
        candidates=(Candidate("add(1, 2)", (-0.1, -0.25), "newline"),),
        declined=None,
        invoked=False,
        served=Served.MODEL,
        latency_ms=120.0,
    )
    return replace(offer, **changes)


def event(
    kind: EventKind, known_by: KnownBy = KnownBy.INFERRED, offer_id: str = "o1", length: int | None = None
) -> Event:
    return Event(offer_id, NOON + 1, kind, known_by, length)


def settlement(
    text: str = "add(1, 2)",
    horizon: Horizon = Horizon.S10,
    kept: int | None = None,
    distance: int = 0,
    offer_id: str = "o1",
) -> Settlement:
    return Settlement(offer_id, NOON + 10, horizon, text, len(text) if kept is None else kept, distance)
