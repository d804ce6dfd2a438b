"""Whatever comes in, the features are finite, bounded and of one size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.gate.features import NAMES, SIZE, History, Recently, Spot, features_of, has_likelihood
from learner.memory.place import place_of
from learner.place import place_at

LINES = st.text(max_size=60)
LOGPROBS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=12)


@given(LINES, LINES, st.text(max_size=200), LOGPROBS, st.floats(allow_nan=True), LINES)
def test_the_features_are_finite_whatever_comes_in(
    before: str, after: str, text: str, logprobs: list[float], support: float, stopped: str
):
    found = features_of(Spot("python", before, after), text, logprobs, stopped, support)
    assert found.shape == (SIZE,)
    assert np.isfinite(found).all()
    assert (np.abs(found) < 60).all()


def test_what_is_no_number_counts_as_not_said():
    spot = Spot("python", "x = ", "")
    assert (features_of(spot, "f()", (math.nan, -0.5)) == features_of(spot, "f()", (-0.5,))).all()
    assert (features_of(spot, "f()", (math.nan,)) == features_of(spot, "f()", ())).all()
    assert not has_likelihood((math.nan, math.nan))
    assert has_likelihood((math.nan, -math.inf))


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("begins within a word", ("x = va", "lue"), ("x = ", "value")),
        ("line opens a block", ("def f():", "\n    pass"), ("x = 1", " + 2")),
        ("after a dot", ("self.", "items"), ("self", ".items")),
        ("has no word", ("f(x", ")"), ("f(x", ", y)")),
        ("in a comment", ("# the ", "sum"), ("the = ", "sum")),
    ],
)
def test_a_feature_tells_two_places_apart(name: str, one: tuple[str, str], other: tuple[str, str]):
    index = NAMES.index(name)
    yes, no = (features_of(Spot("python", before, ""), text, (-0.1,))[index] for before, text in (one, other))
    assert (yes, no) == (1.0, 0.0)


def test_every_kind_of_place_will_do():
    lines = ["def f():\n", "    return va"]
    place = place_at(lines, 1, 13, "python")
    memory = place_of(lines, 1, 13, uri="file:///a.py", project="", language="python")
    spot = Spot("python", "    return va", "")
    expected = features_of(spot, "lue", (-0.2,))
    assert (features_of(place, "lue", (-0.2,)) == expected).all()
    assert (features_of(memory, "lue", (-0.2,)) == expected).all()


def test_a_history_tells_the_last_outcome_and_how_long_ago():
    history = History()
    assert history.recently(5.0) == Recently()
    history.note(True, 10.0)
    history.note(False, 20.0)
    found = history.recently(25.0)
    assert (found.previous, found.seconds) == (False, 5.0)
    assert found.share == pytest.approx(0.8)
    assert history.recently(1.0).seconds == 0.0, "a clock that was set back"
