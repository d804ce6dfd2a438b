"""How many drafted tokens to evaluate along with the next one: what they may gain against what they cost.

A batch of n rows costs less than n single tokens, but far more than one (on two cores without a GPU eight
rows take as long as four single tokens), and each row after the first tokens that were drafted wrongly is
lost. Both sides of that are measured: what a batch costs while nobody waits, and how often drafts come true
with every token generated.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SIZES = (1, 2, 4, 8, 16)
"""Rows of the batches that are timed; the last is the largest that is decoded with drafts."""
LONGEST_EVIDENCE = 16
"""Tokens; a copy that has been going on for longer is no surer to go on."""
_ROUNDS = 5
"""Times each batch is timed, in as many pauses."""
_MEMORY = 0.98
"""Weight of what is known at each new token: about the last fifty of one kind and evidence count."""
_TRUST = 20.0
"""Tokens that the prior counts for."""
_GAIN = 1.2
"""By how much drafts must be expected to raise the rate: chances and costs are estimates, and of sixteen
numbers the one that looks best is likely to look better than it is."""


class Kind(IntEnum):
    """Where a draft comes from."""

    PROMPT = 0
    """The same tokens stand earlier in the prompt."""
    RECALLED = 1
    """The request said what may follow."""


_PRIOR = (
    (0.00, 0.35, 0.45, 0.50, 0.55, 0.70, 0.78, 0.84, 0.88, 0.90, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98),
    (0.50, 0.75, 0.85, 0.90, 0.92, 0.92, 0.92, 0.92, 0.92, 0.92, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98),
)
"""The share of drafted tokens that come true, by kind and evidence: 1,627 tokens at 40 places of development
projects (as ``benchmarks/drafts.py`` draws them), smoothed. Two thirds of them repeat something; so short
copies stand here as they came true at the others, and what is recalled stands lower than it came true."""


class Odds:
    """How often a drafted token is the one that the model writes, by its kind and evidence.

    Evidence is how many tokens right before it are known to be copied: the longer the copy has been going
    on, the surer it goes on. Each generated token is a lesson, drafted or not: what would have been drafted
    is known. So nothing has to be tried to be learned, and a session that copies much drafts more.
    """

    def __init__(self) -> None:
        prior = np.array(_PRIOR)
        self._right, self._seen = _TRUST * prior, np.full_like(prior, _TRUST)

    def chances(self, kind: Kind, evidence: int, count: int) -> list[float]:
        """Return for ``count`` tokens in a row how likely each is right, if those before it are."""
        at = np.minimum(np.arange(evidence, evidence + count), LONGEST_EVIDENCE)
        return (self._right[kind, at] / self._seen[kind, at]).tolist()

    def note(self, kind: Kind, evidence: int, right: bool) -> None:
        """The token with this evidence was generated, or another one."""
        at = kind, min(evidence, LONGEST_EVIDENCE)
        self._right[at] = _MEMORY * self._right[at] + right
        self._seen[at] = _MEMORY * self._seen[at] + 1


class BatchCosts:
    """Seconds that batches take, by their rows; between those measured, on the straight line."""

    def __init__(self, measured: Mapping[int, float]) -> None:
        self.measured = measured
        self._rows, self._seconds = sorted(measured), [measured[rows] for rows in sorted(measured)]

    @property
    def most(self) -> int:
        """The rows of the largest batch whose cost is known."""
        return self._rows[-1]

    def up_to(self, rows: int) -> list[float]:
        """Return the costs of 1 to ``rows`` rows."""
        return np.interp(np.arange(1, rows + 1), self._rows, self._seconds).tolist()


class BatchTimer:
    """Measures what batches cost, one round a pause; before the first nothing is drafted.

    Other programs on the machine only ever add to what is measured, so a batch's cost is its shortest time.
    """

    def __init__(self, decode: Callable[[int], None], clock: Callable[[], float] = time.perf_counter) -> None:
        """``decode`` evaluates so many tokens at once."""
        self._decode, self._clock = decode, clock
        self._rounds: list[list[float]] = []
        self.costs: BatchCosts | None = None
        self.is_done = False

    def know(self, seconds: Mapping[int, float]) -> None:
        """Take what was measured before, by rows, instead of measuring."""
        self.costs, self.is_done = BatchCosts(seconds), True

    def step(self) -> None:
        """Time each batch once; what ``decode`` raises leaves everything as it was."""
        self._decode(1)  # The first pass touches memory; it is not timed.
        self._rounds.append([self._timed(rows) for rows in SIZES])
        shortest = [min(times) for times in zip(*self._rounds, strict=True)]
        self.costs = BatchCosts(dict(zip(SIZES, shortest, strict=True)))
        self.is_done = len(self._rounds) == _ROUNDS

    def _timed(self, rows: int) -> float:
        start = self._clock()
        self._decode(rows)
        return self._clock() - start


def worthwhile(chances: Sequence[float], costs: Sequence[float]) -> int:
    """Return how many drafted tokens to evaluate along with the one that is due; 0: none pays.

    Of n drafted tokens with chances p1 ... pn (each given that those before it are right), the first k are
    all right with P(k) = p1 p2 ... pk. The batch has n+1 rows, and yields the token after the last right one
    as well: on average 1 + P(1) + ... + P(n) tokens, at the cost of n+1 rows. Batches follow each other, so
    by the renewal-reward theorem the rate over time is the ratio of the two; the n with the highest is
    taken. n = 0 is a single token without any draft, and stays the choice where no other is clearly faster.

    Args:
        chances: of the drafted tokens, in order.
        costs: seconds of batches of 1, 2, ... rows; at least one more than there are chances.
    """
    together = np.cumprod([1.0, *chances])
    rates = np.cumsum(together) / np.asarray(costs[: len(together)])
    best = int(rates.argmax())
    return best if rates[best] >= _GAIN * rates[0] else 0
