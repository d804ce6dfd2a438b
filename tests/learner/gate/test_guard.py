"""Hiding may cost one would-be accept in twenty, and that has to be known, not hoped."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.gate.guard import MOST_LOST, REMEMBERED, LossGuard, upper_bound

SHARES = st.floats(0.001, 0.999)


@given(st.lists(SHARES, max_size=80), st.lists(SHARES, max_size=120), st.floats(0, 1))
def test_the_bound_holds_at_the_threshold_that_is_allowed(
    prior: list[float], own: list[float], wanted: float
):
    guard = LossGuard(prior)
    for p in own:
        guard.note_accept(p)
    allowed = guard.threshold(wanted)
    assert 0.0 <= allowed <= wanted
    if allowed:
        assert guard.lost(allowed)[1] <= MOST_LOST
        if len(own) >= 20:
            assert sum(p < allowed for p in own) <= MOST_LOST * len(own)


@given(st.lists(SHARES, min_size=60, max_size=120, unique=True), st.floats(0.05, 1))
def test_no_higher_threshold_would_have_been_allowed(own: list[float], wanted: float):
    guard = LossGuard()
    for p in own:
        guard.note_accept(p)
    allowed = guard.threshold(wanted)
    for higher in own:
        if allowed < higher <= wanted:
            lost = sum(p < higher for p in own)
            assert guard.lost(higher)[1] > MOST_LOST or lost > MOST_LOST * len(own)


def test_where_nothing_is_known_nothing_is_hidden():
    guard = LossGuard()
    assert guard.threshold(0.25) == 0.0
    for _ in range(30):
        guard.note_accept(0.9)
    assert guard.threshold(0.25) == 0.0, "30 accepts above cannot show that fewer than one in 20 is below"
    for _ in range(40):
        guard.note_accept(0.9)
    assert guard.threshold(0.25) == 0.25


def test_own_accepts_below_the_threshold_lower_it():
    guard = LossGuard([0.9] * 200)
    assert guard.threshold(0.25) == 0.25
    for _ in range(12):
        guard.note_accept(0.2)
    assert guard.threshold(0.25) <= 0.2
    assert guard.threshold(0.1) == 0.1


def test_an_old_habit_is_forgotten():
    guard = LossGuard([0.9] * 200)
    for p in [0.1] * 40 + [0.8] * REMEMBERED:
        guard.note_accept(p)
    assert guard.accepts == REMEMBERED
    assert guard.threshold(0.25) == 0.25


def test_the_upper_bound_is_rarely_too_low():
    """Of 400 samples of a share of 6 %, one in twenty may have a bound below it (false alarm: 1 in 10^4)."""
    draw = random.Random(1)
    misses = sum(upper_bound(sum(draw.random() < 0.06 for _ in range(150)), 150) < 0.06 for _ in range(400))
    assert misses <= 40
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(0, 150) == pytest.approx(0.0177, abs=1e-3)
