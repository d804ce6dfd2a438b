"""Every example has its step in every epoch, in an order that only the seed decides; plans fit their time."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from learner.job import TrainingOptions
from learner.night.batches import WINDOW_STEPS, evenly, steps, windows
from learner.night.encoding import EncodedExample
from learner.night.pace import Pace, plan
from learner.night.stepper import learning_rate

HUNDRED = [
    EncodedExample((0,) * 90, (1,) * 10, (1,) * 10, None, 1.0, is_replay=index >= 80, is_shortened=False)
    for index in range(100)
]
OPTIONS = TrainingOptions(epochs=3, batch=8, replay=0.2, warm_up=0.1, learning_rate=1.0)
PACE = Pace(evaluated_tokens=100, evaluated_s=1.0, trained_rows=10, trained_s=0.5)
"""An example takes a second to evaluate, and half of one in each epoch."""


@pytest.mark.parametrize("examples", [1, 7, 8, 9, 64, 65, 200])
def test_every_example_has_its_step_in_every_epoch(examples: int):
    order = steps(examples, 8, 3, seed=1)

    per_epoch = len(order) // 3
    for epoch in range(3):
        seen = Counter(index for step in order[epoch * per_epoch :][:per_epoch] for index in step.examples)
        assert seen == Counter(range(examples))
    assert all(len(step.examples) <= 8 for step in order)


def test_a_windows_steps_follow_each_other():
    order = steps(200, 8, 1, seed=1)

    runs = [window for window, _ in groupby(order, key=lambda step: step.window)]
    assert sorted(runs) == sorted(windows(200, 8, seed=1))
    assert all(set(step.examples) <= set(step.window) for step in order)
    assert all(len(window) <= 8 * WINDOW_STEPS for window in runs)


def test_the_seed_alone_decides_the_order():
    assert steps(50, 8, 2, seed=1) == steps(50, 8, 2, seed=1)
    assert steps(50, 8, 2, seed=1) != steps(50, 8, 2, seed=2)
    first, second = steps(50, 8, 2, seed=1)[:7], steps(50, 8, 2, seed=1)[7:]
    assert first != second


def test_parts_differ_by_one_at_most():
    assert [len(part) for part in evenly(list(range(17)), 8)] == [5, 6, 6]
    assert evenly([], 8) == []


@pytest.mark.parametrize(
    ("seconds", "epochs", "examples"),
    [
        (1000.0, 3, 100),
        (278.0, 3, 100),  # 100 + 3 * 50 is within nine tenths of it
        (277.0, 2, 100),
        (170.0, 1, 100),
        (100.0, 1, 60),
        (0.0, 1, 1),
    ],
)
def test_a_plan_fits_its_time(seconds: float, epochs: int, examples: int):
    planned = plan(HUNDRED, OPTIONS, PACE, seconds, kept_share=1.0)

    assert (planned.epochs, len(planned.examples)) == (epochs, examples)


def test_what_is_not_kept_is_planned_for_again():
    assert plan(HUNDRED, OPTIONS, PACE, 300.0, kept_share=1.0).epochs == 3
    assert plan(HUNDRED, OPTIONS, PACE, 300.0, kept_share=0.5).epochs == 2


def test_what_is_left_out_is_worth_least_and_replay_keeps_its_share():
    planned = plan(HUNDRED, OPTIONS, PACE, 100.0, kept_share=1.0)

    assert planned.examples == [*range(48), *range(80, 92)]


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate(step, 100, OPTIONS) for step in range(100)]

    assert rates[0] == pytest.approx(0.1)
    assert rates[:11] == sorted(rates[:11])
    assert rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_a_single_step_has_the_whole_rate():
    assert learning_rate(0, 1, OPTIONS) == 1.0
