"""The gate: hides what is unlikely, keeps what would be accepted, and cannot fall silent for good."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offers import HERE, chance, features, rows

from learner.gate.calibration import calibration
from learner.gate.features import features_of
from learner.gate.fitting import features_of_row
from learner.gate.gate import EXPLORED, Gate

if TYPE_CHECKING:
    from learner.gate.shipped import Prior


def test_likely_offers_are_shown_and_unlikely_ones_hidden(prior: Prior):
    gate = Gate(prior)
    likely, unlikely = gate.p_accept(features(-0.05)), gate.p_accept(features(-2.5))
    assert likely > 0.6 and unlikely < 0.1
    assert gate.decide(likely).shown
    assert sum(gate.shows(unlikely) for _ in range(400)) < 40


def test_a_threshold_of_zero_shows_everything(prior: Prior):
    gate = Gate(prior)
    assert all(gate.shows(gate.p_accept(features(-4.0)), 0.0) for _ in range(100))


def test_a_few_hidden_offers_are_shown_and_said_to_be(prior: Prior):
    gate = Gate(prior, seed=3)
    decisions = [gate.decide(0.01) for _ in range(2000)]
    explored = sum(each.explored for each in decisions)
    assert explored == sum(each.shown for each in decisions)
    assert explored / 2000 == pytest.approx(EXPLORED, abs=0.02)
    again = Gate(prior, seed=3)
    assert decisions == [again.decide(0.01) for _ in range(2000)]


def test_it_loses_few_accepts_of_a_developer_who_is_like_the_prior(prior: Prior):
    gate = Gate(prior, seed=1)
    shown = hidden = kept = lost = 0
    for row in rows(1500, seed=2):
        x = features_of_row(row)
        p = gate.p_accept(x)
        if gate.shows(p):
            shown, kept = shown + 1, kept + row.accepted
        else:
            hidden, lost = hidden + 1, lost + row.accepted
        gate.learn(x, row.accepted, p=p)
    assert lost <= 0.05 * (lost + kept)
    assert hidden >= 0.1 * (hidden + shown)
    found = gate.calibration()
    assert found and found.error < 0.06


def test_it_comes_back_from_silence_where_its_prior_is_wrong(prior: Prior):
    """This developer accepts what the prior thinks worthless; only what is explored or typed tells so."""
    gate = Gate(prior, seed=1)
    x = features(-2.5)
    first = gate.p_accept(x)
    for _ in range(300):
        p = gate.p_accept(x)
        if gate.shows(p):
            gate.learn(x, True, p=p)
    assert first < 0.1
    assert gate.p_accept(x) > 0.25 or gate.threshold() < gate.p_accept(x)
    assert all(gate.shows(gate.p_accept(x)) for _ in range(20))


def test_poisoned_outcomes_cost_no_more_than_the_bound_allows(prior: Prior):
    """500 rejections of likely offers: it may turn silent, but the accepts that follow open it again."""
    gate = Gate(prior, seed=1)
    x = features(-0.05)
    for _ in range(500):
        gate.learn(x, False)
    lost = 0
    for _ in range(300):
        p = gate.p_accept(x)
        lost += not gate.shows(p)
        gate.learn(x, True, p=p)
    assert gate.p_accept(x) > 0.25
    assert lost < 60


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(-6, 0), st.booleans()), max_size=60), st.integers(0, 2**32))
def test_whatever_the_outcomes_are_the_loss_is_bounded(
    prior: Prior, course: list[tuple[float, bool]], seed: int
):
    gate = Gate(prior, seed)
    for logprob, accepted in course:
        x = features(logprob)
        decision = gate.decide(gate.p_accept(x))
        assert decision.threshold <= 0.25
        assert decision.shown or decision.p < decision.threshold
        gate.learn(x, accepted)
    assert gate.threshold() == 0.0 or gate.lost()[1] <= 0.05


def test_offers_of_which_the_model_says_nothing_are_judged_by_the_rest(prior: Prior):
    assert np.isfinite(Gate(prior).p_accept(features_of(HERE, "add(1)", ())))


def test_calibration_tells_how_far_off_it_is():
    draw = random.Random(2)
    honest = [(p, draw.random() < p) for p in (draw.random() for _ in range(4000))]
    found = calibration(honest)
    assert found and found.error < 0.03 and len(found.bins) == 10
    assert found.brier == pytest.approx(1 / 6, abs=0.02)
    boasting = calibration([(0.95, accepted) for _, accepted in honest])
    assert boasting and boasting.error == pytest.approx(0.45, abs=0.03)
    assert calibration([]) is None
    assert calibration([(1.0 - 1e-9, True), (0.0, False)])


def test_the_made_up_developer_is_no_coin(prior: Prior):
    """The other tests would prove little if all offers were alike."""
    assert chance(-0.05) > 0.8 and chance(-2.5) < 0.01
    assert prior.origin["log_loss"] < 0.85 * prior.origin["log_loss_of_the_mean"]
