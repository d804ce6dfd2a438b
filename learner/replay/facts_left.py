"""The facts that a server would have recorded of an offer and of what the simulated developer did with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.developer import Taken
from learner.distance import edit_distance, kept_chars, shared
from learner.facts import Event, EventKind, Horizon, KnownBy, Settlement

if TYPE_CHECKING:
    from learner.developer import Response

SETTLED_S = 600.0
"""After so long the text is looked at: what was typed is what the step left there."""


def facts_of(
    offer_id: str, offered: str, response: Response, target: str, at: float
) -> list[Event | Settlement]:
    """Return what a server would have recorded of the response, the text's settling included."""
    kind = {
        Taken.WHOLE: EventKind.ACCEPTED,
        Taken.EDITED: EventKind.ACCEPTED,
        Taken.PART: EventKind.PARTIAL,
    }.get(response.taken)
    facts: list[Event | Settlement] = []
    if kind is not None:
        facts.append(Event(offer_id, at, kind, KnownBy.EXPLICIT, response.length))
    elif response.taken is Taken.IGNORED:
        same = shared(offered, target)
        whole = same == len(offered)
        event = EventKind.TYPED if whole else EventKind.DIVERGED
        facts.append(Event(offer_id, at, event, KnownBy.INFERRED, same))
    kept, distance = kept_chars(offered, target), edit_distance(offered, target)
    facts.append(Settlement(offer_id, at + SETTLED_S, Horizon.MIN10, target, kept, distance))
    return facts
