"""Does P(accept) keep its word: of the offers at 0.3, are three in ten accepted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The offers whose P(accept) was from ``low`` to below ``high``."""

    low: float
    high: float
    count: int
    expected: float
    """Their mean P(accept)."""
    observed: float
    """The share of them that was accepted."""


@dataclass(frozen=True)
class Calibration:
    """How far P(accept) was from what happened, each P told before the outcome was known."""

    outcomes: int
    error: float
    """Expected calibration error: the mean distance of expected and observed, weighted by the bins' counts
    (Naeini, Cooper and Hauskrecht, 2015)."""
    brier: float
    """Mean squared distance of P and outcome."""
    bins: tuple[Bin, ...]
    """From low to high; none that is empty."""


def calibration(told: Iterable[tuple[float, bool]]) -> Calibration | None:
    """Return the calibration of pairs of P(accept) and outcome; None without any."""
    pairs = list(told)
    if not pairs:
        return None
    members: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for p, accepted in pairs:
        members[min(BINS - 1, int(p * BINS))].append((p, accepted))
    bins = tuple(_bin(number, found) for number, found in enumerate(members) if found)
    error = sum(each.count * abs(each.expected - each.observed) for each in bins) / len(pairs)
    brier = sum((p - accepted) ** 2 for p, accepted in pairs) / len(pairs)
    return Calibration(len(pairs), error, brier, bins)


def _bin(number: int, found: list[tuple[float, bool]]) -> Bin:
    count = len(found)
    return Bin(
        number / BINS,
        (number + 1) / BINS,
        count,
        sum(p for p, _ in found) / count,
        sum(accepted for _, accepted in found) / count,
    )
