"""The belief: learns one outcome at a time, stays sound, and is no more sure than it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.gate.logistic import Belief, fit, mode, sigmoid

SMALL = 4


def believer() -> Belief:
    return Belief(np.zeros(SMALL), np.eye(SMALL))


@given(st.floats(-50, 50), st.floats(0, 500), st.booleans(), st.floats(0, 1))
def test_the_mode_solves_its_equation(score: float, variance: float, accepted: bool, weight: float):
    found = mode(score, variance, accepted, weight)
    assert found == pytest.approx(weight * (accepted - sigmoid(score + variance * found)), abs=1e-6)


@given(
    st.lists(
        st.tuples(st.lists(st.floats(-20, 20), min_size=SMALL, max_size=SMALL), st.booleans()), max_size=40
    )
)
def test_no_course_of_outcomes_breaks_the_belief(course: list[tuple[list[float], bool]]):
    belief = believer()
    for features, accepted in course:
        belief.learn(np.array(features), accepted)
        assert 0.0 < belief.probability(np.array(features)) < 1.0
    assert np.isfinite(belief.mean).all()
    assert np.linalg.eigvalsh(belief.covariance).min() > 0


@given(st.lists(st.floats(-5, 5), min_size=SMALL, max_size=SMALL), st.booleans())
def test_an_outcome_moves_its_own_score_towards_itself(features: list[float], accepted: bool):
    belief, x = believer(), np.array(features)
    before = float(x @ belief.mean)
    belief.learn(x, accepted)
    assert (float(x @ belief.mean) - before) * (1 if accepted else -1) >= 0


def test_contradicting_outcomes_leave_it_undecided():
    belief, x = believer(), np.array([1.0, 0.5, -0.5, 0.0])
    for number in range(2000):
        belief.learn(x, number % 2 == 0)
    assert belief.probability(x) == pytest.approx(0.5, abs=0.05)


def test_what_is_unknown_is_near_one_half():
    sure, unsure = (
        Belief(np.full(SMALL, -3.0), 1e-6 * np.eye(SMALL)),
        Belief(np.full(SMALL, -3.0), 50 * np.eye(SMALL)),
    )
    x = np.array([1.0, 0, 0, 0])
    assert sure.probability(x) == pytest.approx(sigmoid(-3.0), abs=1e-3)
    assert 0.2 < unsure.probability(x) < 0.5


def test_learning_one_by_one_finds_what_fitting_at_once_finds():
    draw = np.random.default_rng(1)
    features = np.column_stack([np.ones(1500), draw.normal(size=(1500, SMALL - 1))])
    truth = np.array([-0.5, 1.5, -1.0, 0.0])
    accepted = (draw.random(1500) < 1 / (1 + np.exp(-features @ truth))).astype(float)
    whole, one_by_one = fit(features, accepted, np.ones(SMALL)), believer()
    for x, y in zip(features, accepted, strict=True):
        one_by_one.learn(x, bool(y))
    assert whole.mean == pytest.approx(truth, abs=0.25)
    assert one_by_one.mean == pytest.approx(whole.mean, abs=0.1)


def test_habits_may_change_after_a_thousand_outcomes():
    belief, x = believer(), np.array([1.0, 0, 0, 0])
    for _ in range(1000):
        belief.learn(x, True)
    for _ in range(300):
        belief.learn(x, False)
    assert belief.probability(x) < 0.5
