"""Which tasks are worth training on: those that the model gets partly right, as the code itself says.

What is right already teaches nothing, and what is out of reach teaches guessing; the most is learned in
between (Vygotsky's zone of proximal development; for language models: learnability, arXiv 2502.12272).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from learner.own_engine import with_engine

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from learner.examples import Example
    from models.engine import Scored
    from models.line_end import End
    from models.prompt import Prompt

HOPELESS = 0.5
"""A task is out of reach where the model would write fewer of its tokens than this share."""


class Grader(Protocol):
    """What grading needs of the engine; :class:`models.supervisor.ChildEngine` is one."""

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored: ...


@dataclass
class Practice:
    """What became of the tasks."""

    kept: list[Example] = field(default_factory=list)
    """Half mastered, in the order in which they were set."""
    mastered: int = 0
    hopeless: int = 0
    unasked: int = 0
    """Time ran out before them, or there were enough."""
    seconds: float = 0.0


def mastery(scored: Scored) -> float:
    """Return the share of a target's tokens that are the likeliest in their places, its end included.

    1 is a task that greedy decoding gets exactly right. The tokens before each are the right ones, so one
    early mistake does not hide what is known of the rest.
    """
    return sum(rank == 0 for rank in scored.ranks) / len(scored.ranks)


async def grade(
    engine: Grader,
    tasks: Sequence[Example],
    enough: int,
    seconds: float,
    on_task: Callable[[int], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> Practice:
    """Ask task after task until ``enough`` are kept, or for ``seconds``.

    ``on_task`` is awaited before each with the number of those done: it may report, wait or raise.

    Raises:
        EngineError: the engine failed.
    """
    began, found = clock(), Practice()
    for number, task in enumerate(tasks):
        await on_task(number)
        if len(found.kept) >= enough or clock() - began >= seconds:
            found.unasked = len(tasks) - number
            break
        share = mastery(await engine.score(task.prompt, task.target, task.end))
        if share == 1.0:
            found.mastered += 1
        elif share < HOPELESS:
            found.hopeless += 1
        else:
            found.kept.append(task)
    found.seconds = clock() - began
    return found


@dataclass(frozen=True)
class Exercise:
    """What is practised, by whom, and for how long."""

    model: Path
    adapter: Path | None
    """The adapter that training begins from; None is the base alone."""
    tasks: Sequence[Example]
    enough: int
    """So many half mastered ones end it."""
    seconds: float


def practise(exercise: Exercise, on_task: Callable[[int], None], ended: threading.Event) -> Practice:
    """Set the tasks in an engine of its own.

    Args:
        on_task: called, in a thread of its own, before each task with the number of those done: it may
            report, wait, or raise.
        ended: set when it ends, by Ctrl-C too; then a waiting ``on_task`` must return.

    Raises:
        EngineError: the engine failed, or the adapter cannot be used.
    """
    return with_engine(
        exercise.model,
        exercise.adapter,
        lambda engine, before: grade(engine, exercise.tasks, exercise.enough, exercise.seconds, before),
        on_task,
        ended,
    )
