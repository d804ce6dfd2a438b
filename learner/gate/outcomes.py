"""What the ledger knows of earlier offers, as the gate learns it: features and whether each was accepted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.facts import REPLAY_CLIENT, Horizon, Served
from learner.gate.features import History, Spot, features_of
from learner.gate.shadow import would_accept
from learner.labels import Label

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from learner.gate.gate import Gate

NEWEST = 2000
"""Outcomes that are learned from."""
LAST = frozenset({Horizon.MIN10, Horizon.CLOSE})
"""After these nothing more is looked at: what was not typed by then was not wanted."""
WEIGHTS = {
    Label.ACCEPTED: 1.0,
    Label.EDITED: 1.0,
    Label.PARTIAL: 1.0,
    Label.TYPED: 1.0,
    Label.REJECTED: 1.0,
    Label.DIVERGED: 1.0,
    Label.IGNORED: 0.5,
    Label.HIDDEN: 0.5,
}
"""How much each outcome teaches: an ignored offer may not have been looked at, and of a hidden one it is only
inferred. What was not seen, or replaced by a newer offer, teaches nothing."""
ACCEPTED = frozenset({Label.ACCEPTED, Label.EDITED, Label.PARTIAL, Label.TYPED})
"""Outcomes of offers that were right; typing one by hand says that it came late, not that it was wrong."""


@dataclass(frozen=True)
class Judged:
    """An offer of the ledger and what became of it; offers asked for by hand are no matter of the gate."""

    offer_id: str
    session_id: str
    at: float
    """Unix time of the offer."""
    spot: Spot
    text: str
    logprobs: tuple[float, ...]
    stopped_by: str
    support: int
    """On how many occasions memory knew the text."""
    label: Label
    accepted: bool | None
    """Or would have been, if it was hidden; None where nobody knows."""
    replayed: bool = False
    """It was offered in no editor: the session went through a history."""


def accepted_of(label: Label, text: str, looks: Iterable[tuple[str, str]]) -> bool | None:
    """Return whether an offer was accepted, or would have been; None where nobody knows.

    ``looks`` are the horizons and texts of a hidden offer's settlements, in order.
    """
    if label is Label.HIDDEN:
        verdicts = (would_accept(text, written, ends=horizon in LAST) for horizon, written in looks)
        return next((verdict for verdict in verdicts if verdict is not None), None)
    return label in ACCEPTED if label in WEIGHTS else None


def read_judged(connection: sqlite3.Connection, newest: int = NEWEST) -> list[Judged]:
    """Return the newest offers with an outcome, oldest first.

    What memory offered before it was judged is left out: what spoke for it was not recorded then.
    """
    rows = connection.execute(
        "SELECT offers.id, offer_id, offers.session_id, offered_at, language, line_before, line_after, text,"
        " support, label, client FROM verdicts JOIN offers ON offers.id = verdicts.offer"
        " LEFT JOIN sessions ON sessions.session_id = offers.session_id"
        " JOIN files ON files.id = offers.file"
        " WHERE NOT invoked AND text <> '' AND (served <> ? OR support > 0)"
        f" AND label IN ({', '.join('?' * len(WEIGHTS))})"
        " ORDER BY offered_at DESC, offers.id DESC LIMIT ?",
        (str(Served.MEMORY), *map(str, WEIGHTS), newest),
    ).fetchall()
    return [_judged(connection, *row) for row in reversed(rows)]


def _judged(
    connection: sqlite3.Connection, row: int, offer_id: str, session_id: str, at: float, language: str,
    before: str, after: str, text: str, support: int, label: str,
    client: str | None,
) -> Judged:  # fmt: skip
    candidates = connection.execute(
        "SELECT text, logprobs, stopped_by FROM candidates WHERE offer = ? ORDER BY number", (row,)
    ).fetchall()
    # The candidate that was offered; typing along an offer, or a menu's entry, leaves another text of it.
    chosen = next((each for each in candidates if each[0].startswith(text)), None)
    chosen = chosen or next(iter(candidates), None)
    logprobs, stopped_by = (_numbers(chosen[1]), chosen[2]) if chosen else ((), "")
    looks: list[tuple[str, str]] = []
    if label == Label.HIDDEN:
        looks = connection.execute(
            "SELECT horizon, text FROM settlements WHERE offer = ? ORDER BY id", (row,)
        ).fetchall()
    known = Label(label)
    return Judged(
        offer_id, session_id, at, Spot(language, before, after), text, logprobs, stopped_by,
        support, known, accepted_of(known, text, looks), client == REPLAY_CLIENT,
    )  # fmt: skip


def _numbers(stored: str) -> tuple[float, ...]:
    """Return a stored list of log-probabilities; none where it is damaged."""
    try:
        return tuple(float(each) for each in json.loads(stored))
    except (ValueError, TypeError):
        return ()


@dataclass(frozen=True)
class Told:
    """An outcome with what the gate said of it before it was known."""

    judged: Judged
    features: NDArray[np.float64]
    p: float


def train(gate: Gate, judged: Iterable[Judged]) -> Iterator[Told]:
    """Let the gate learn outcomes one after the other; yield what it said of each before.

    Each session has its own history, as while serving. An offer of which nobody knows the outcome is judged
    and teaches nothing.
    """
    histories: dict[str, History] = {}
    for each in judged:
        history = histories.setdefault(each.session_id, History())
        recent = history.recently(each.at)
        features = features_of(each.spot, each.text, each.logprobs, each.stopped_by, each.support, recent)
        told = Told(each, features, gate.p_accept(features))
        if each.accepted is not None and math.isfinite(each.at):
            gate.learn(features, each.accepted, WEIGHTS[each.label], p=told.p)
            history.note(each.accepted, each.at)
        yield told
