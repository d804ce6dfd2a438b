"""Is an offer shown? The learner's gate, loaded beside the first keystrokes and told every outcome."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.facts import Fact, Offered
    from learner.gate.serving import ServingGate
    from learner.place import Place

logger = logging.getLogger(__name__)


class Gatekeeper:
    """Until the gate has learned from the ledger, and if it cannot, everything is shown."""

    def __init__(self, ledger: Path, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._gate: ServingGate | None = None

    async def load(self) -> None:
        """Read the prior and the ledger, off the event loop."""
        try:
            self._gate = await asyncio.to_thread(_open, self._ledger)
        except ValueError as error:
            logger.warning("every offer is shown: %s", error)

    def hides(self, offer: Offered, place: Place, threshold: float) -> bool:
        """Return whether the offer is better kept back at ``place``.

        ``threshold`` is the setting.
        """
        if self._gate is None:
            return False
        return self._gate.hides(
            offer.offer_id, place, offer.text, offer.candidates, self._now(), threshold, offer.support
        )

    def note(self, fact: Fact) -> None:
        """A fact is recorded."""
        if self._gate is not None:
            self._gate.note(fact)

    def status(self, threshold: float) -> dict[str, Any] | None:
        """Return what the gate did in this session; None until it is loaded."""
        return None if self._gate is None else self._gate.status(threshold)


def _open(ledger: Path) -> ServingGate:
    # Imported here, in a thread: nobody waits for numpy before the first ghost text.
    from learner.gate.serving import ServingGate

    return ServingGate.open(ledger)
