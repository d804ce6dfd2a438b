"""A figure and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959964
"""The standard normal's 97.5 % point."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; ``low`` and ``high`` are None where none was computed."""

    mean: float
    low: float | None = None
    high: float | None = None


def estimate_of(value: object) -> Estimate | None:
    """Return a figure as JSON has it, a number or ``{"mean", "low", "high"}``; None for anything else."""
    if isinstance(value, dict):
        mean, low, high = (_finite(value.get(name)) for name in ("mean", "low", "high"))
    else:
        mean, low, high = _finite(value), None, None
    return None if mean is None else Estimate(mean, low, high)


def share_of(part: int, whole: int) -> Estimate | None:
    """Return a share with Wilson's score interval (E. B. Wilson, 1927); None of nothing."""
    if whole <= 0:
        return None
    share = part / whole
    scale = 1 + _Z**2 / whole
    middle = share + _Z**2 / (2 * whole)
    half = _Z * math.sqrt(share * (1 - share) / whole + _Z**2 / (4 * whole**2))
    return Estimate(share, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
