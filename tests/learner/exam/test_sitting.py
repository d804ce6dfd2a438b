"""All arms answer the same questions on one evaluation of each prompt; what is one adapter is run once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from learner.exam.sitting import Arm, Paper, sit
from learner.examples import Example, Source
from models.engine import Candidate, Completion, EngineError, Purpose, Request, Scored, Timings
from models.prompt import Prompt

if TYPE_CHECKING:
    from models.line_end import End

CANDIDATE, PRIMER = Path("candidate.gguf"), Path("primer.gguf")


class Engine:
    """Knows the target with the candidate, half of it with the primer, nothing alone."""

    def __init__(self) -> None:
        self.adapter: Path | None = None
        self.did: list[str] = []
        self.stopped = False

    async def use_adapter(self, path: Path | None) -> None:
        self.adapter = path

    async def complete(self, request: Request) -> Completion | None:
        if request.purpose is Purpose.WARM:
            self.did.append("warm")
            return None
        self.did.append(f"complete {self.adapter}")
        if self.stopped:
            return None
        text = {CANDIDATE: "total", PRIMER: "tot", None: ""}[self.adapter]
        return Completion((Candidate(text, (), "end"),), Timings(), "m", "psm-1")

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored:
        self.did.append(f"score {self.adapter}")
        rank = 0 if self.adapter == CANDIDATE else 3
        return Scored((-1.0, -1.0), (0, rank))


def questions(count: int) -> list[Example]:
    return [
        Example(Prompt("x = ", "\n"), "total", 1.0, Source.OUTCOME, f"{number}.py", float(number))
        for number in range(count)
    ]


async def nothing(_: int) -> None:
    """Does not wait."""


async def test_each_arm_is_scored_and_answers_and_equal_arms_are_one() -> None:
    engine = Engine()
    adapters = {Arm.CANDIDATE: CANDIDATE, Arm.SERVING: PRIMER, Arm.PRIMER: PRIMER, Arm.BASE: None}
    marks = await sit(engine, adapters, Paper(questions(1)), nothing)
    assert marks[Arm.SERVING] is marks[Arm.PRIMER]
    assert [marks[arm][0].exact for arm in adapters] == [True, False, False, False]
    saved = [answer.net_saved for arm in adapters if (answer := marks[arm][0].answer)]
    assert saved == [4, -1, -1, 0]
    scored, answered = (
        [f"{what} {path}" for path in (CANDIDATE, PRIMER, None)] for what in ("score", "complete")
    )
    assert engine.did == [*scored, "warm", *answered]


async def test_only_every_so_many_questions_are_answered_freely() -> None:
    adapters = {Arm.CANDIDATE: CANDIDATE, Arm.SERVING: None}
    marks = await sit(Engine(), adapters, Paper(questions(5), answered=2), nothing)
    assert [mark.answer is not None for mark in marks[Arm.CANDIDATE]] == [True, False, True, False, True]
    assert [mark.exact for mark in marks[Arm.CANDIDATE]] == [True] * 5


async def test_it_may_be_held_up_before_each_question() -> None:
    told: list[int] = []

    async def on_question(number: int) -> None:
        told.append(number)
        if number == 2:
            raise KeyError("held up")

    with pytest.raises(KeyError):
        await sit(Engine(), {Arm.CANDIDATE: CANDIDATE}, Paper(questions(4)), on_question)
    assert told == [0, 1, 2]


async def test_an_engine_that_somebody_else_uses_is_noticed() -> None:
    engine = Engine()
    engine.stopped = True
    with pytest.raises(EngineError, match="nothing else may use it"):
        await sit(engine, {Arm.CANDIDATE: CANDIDATE}, Paper(questions(1)), nothing)
