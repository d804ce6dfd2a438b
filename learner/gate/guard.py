"""How many would-be accepts hiding may cost, and the threshold up to which that is known to hold.

Of the offers that were accepted, or hidden and would have been, at most :data:`MOST_LOST` may lie below the
threshold. What is held to that is no estimate but its upper bound (Wilson, *Probable inference, the law of
succession, and statistical inference*, 1927; one-sided, 95 %): where too little is known, the threshold
sinks, to zero at last, and everything is shown.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LOST = 0.05
CONFIDENCE = 1.645
"""Standard deviations of the bound: 95 %, one-sided."""
REMEMBERED = 400
"""Of the developer's own accepts, the newest."""
FADES = 60.0
"""After so many own accepts, the prior's count half."""


class LossGuard:
    """Remembers the P(accept) that accepted offers had before it was known that they were."""

    def __init__(self, prior: Sequence[float] = ()) -> None:
        """``prior`` holds those of the shipped rows."""
        self._prior = sorted(prior)
        self._own: list[float] = []
        self._order: deque[float] = deque()

    @property
    def accepts(self) -> int:
        """Own would-be accepts that are remembered."""
        return len(self._own)

    def note_accept(self, p: float) -> None:
        """An offer with this P(accept) was accepted, or would have been."""
        insort(self._own, p)
        self._order.append(p)
        if len(self._order) > REMEMBERED:
            del self._own[bisect_left(self._own, self._order.popleft())]

    def lost(self, threshold: float) -> tuple[float, float]:
        """Return the share of would-be accepts below the threshold, and its upper bound."""
        worth = self._worth
        count = worth * len(self._prior) + len(self._own)
        below = worth * bisect_left(self._prior, threshold) + bisect_left(self._own, threshold)
        return (below / count if count else 0.0), upper_bound(below, count)

    def threshold(self, wanted: float) -> float:
        """Return the highest threshold up to ``wanted`` at which the bound holds; 0 hides nothing."""
        if self._holds(wanted):
            return wanted
        # The share lost changes only where an accept lies, and grows with the threshold.
        below = self._prior[: bisect_left(self._prior, wanted)] + self._own[: bisect_left(self._own, wanted)]
        steps = sorted(below)
        first = bisect_left(range(len(steps)), True, key=lambda number: not self._holds(steps[number]))
        return steps[first - 1] if first else 0.0

    def _holds(self, threshold: float) -> bool:
        """Both for all accepts and, for what the developer's own say by themselves, the plain share."""
        own = len(self._own)
        enough = own >= 1.0 / MOST_LOST
        if enough and bisect_left(self._own, threshold) > MOST_LOST * own:
            return False
        return self.lost(threshold)[1] <= MOST_LOST

    @property
    def _worth(self) -> float:
        """How much one of the prior's accepts counts."""
        return FADES / (FADES + len(self._own))


def upper_bound(part: float, whole: float) -> float:
    """Return Wilson's upper bound of a share; 1 where nothing is known."""
    if whole <= 0:
        return 1.0
    share, square = part / whole, CONFIDENCE**2
    spread = CONFIDENCE * math.sqrt(share * (1 - share) / whole + square / (4 * whole**2))
    return min(1.0, (share + square / (2 * whole) + spread) / (1 + square / whole))
