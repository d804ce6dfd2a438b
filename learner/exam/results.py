"""What an exam found: each arm's figures, and how sure their differences are."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from learner.exam.bootstrap import clusters, difference
from learner.exam.sitting import Arm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from learner.exam.bootstrap import Difference
    from learner.exam.marks import Mark
    from learner.examples import Example


@dataclass(frozen=True)
class Figures:
    """One arm's marks on one paper, summed up."""

    questions: int
    log_loss: float
    """Nats per token of the targets, their ends included."""
    exact_match: float
    """The share of targets that greedy decoding writes exactly, but for white space at the end."""
    answers: int
    """Questions that were answered freely; the figures below are of these."""
    net_saved: float
    """Characters per question."""
    silent: float
    """The share of empty answers."""
    length: float
    """Code points of the others, their geometric mean: lengths are compared by a factor, and one answer that
    goes round in a circle must not decide."""
    endless: float
    """The share of answers that were cut off at the limit of tokens."""


@dataclass(frozen=True)
class PaperResult:
    """All arms' marks on one paper."""

    marks: Mapping[Arm, Sequence[Mark]]
    """In the order of the questions."""
    clusters: Sequence[int]
    """Of each question."""
    target_length: float
    """Code points of the targets that were answered freely, likewise."""

    def figures(self, arm: Arm) -> Figures:
        marks = self.marks[arm]
        answers = [mark.answer for mark in marks if mark.answer]
        offers = [answer.length for answer in answers if answer.length]
        return Figures(
            questions=len(marks),
            log_loss=sum(mark.log_loss for mark in marks) / sum(mark.tokens for mark in marks),
            exact_match=_mean([mark.exact for mark in marks]),
            answers=len(answers),
            net_saved=_mean([answer.net_saved for answer in answers]),
            silent=1 - len(offers) / len(answers),
            length=_geometric_mean(offers),
            endless=_mean([answer.endless for answer in answers]),
        )

    def log_loss(self, first: Arm, second: Arm) -> Difference:
        """Return the difference of the log-losses in nats per token; below zero the first is better."""
        one, other = self.marks[first], self.marks[second]
        return difference(
            [mark.log_loss for mark in one],
            [mark.log_loss for mark in other],
            [mark.tokens for mark in one],
            self.clusters,
        )

    def net_saved(self, first: Arm, second: Arm) -> Difference:
        """Return the difference of the net saved characters per question; above zero the first is better."""
        pairs = [
            (one.answer.net_saved, other.answer.net_saved, cluster)
            for one, other, cluster in zip(self.marks[first], self.marks[second], self.clusters, strict=True)
            if one.answer and other.answer
        ]
        one, other, cluster = zip(*pairs, strict=True)
        return difference(one, other, [1] * len(pairs), cluster)


def paper_result(
    questions: Sequence[Example], answered: int, marks: Mapping[Arm, Sequence[Mark]]
) -> PaperResult:
    """Put the marks together with their questions, every ``answered``-th of which was answered freely."""
    lengths = [len(example.target.rstrip()) for example in questions[::answered]]
    return PaperResult(marks, clusters([example.file for example in questions]), _geometric_mean(lengths))


def as_report(outcomes: PaperResult, generic: PaperResult) -> dict[str, Any]:
    """Return the figures of all arms on both papers and the differences to the candidate, for JSON."""
    report: dict[str, Any] = {
        str(arm): {
            "outcomes": asdict(outcomes.figures(arm)),
            "generic": asdict(generic.figures(arm)),
        }
        for arm in outcomes.marks
    }
    report["differences"] = {
        str(arm): {
            "log_loss": asdict(outcomes.log_loss(Arm.CANDIDATE, arm)),
            "net_saved": asdict(outcomes.net_saved(Arm.CANDIDATE, arm)),
        }
        for arm in outcomes.marks
        if arm is not Arm.CANDIDATE
    }
    return report


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _geometric_mean(lengths: Sequence[int]) -> float:
    return statistics.geometric_mean(lengths) if lengths else 0.0
