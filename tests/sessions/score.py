"""The facts of a session against its truth: one row per offer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.facts import Event, Horizon, Settlement
from learner.labels import Look, Witness, verdict
from tests.sessions.editor import WALL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from learner.facts import Fact
    from tests.sessions.hands import Truth

AGES = {Horizon.S10: 10.0, Horizon.S30: 30.0, Horizon.MIN2: 120.0, Horizon.MIN10: 600.0}
LATE_S = 1.0
"""How late the server may look while there are edits."""
INSTANT_S = 0.001
MICROSECOND = 1e-6
"""Lost in Unix times."""


@dataclass(frozen=True)
class Row:
    truth: Truth
    label: str
    wrong_texts: tuple[str, ...]
    """Horizons at which the recorded text is not what stood there, with both texts."""
    looks: int

    @property
    def right(self) -> bool:
        return self.label == self.truth.label


def score(facts: Sequence[Fact], truths: Sequence[Truth]) -> list[Row]:
    """Return a row per true offer; ``facts`` in the order in which they were recorded."""
    return [_row([fact for fact in facts if _is_about(fact, truth)], truth) for truth in truths]


def score_ledger(path: Path, truths: Sequence[Truth]) -> list[Row]:
    """Return a row per true offer, with what the ledger's view ``outcomes`` and its settlements say.

    Raises:
        AssertionError: the ledger has other outcomes than those of ``truths``.
    """
    with closing(sqlite3.connect(path)) as ledger:
        outcomes = {
            offer_id: (label, text)
            for offer_id, label, text in ledger.execute("SELECT offer_id, label, settled_text FROM outcomes")
        }
        looks = ledger.execute(
            "SELECT offer_id, horizon, settled_at, settlements.text FROM settlements"
            " JOIN offers ON offers.id = offer ORDER BY settlements.id"
        ).fetchall()
    assert set(outcomes) == {truth.offer_id for truth in truths}
    rows = []
    for truth in truths:
        label, settled = outcomes[truth.offer_id]
        seen = [(Horizon(horizon), at, text) for of, horizon, at, text in looks if of == truth.offer_id]
        wrong = [_wrong(truth, *look) for look in seen]
        assert settled in [text for _, _, text in seen]
        rows.append(Row(truth, label, tuple(filter(None, wrong)), len(seen)))
    return rows


def _is_about(fact: Fact, truth: Truth) -> bool:
    return isinstance(fact, Event | Settlement) and fact.offer_id == truth.offer_id


def _row(facts: Sequence[Fact], truth: Truth) -> Row:
    events: list[Witness] = []
    looks: list[Look] = []
    wrong: list[str] = []
    for fact in facts:
        if isinstance(fact, Event):
            events.append(Witness(fact.kind, fact.known_by))
        elif isinstance(fact, Settlement):
            looks.append(Look(fact.edit_distance, len(events)))
            wrong.append(_wrong(truth, fact.horizon, fact.at, fact.text))
    declined = "hidden" if truth.scene == "hidden" else None
    label = str(verdict(declined, events, looks).label)
    return Row(truth, label, tuple(filter(None, wrong)), len(looks))


def _wrong(truth: Truth, horizon: Horizon, at: float, text: str) -> str:
    """Return both texts where the one that was looked at is not the true one, else nothing."""
    looked = at - WALL + MICROSECOND
    # At the very moment of an edit the server looks before it.
    true = truth.text_at(looked - INSTANT_S)
    if text != true and (horizon is Horizon.DISTURBED or text != truth.text_at(looked)):
        return f"{horizon}: {text!r} for {true!r}"
    return "" if text in _texts_at(truth, horizon) else f"{horizon}: {text!r}, looked at too late"


def _texts_at(truth: Truth, horizon: Horizon) -> list[str]:
    """Return what stood there during the second in which the server looks at the text for a horizon."""
    if horizon not in AGES:
        return [text for _, text in truth.texts]
    first = truth.offered_at + AGES[horizon]
    return [truth.text_at(first), *(text for at, text in truth.texts if first <= at <= first + LATE_S)]
