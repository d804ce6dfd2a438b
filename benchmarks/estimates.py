"""Estimates with their uncertainty: quantiles, ratios and paired differences, resampled by file.

Keystrokes and cursors of one file resemble each other, so the unit that is resampled is the file (a cluster
bootstrap); intervals hold 95 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
    """Of two samples of one length."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A value with the interval that holds 95 % of its resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} (95 %: {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Spread:
    """A sample of one quantity, in its own unit."""

    count: int
    median: float
    p95: float
    p99: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in vars(self).items()}


def spread(values: Sequence[float]) -> Spread:
    """Describe ``values``, of which there must be at least one."""
    median, p95, p99 = np.percentile(np.asarray(values, dtype=float), (50, 95, 99))
    return Spread(len(values), float(median), float(p95), float(p99), float(min(values)), float(max(values)))


def ratio_of_medians(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(np.median(ours) / np.median(theirs))


def ratio_of_means(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(np.mean(ours) / np.mean(theirs))


def ratio_of_p95(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(np.percentile(ours, 95) / np.percentile(theirs, 95))


def median_of_ratios(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(np.median(ours / theirs))


def mean_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(np.mean(ours) - np.mean(theirs))


def paired(
    ours: Sequence[float],
    theirs: Sequence[float],
    clusters: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 0,
) -> Estimate:
    """Estimate ``statistic`` of two paired samples by resampling whole clusters with replacement.

    Args:
        ours: one value per cursor.
        theirs: the other side's value at the same cursors, in the same order.
        clusters: the file of each cursor.
        statistic: a function of two arrays of one length.
        seed: of the resampling.
    """
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    names = np.asarray(clusters)
    members = [np.flatnonzero(names == name) for name in sorted(set(clusters))]
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        drawn.append(statistic(a[rows], b[rows]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(statistic(a, b), float(low), float(high))


@dataclass(frozen=True)
class McNemar:
    """Pairs in which just one side was right, and how likely so uneven a split is by chance."""

    only_ours: int
    only_theirs: int
    p_value: float


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> McNemar:
    """Test whether two sides are right equally often (exact, two-sided: McNemar 1947 with binomial tails)."""
    gained = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    lost = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    discordant = gained + lost
    tail = sum(math.comb(discordant, k) for k in range(min(gained, lost) + 1)) / 2**discordant
    return McNemar(gained, lost, min(1.0, 2 * tail))


def edit_similarity(offered: str, target: str) -> float:
    """Return 1 minus the Levenshtein distance over the longer length; 1.0 for two empty texts."""
    if not offered and not target:
        return 1.0
    row = list(range(len(target) + 1))
    for i, a in enumerate(offered, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(target, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return 1 - row[-1] / max(len(offered), len(target))
