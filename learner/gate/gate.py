"""The gate: shows an offer or stays silent, learns from each outcome, and is held to what silence may cost.

Pure computation over features; who calls it knows documents, ledgers and clocks.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.gate.calibration import calibration
from learner.gate.guard import LossGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learner.gate.calibration import Calibration
    from learner.gate.shipped import Prior

THRESHOLD = 0.25
"""By default: the break-even of +0.75 for an accept and -0.25 for a reject."""
EXPLORED = 0.05
"""The share of would-be hidden offers that is shown all the same, so that silence can be found wrong."""
REMEMBERED = 1000
"""Outcomes that the calibration looks back on."""


@dataclass(frozen=True)
class Decision:
    """Whether an offer is shown, and why."""

    shown: bool
    p: float
    """P(accept), as the offer was judged."""
    threshold: float
    """What ``p`` was compared with: the wanted threshold, or less where its cost is not known to be small."""
    explored: bool = False
    """It is shown by chance although ``p`` is below the threshold."""


class Gate:
    """P(accept) of offers, from a prior and the outcomes so far; one thread uses it at a time."""

    def __init__(self, prior: Prior, seed: int | str = 0) -> None:
        """``seed`` draws which would-be hidden offers are shown."""
        self._belief = prior.belief()
        self._guard = LossGuard(prior.accepts)
        self._draw = random.Random(seed)
        self._told: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)

    def p_accept(self, features: NDArray[np.float64]) -> float:
        """Return the probability that the offer with these features (see :mod:`learner.gate.features`) is
        accepted, strictly between 0 and 1."""
        return self._belief.probability(features)

    def decide(self, p: float, threshold: float = THRESHOLD) -> Decision:
        """Return whether an offer with P(accept) ``p`` is shown at the wanted ``threshold`` (0: always)."""
        held_to = self.threshold(threshold)
        if p >= held_to:
            return Decision(True, p, held_to)
        explored = self._draw.random() < EXPLORED
        return Decision(explored, p, held_to, explored)

    def shows(self, p: float, threshold: float = THRESHOLD) -> bool:
        """Return :attr:`Decision.shown` of :meth:`decide`."""
        return self.decide(p, threshold).shown

    def threshold(self, wanted: float = THRESHOLD) -> float:
        """Return ``wanted``, or the highest lower threshold known to cost few enough would-be accepts."""
        return self._guard.threshold(wanted)

    def learn(
        self,
        features: NDArray[np.float64],
        accepted: bool,
        weight: float = 1.0,
        *,
        p: float | None = None,
    ) -> None:
        """Learn what became of an offer: accepted, or hidden and would have been; or neither.

        Args:
            features: as the offer was judged by.
            accepted: what became of it.
            weight: how much that counts (0 to 1).
            p: its P(accept) when it was judged; by default it is judged now.
        """
        p = self.p_accept(features) if p is None else p
        self._told.append((p, accepted))
        if accepted:
            self._guard.note_accept(p)
        self._belief.learn(features, accepted, weight)

    def lost(self, wanted: float = THRESHOLD) -> tuple[float, float]:
        """Return the share of would-be accepts that lie below the threshold in force, and its upper bound."""
        return self._guard.lost(self.threshold(wanted))

    @property
    def outcomes(self) -> int:
        """Own outcomes that the calibration looks back on."""
        return len(self._told)

    def calibration(self) -> Calibration | None:
        """Return how well P(accept) kept its word on the own outcomes; None before the first."""
        return calibration(self._told)
