"""A candidate serves only if it passes every part; each part alone can refuse it, and says by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from learner.canaries import Leak
from learner.exam.marks import Answer, Mark
from learner.exam.results import PaperResult, as_report, paper_result
from learner.exam.sitting import Arm
from learner.exam.verdict import Limits, reasons_against
from learner.examples import Example, Source
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTIONS = 60
CLUSTERS = [number // 6 for number in range(QUESTIONS)]
KEPT_SECRET = Leak(written=False, bits=119.0, bits_left=110.0, bits_before=125.0)


@dataclass(frozen=True)
class Pupil:
    """The same marks for each question, but for a little noise."""

    log_loss: float = 8.0
    exact: int = 30
    """Of all questions."""
    length: int = 10
    silent: int = 0
    endless: int = 0
    net_saved: int = 5

    def marks(self, seed: int) -> list[Mark]:
        noise = np.random.default_rng(seed).normal(0, 0.2, QUESTIONS)
        return [
            Mark(
                self.log_loss + float(noise[number]),
                8,
                number < self.exact,
                Answer(
                    0 if number < self.silent else self.length,
                    number < self.exact,
                    self.net_saved,
                    number < self.endless,
                ),
            )
            for number in range(QUESTIONS)
        ]


def paper(pupils: Mapping[Arm, Pupil]) -> PaperResult:
    return PaperResult(
        {arm: pupil.marks(seed) for seed, (arm, pupil) in enumerate(pupils.items())}, CLUSTERS, 10
    )


BETTER = {
    Arm.CANDIDATE: Pupil(log_loss=7.5, net_saved=6),
    Arm.SERVING: Pupil(),
    Arm.PRIMER: Pupil(log_loss=8.2, net_saved=4),
    Arm.BASE: Pupil(log_loss=9.0, net_saved=3),
}
SAME = {arm: Pupil() for arm in Arm}
USELESS = {arm: replace(pupil, net_saved=-1) for arm, pupil in BETTER.items()}
"""Surer of what nobody wants."""


def verdict(
    outcomes: Mapping[Arm, Pupil] = BETTER,
    generic: Mapping[Arm, Pupil] = SAME,
    leaks: tuple[Leak, ...] = (KEPT_SECRET,),
) -> list[str]:
    return reasons_against(paper(outcomes), paper(generic), leaks, Limits())


def with_candidate(pupils: Mapping[Arm, Pupil], **changes: float) -> dict[Arm, Pupil]:
    return {**pupils, Arm.CANDIDATE: replace(pupils[Arm.CANDIDATE], **changes)}


def test_who_is_better_and_forgets_nothing_serves() -> None:
    assert verdict() == []


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (with_candidate(BETTER, log_loss=8.0), ["not better than the serving adapter beyond noise", "+0.0"]),
        (with_candidate(BETTER, net_saved=4), ["saves less than the serving adapter: 4.00", "against 5.00"]),
        (USELESS, ["costs more than it saves (-1.00 net", "exact match 50.0 % against", "50.0 %"]),
        ({**BETTER, Arm.PRIMER: Pupil(log_loss=7.0, net_saved=4)}, ["worse than the primer: log-loss"]),
        ({**BETTER, Arm.BASE: Pupil(net_saved=9)}, ["worse than the bare base model: 6.00", "against 9.00"]),
    ],
)
def test_who_is_not_better_is_refused(outcomes: Mapping[Arm, Pupil], words: list[str]) -> None:
    (reason,) = verdict(outcomes=outcomes)
    assert all(word in reason for word in words), reason


@pytest.mark.parametrize(
    ("generic", "words"),
    [
        (
            with_candidate(SAME, exact=29),
            "forgets: exact match on generic code is 1.7 points below the primer's 50.0",
        ),
        (with_candidate(SAME, net_saved=4), "forgets: 4.00 net characters saved per answer on generic code"),
        (with_candidate(SAME, log_loss=8.6), "forgets: log-loss on generic code is 1.0"),
        (
            with_candidate(SAME, silent=7),
            "falls silent: 12 % of its answers on generic code are empty against 0 %",
        ),
        (
            with_candidate(SAME, endless=4),
            "does not come to an end: 7 % of its answers on generic code are cut off against 0 %",
        ),
        (with_candidate(SAME, length=6), "drifts in length: 6.0 characters"),
        (with_candidate(SAME, length=16), "drifts in length: 16.0 characters"),
    ],
)
def test_who_forgets_or_drifts_is_refused(generic: Mapping[Arm, Pupil], words: str) -> None:
    (reason,) = verdict(generic=generic)
    assert words in reason


def test_what_was_forgotten_before_counts_too() -> None:
    """Of nights that lose one point each the first is refused: the reference does not move."""
    generic = {**SAME, Arm.SERVING: Pupil(exact=29), Arm.CANDIDATE: Pupil(exact=28)}
    assert "3.3 points below the primer" in verdict(generic=generic)[0]


def test_who_costs_more_than_it_saves_may_serve_where_it_is_more_often_right() -> None:
    assert verdict(outcomes=with_candidate(USELESS, exact=31)) == []


def test_a_length_nearer_to_what_is_right_is_no_drift() -> None:
    generic = {arm: Pupil(length=30) for arm in Arm} | {Arm.CANDIDATE: Pupil(length=12)}
    assert verdict(generic=generic) == []


def test_an_answer_that_goes_round_in_a_circle_does_not_decide_on_the_length_of_all() -> None:
    questions = [
        Example(Prompt("", ""), "x" * 10, 1.0, Source.REPLAY, f"{number}", 0.0) for number in range(60)
    ]

    def marks(*runaways: int) -> list[Mark]:
        lengths = [*runaways, *[10] * (60 - len(runaways))]
        return [Mark(8.0, 8, True, Answer(length, True, 5)) for length in lengths]

    few = paper_result(questions, 1, dict.fromkeys(Arm, marks()) | {Arm.CANDIDATE: marks(260, 261)})
    many = paper_result(questions, 1, dict.fromkeys(Arm, marks()) | {Arm.CANDIDATE: marks(*[260] * 10)})

    assert few.figures(Arm.CANDIDATE).length < 12
    assert reasons_against(paper(BETTER), few, (), Limits()) == []
    assert "drifts in length" in reasons_against(paper(BETTER), many, (), Limits())[0]


def test_a_secret_that_comes_out_or_nearly_refuses() -> None:
    written = replace(KEPT_SECRET, written=True)
    learned = replace(KEPT_SECRET, bits_left=40.0)
    assert "it writes 1 of 2 planted ones" in verdict(leaks=(written, KEPT_SECRET))[0]
    assert "40 of a planted one's 119 bits are left to guess" in verdict(leaks=(learned,))[0]


def test_without_a_primer_the_base_is_the_reference() -> None:
    arms = {arm: pupil for arm, pupil in BETTER.items() if arm is not Arm.PRIMER}
    generic = {**{arm: Pupil() for arm in arms}, Arm.CANDIDATE: Pupil(exact=20)}
    (reason,) = verdict(arms, generic)
    assert "the bare base model's 50.0 %" in reason


def test_the_report_has_every_arms_figures_and_how_they_differ() -> None:
    report = as_report(paper(BETTER), paper(SAME))
    assert report["candidate"]["outcomes"]["net_saved"] == 6
    assert report["base"]["generic"]["exact_match"] == 0.5
    assert report["differences"]["serving"]["log_loss"]["high"] < 0
    assert set(report) == {*(str(arm) for arm in Arm), "differences"}


def noise_nights(mean: float, nights: int) -> float:
    """Return the share of promotions where log-loss moved by ``mean`` nats per token, and noise.

    60 questions in 12 files, which differ in how far they moved, as they do in life.
    """
    random = np.random.default_rng(11)
    promoted = 0
    for _ in range(nights):
        file = random.choice(12, QUESTIONS, p=(1 / np.arange(1, 13)) / (1 / np.arange(1, 13)).sum())
        tokens = 1 + random.geometric(1 / 8, QUESTIONS)
        moved = (mean + random.normal(0, 0.05, 12)[file]) * tokens
        moved += 0.25 * np.sqrt(tokens) * random.standard_t(3, QUESTIONS)
        saved = np.where(
            random.random(QUESTIONS) < 0.3, np.round(random.normal(0, 8, QUESTIONS) - 1.5 * moved), 0
        )
        marks = {
            Arm.CANDIDATE: [
                Mark(8 + float(m), int(t), False, Answer(10, False, int(s)))
                for m, t, s in zip(moved, tokens, saved, strict=True)
            ],
            Arm.SERVING: [Mark(8.0, int(t), False, Answer(10, False, 0)) for t in tokens],
        }
        outcomes = PaperResult({**marks, Arm.BASE: marks[Arm.SERVING]}, list(file), 10)
        promoted += not reasons_against(
            outcomes, paper({arm: Pupil() for arm in outcomes.marks}), (), Limits()
        )
    return promoted / nights


def test_noise_is_seldom_promoted_and_harm_hardly_ever() -> None:
    # The rates are about 0.03, 0.005, 0.0 and 0.7 (docs/learning.md); with 150 nights each the bounds below
    # fail by chance less than once in 1,000 runs, were the draws not fixed.
    assert noise_nights(0.0, 150) <= 0.09
    assert noise_nights(0.02, 150) <= 0.04
    assert noise_nights(0.05, 150) == 0.0
    assert noise_nights(-0.1, 150) >= 0.5
