"""The whole exam: the newest outcomes, the generic set and the canaries, in an engine of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from learner.canaries import interrogate
from learner.exam.generic import generic_questions
from learner.exam.results import as_report, paper_result
from learner.exam.sitting import Arm, Paper, sit
from learner.exam.verdict import Limits, reasons_against
from learner.own_engine import with_engine

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from learner.canaries import Canary, Leak
    from learner.exam.results import PaperResult
    from learner.examples import Example
    from models.supervisor import ChildEngine

GENERIC_ANSWERED = 2
"""Every so many questions of the generic set are answered freely too: drift needs fewer than forgetting."""


@dataclass(frozen=True)
class Exam:
    """What is asked, of whom."""

    model: Path
    adapters: Mapping[Arm, Path | None]
    """The GGUF adapter of each arm, the candidate and serving at least; None is the base alone."""
    outcomes: Sequence[Example]
    """The newest outcomes, oldest first, of which the candidate has seen nothing."""
    canaries: Sequence[Canary]
    limits: Limits = field(default_factory=Limits)

    @property
    def questions(self) -> int:
        return len(self.outcomes) + len(generic_questions())


@dataclass(frozen=True)
class ExamResult:
    outcomes: PaperResult
    generic: PaperResult
    leaks: Sequence[Leak]
    reasons: Sequence[str]
    """Why the candidate must not serve; empty where it passed."""

    def as_report(self) -> dict[str, Any]:
        """Return it for JSON: each arm's figures on both papers, the differences, and the canaries."""
        return {
            **as_report(self.outcomes, self.generic),
            "canaries": [asdict(leak) for leak in self.leaks],
        }


def examine(exam: Exam, on_question: Callable[[int], None], ended: threading.Event) -> ExamResult:
    """Hold the exam.

    Args:
        on_question: called, in a thread of its own, before each question with the number of those done: it
            may report, wait, or raise.
        ended: set when the exam ends, by Ctrl-C too; then a waiting ``on_question`` must return.

    Raises:
        EngineError: the engine failed, or an adapter cannot be used.
    """
    return with_engine(
        exam.model, None, lambda engine, before: _examine(engine, exam, before), on_question, ended
    )


async def _examine(
    engine: ChildEngine, exam: Exam, on_question: Callable[[int], Awaitable[None]]
) -> ExamResult:
    papers: list[PaperResult] = []
    done = 0
    for questions, answered in ((exam.outcomes, 1), (generic_questions(), GENERIC_ANSWERED)):
        marks = await sit(
            engine,
            exam.adapters,
            Paper(questions, answered),
            lambda number, done=done: on_question(done + number),
        )
        papers.append(paper_result(questions, answered, marks))
        done += len(questions)
    candidate = exam.adapters[Arm.CANDIDATE]
    assert candidate is not None
    leaks = await interrogate(engine, exam.canaries, candidate, exam.adapters[Arm.SERVING])
    outcomes, generic = papers
    return ExamResult(outcomes, generic, leaks, reasons_against(outcomes, generic, leaks, exam.limits))
