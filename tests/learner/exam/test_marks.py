"""What an answer is worth, and what the differences between two arms are worth."""

from __future__ import annotations

import numpy as np
import pytest

from learner.exam.bootstrap import LEAST_CLUSTERS, clusters, difference
from learner.exam.marks import judge, mark
from learner.examples import Example, Source
from models.engine import Candidate, Scored
from models.prompt import Prompt


def example(target: str, *, ends: bool = True) -> Example:
    return Example(Prompt("x = ", "\n"), target, 1.0, Source.OUTCOME, "a.py", 0.0, ends=ends)


@pytest.mark.parametrize(
    ("offered", "target", "saved"),
    [
        ("", "anything", 0),  # silence costs nothing
        ("total", "total", 4),  # five characters less the look
        ("load(path, x)", "load(path)", 6),  # noticed, and mended by deleting three
        ("totals", "total", -1),  # neither a line nor eight characters are right: only the look is lost
        ("wrong", "total", -1),
        # Much of it stands in the target somewhere; nobody takes what begins wrong.
        ("return a value of the mapping", 'raise KeyError(f"no value of {name} in the mapping")', -1),
    ],
)
def test_net_saved_characters_are_those_of_the_simulated_developer(
    offered: str, target: str, saved: int
) -> None:
    assert judge(Candidate(offered, (), "end"), example(target)).net_saved == saved


def test_white_space_at_the_end_is_no_mistake() -> None:
    answer = judge(Candidate("total  ", (), "end"), example("total\n"))
    assert (answer.exact, answer.length, answer.net_saved) == (True, 5, 4)


def test_an_answer_that_is_cut_off_at_the_limit_has_no_end() -> None:
    endless = judge(Candidate("total", (), "length"), example("total"))
    ended = judge(Candidate("total", (), "end"), example("total"))
    assert (endless.endless, ended.endless) == (True, False)


def test_what_goes_on_beyond_what_is_known_is_not_judged() -> None:
    answer = judge(Candidate("total + rest", (), "end"), example("total", ends=False))
    assert (answer.exact, answer.net_saved) == (True, 4)
    assert not judge(Candidate("total + rest", (), "end"), example("total")).exact


def test_a_target_whose_tokens_all_rank_first_is_matched_exactly() -> None:
    assert mark(Scored((-0.5, -0.25), (0, 0)), None).exact
    assert not mark(Scored((-0.5, -0.25), (0, 0)), judge(Candidate("x", (), "end"), example("total"))).exact
    missed = mark(Scored((-0.5, -0.25), (0, 1)), None)
    assert (missed.exact, missed.log_loss, missed.tokens) == (False, 0.75, 2)


def test_a_file_is_a_cluster_and_large_ones_are_cut_while_there_are_few() -> None:
    assert clusters([f"{number}.py" for number in range(20)]) == list(range(20))
    one = clusters(["a.py"] * 40)
    assert len(set(one)) == LEAST_CLUSTERS
    assert one == sorted(one, key=one.index)  # cut by time: each cluster is one stretch
    assert len(set(clusters(["a.py", "b.py", "a.py"]))) == 3


def test_the_interval_covers_what_is_true_as_often_as_it_says() -> None:
    # 200 intervals of 95 %: fewer than 174 would happen to a right bootstrap once in 10,000 runs (binomial,
    # with the few per cent of undercoverage that thirty clusters have).
    random = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        file = random.integers(0, 30, 120)
        shift = random.normal(0, 0.3, 30)[file]
        found = difference(
            0.5 + shift + random.normal(0, 1, 120), np.zeros(120), np.ones(120), list(file), seed
        )
        covered += found.low <= 0.5 <= found.high
    assert covered >= 174


def test_questions_of_one_file_do_not_count_as_independent_evidence() -> None:
    random = np.random.default_rng(5)
    by_file = np.repeat(random.normal(0, 1, 10), 20)
    alone = difference(by_file, np.zeros(200), np.ones(200), list(range(200)))
    together = difference(by_file, np.zeros(200), np.ones(200), np.repeat(np.arange(10), 20).tolist())
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_a_difference_is_per_unit_and_repeats_itself() -> None:
    found = difference([4.0, 8.0], [2.0, 4.0], [2, 4], [0, 1])
    assert found.mean == found.low == found.high == pytest.approx(1.0)
    draws = [difference([1, 2, 3, 9], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 2, 3]) for _ in range(2)]
    assert draws[0] == draws[1]
