"""All arms answer the same questions, each prompt evaluated once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from learner.exam.marks import judge, mark
from models.engine import EngineError, Purpose, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from learner.exam.marks import Answer, Mark
    from learner.examples import Example
    from models.engine import Completion, Scored
    from models.line_end import End
    from models.prompt import Prompt

MAX_TOKENS = 96
"""As long as completions are served by default."""


class Arm(StrEnum):
    """Who sits the exam."""

    CANDIDATE = "candidate"
    SERVING = "serving"
    PRIMER = "primer"
    BASE = "base"


class Examinee(Protocol):
    """What the exam needs of the engine; :class:`models.supervisor.ChildEngine` is one."""

    async def complete(self, request: Request) -> Completion | None: ...

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored: ...

    async def use_adapter(self, path: Path | None) -> None: ...


@dataclass(frozen=True)
class Paper:
    """A set of questions; every ``answered``-th is answered freely, all are scored."""

    questions: Sequence[Example]
    answered: int = 1


async def sit(
    engine: Examinee,
    adapters: Mapping[Arm, Path | None],
    paper: Paper,
    on_question: Callable[[int], Awaitable[None]],
) -> dict[Arm, list[Mark]]:
    """Return each arm's marks, in the order of the questions; arms of the same adapter share them.

    The first arm has an adapter (the candidate's), so that the prompt is evaluated apart from its trigger and
    all arms find the same cells.

    ``on_question`` is awaited before each question with the number of those done: it may report, wait or
    raise.

    Raises:
        EngineError: the engine failed, or an adapter cannot be used.
    """
    marks: dict[Path | None, list[Mark]] = {path: [] for path in adapters.values()}
    for number, example in enumerate(paper.questions):
        await on_question(number)
        scores = [await _score(engine, path, example) for path in marks]
        if number % paper.answered:
            answers = [None for _ in marks]
        else:
            # With the whole prompt in the cache, every arm begins from exactly the same cells.
            await engine.complete(Request(example.prompt, Purpose.WARM))
            answers = [await _answer(engine, path, example) for path in marks]
        for found, scored, answer in zip(marks.values(), scores, answers, strict=True):
            found.append(mark(scored, answer))
    return {arm: marks[path] for arm, path in adapters.items()}


async def _score(engine: Examinee, adapter: Path | None, example: Example) -> Scored:
    await engine.use_adapter(adapter)
    return await engine.score(example.prompt, example.target, example.end)


async def _answer(engine: Examinee, adapter: Path | None, example: Example) -> Answer:
    await engine.use_adapter(adapter)
    request = Request(example.prompt, stop=example.stop, indent=example.indent, max_tokens=MAX_TOKENS)
    completion = await engine.complete(request)
    if completion is None:
        raise EngineError("the exam's engine answered another request; nothing else may use it")
    return judge(completion.candidates[0], example)
