"""After a promotion: which of the memories does the new adapter write by itself?

Memory then keeps quiet about them while that adapter serves (:mod:`learner.memory.known`).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from learner.job import JobError, read_examples
from learner.memory.known import note_known, patterns_by_offer
from learner.memory.schema import NewerMemoryError
from learner.own_engine import with_engine
from models.engine import EngineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from learner.examples import Example
    from learner.registry import Adapter
    from learner.tonight import Tonight
    from models.engine import Scored
    from models.line_end import End
    from models.prompt import Prompt

logger = logging.getLogger(__name__)

EACH = 2
"""Occasions of one memory that are tried, the newest."""
MOST = 200
"""Occasions in all."""


class Reciter(Protocol):
    """What reciting needs of the engine; :class:`models.supervisor.ChildEngine` is one."""

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored: ...


@dataclass(frozen=True)
class Recital:
    """What is recited, by whom, and for how long."""

    model: Path
    adapter: Path
    occasions: Sequence[Example]
    seconds: float


def consolidate(
    memory: Path,
    adapter: Adapter,
    model: Path,
    tonight: Tonight,
    seconds: float,
    try_out: Callable[[Recital], Mapping[str, bool]],
) -> int:
    """Note in the memory's file what an adapter that was promoted writes by itself; return how many memories.

    Where that cannot be found out the night has done what it is for all the same, and memory goes on
    believing what it believed.
    """
    try:
        patterns = patterns_by_offer(memory)
        tried = occasions([*read_examples(tonight.files), *tonight.exam()], patterns)
        if not tried:
            return 0
        return note_known(memory, adapter.id, try_out(Recital(model, adapter.path, tried, seconds)))
    except (JobError, EngineError, NewerMemoryError, sqlite3.Error) as error:
        logger.warning("the memory is not told what the adapter %s knows: %s", adapter.id, error)
        return 0


def occasions(examples: Iterable[Example], patterns: Mapping[str, int]) -> list[Example]:
    """Return the examples that went into memory, newest first, as the adapter must write them alone.

    ``patterns`` has each remembered offer's pattern. What other files and the memory itself said is taken out
    of the prompts: the question is what the weights know.
    """
    tried: dict[int, int] = {}
    found: list[Example] = []
    for example in sorted(examples, key=lambda example: -example.at):
        pattern = patterns.get(example.offer_id)
        if pattern is None or not example.target.strip() or tried.get(pattern, 0) >= EACH:
            continue
        tried[pattern] = tried.get(pattern, 0) + 1
        found.append(replace(example, prompt=replace(example.prompt, chunks=())))
    return found[:MOST]


def recite(recital: Recital, on_question: Callable[[int], None], ended: threading.Event) -> dict[str, bool]:
    """Return, by the offer's id, whether greedy decoding writes what settled there.

    Time may run out before all were tried. Arguments and errors as :func:`learner.own_engine.with_engine`.
    """
    return with_engine(
        recital.model,
        recital.adapter,
        lambda engine, before: answers(engine, recital.occasions, recital.seconds, before),
        on_question,
        ended,
    )


async def answers(
    engine: Reciter,
    tried: Sequence[Example],
    seconds: float,
    on_question: Callable[[int], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, bool]:
    began = clock()
    found: dict[str, bool] = {}
    for number, example in enumerate(tried):
        await on_question(number)
        if clock() - began >= seconds:
            break
        scored = await engine.score(example.prompt, example.target, example.end)
        found[example.offer_id] = not any(scored.ranks)
    return found
