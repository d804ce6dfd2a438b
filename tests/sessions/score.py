"""The facts of a session against its truth: one row per offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.facts import Event, Horizon, Settlement
from learner.labels import Look, Witness, verdict
from tests.sessions.editor import WALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.facts import Fact
    from tests.sessions.developer import Truth

AGES = {Horizon.S10: 10.0, Horizon.S30: 30.0, Horizon.MIN2: 120.0, Horizon.MIN10: 600.0}


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
            age = AGES.get(fact.horizon)
            # The server looks once a second, at the first tick past the horizon.
            moment = truth.offered_at + age + 1 if age else float("inf")
            moment = float(int(moment)) if age else moment
            if fact.horizon is Horizon.DISTURBED:
                moment = fact.at - WALL - 0.001
            if fact.text != truth.text_at(moment):
                wrong.append(f"{fact.horizon}: {fact.text!r} for {truth.text_at(moment)!r}")
    declined = "hidden" if truth.scene == "hidden" else None
    return Row(truth, str(verdict(declined, events, looks).label), tuple(wrong), len(looks))
