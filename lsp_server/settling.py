"""When an offer's place is looked at again."""

from __future__ import annotations

from learner.facts import Horizon

HORIZONS: tuple[tuple[Horizon, float], ...] = (
    (Horizon.S10, 10.0),
    (Horizon.S30, 30.0),
    (Horizon.MIN2, 120.0),
    (Horizon.MIN10, 600.0),
)
"""Seconds after the offer."""
