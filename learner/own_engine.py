"""An engine of the night's own, for as long as one piece of work takes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from models.engine import EngineOptions, EngineState
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from models.engine import EngineStatus

logger = logging.getLogger(__name__)

T = TypeVar("T")


def with_engine(
    model: Path,
    adapter: Path | None,
    work: Callable[[ChildEngine, Callable[[int], Awaitable[None]]], Awaitable[T]],
    on_question: Callable[[int], None],
    ended: threading.Event,
) -> T:
    """Return what ``work`` does with an engine and with what it awaits before each question.

    Args:
        adapter: the GGUF adapter that it starts with; None is the base alone.
        on_question: called, in a thread of its own, with the number of questions done: it may report, wait,
            or raise.
        ended: set when the work ends, by Ctrl-C too; then a waiting ``on_question`` must return.

    Raises:
        EngineError: the engine failed, or the adapter cannot be used.
    """

    async def run() -> T:
        engine = ChildEngine(model, EngineOptions(adapter=adapter, bulk=True), _log)
        await engine.start()
        try:
            return await work(engine, lambda number: asyncio.to_thread(on_question, number))
        finally:
            ended.set()
            await engine.close()

    return asyncio.run(run())


def _log(status: EngineStatus) -> None:
    if status.state is EngineState.FAILED:
        logger.warning("the night's engine failed: %s", status.message)
