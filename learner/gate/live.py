"""Outcomes as they happen: facts on their way to the ledger, told to the gate."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.facts import Event, EventKind, Offered, Settlement
from learner.gate.features import History
from learner.gate.outcomes import LAST, WEIGHTS
from learner.gate.shadow import would_accept
from learner.labels import Label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learner.facts import Fact
    from learner.gate.gate import Gate

PENDING = 512
"""Offers whose outcome is waited for; of more, the oldest is given up."""
VERDICTS = {
    EventKind.ACCEPTED: (True, Label.ACCEPTED),
    EventKind.PARTIAL: (True, Label.PARTIAL),
    EventKind.TYPED: (True, Label.TYPED),
    EventKind.REDONE: (True, Label.ACCEPTED),
    EventKind.REJECTED: (False, Label.REJECTED),
    EventKind.UNDONE: (False, Label.REJECTED),
    EventKind.DIVERGED: (False, Label.DIVERGED),
    EventKind.IGNORED: (False, Label.IGNORED),
}
"""What an event says of the offer, and what that counts as."""


@dataclass
class _Pending:
    features: NDArray[np.float64]
    p: float
    hidden: bool
    text: str
    at: float
    accepted: bool | None = None
    """What was learned of it so far."""


class LiveOutcomes:
    """Follows the offers that the gate has judged until their outcome is known."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._history = History()
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self.hidden = 0
        """Offers kept back in this session."""
        self.would_be_accepts = 0
        """Of those, how many were typed by hand."""

    @property
    def history(self) -> History:
        return self._history

    def judged(
        self,
        offer_id: str,
        features: NDArray[np.float64],
        p: float,
        text: str,
        at: float,
        *,
        hidden: bool,
    ) -> None:
        """An offer was judged at Unix time ``at``, and shown or hidden."""
        self.hidden += hidden
        self._pending[offer_id] = _Pending(features, p, hidden, text, at)
        if len(self._pending) > PENDING:
            self._pending.popitem(last=False)

    def note(self, fact: Fact) -> None:
        """See whether a fact tells the outcome of an offer; learn it at once."""
        match fact:
            case Event(kind=kind) if kind in VERDICTS:
                accepted, label = VERDICTS[kind]
                self._learn(fact.offer_id, accepted, label)
            case Settlement(horizon=horizon):
                self._settled(fact, last=horizon in LAST)
            case Offered():
                # Where the editor's menu had something selected, it stands otherwise than it was judged.
                if pending := self._pending.get(fact.offer_id):
                    pending.text = fact.text
            case _:
                pass

    def _settled(self, fact: Settlement, *, last: bool) -> None:
        pending = self._pending.get(fact.offer_id)
        if pending is None:
            return
        if pending.hidden:
            verdict = would_accept(pending.text, fact.text, ends=last)
            if verdict is not None:
                self.would_be_accepts += verdict
                self._learn(fact.offer_id, verdict, Label.HIDDEN)
                last = True
        if last:
            self._pending.pop(fact.offer_id, None)

    def _learn(self, offer_id: str, accepted: bool, label: Label) -> None:
        pending = self._pending.get(offer_id)
        if pending is None or pending.accepted is accepted:
            return
        pending.accepted = accepted
        self._gate.learn(pending.features, accepted, WEIGHTS[label], p=pending.p)
        self._history.note(accepted, pending.at)
