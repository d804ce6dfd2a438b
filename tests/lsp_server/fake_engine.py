"""A language model that says what the test tells it to, when the test lets it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from models.engine import (
    Candidate,
    Completion,
    EngineError,
    EngineOptions,
    EngineState,
    EngineStatus,
    Purpose,
    Request,
    Timings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FakeEngine:
    """Implements :class:`models.engine.Engine`; ``says`` maps a request to the texts of its candidates."""

    def __init__(self, says: Callable[[Request], list[str]]) -> None:
        self.says = says
        self.logprobs: tuple[float, ...] = (-0.1,)
        """Of every candidate; how sure the model is said to be."""
        self.requests: list[Request] = []
        self.running = 0
        """Requests that were begun and not yet answered or stopped."""
        self.stopped = 0
        self.failure: str | None = None
        self.adapter: Path | None = None
        self.refused: set[Path] = set()
        """Adapters that cannot be used."""
        self.asked_for: list[Path | None] = []
        """Adapters that were to be used, in order."""
        self.was_asked = asyncio.Event()
        self.options: EngineOptions | None = None
        self.started = 0
        self.closed = 0
        self.on_status: Callable[[EngineStatus], None] = lambda status: None
        self.is_behind = False
        """Whether it answers from the near prompt, where there is one."""
        self._may_answer = asyncio.Event()
        self._may_answer.set()
        self._status = EngineStatus(EngineState.STOPPED)

    def make(
        self, model: Path, options: EngineOptions, on_status: Callable[[EngineStatus], None]
    ) -> FakeEngine:
        self.options, self.on_status = options, on_status
        return self

    @property
    def status(self) -> EngineStatus:
        return self._status

    @property
    def completed(self) -> list[Request]:
        return [request for request in self.requests if request.purpose is Purpose.COMPLETE]

    def hold(self) -> None:
        """Answer nothing until :meth:`release`."""
        self._may_answer.clear()

    def release(self) -> None:
        self._may_answer.set()

    def say(self, state: EngineState, message: str = "", adapter: str | None = None) -> None:
        named = adapter or (str(self.adapter) if self.adapter else None)
        self._status = EngineStatus(state, "fake", message, named)
        self.on_status(self._status)

    async def start(self) -> None:
        self.started += 1
        self.adapter = None
        self.say(EngineState.READY)

    async def complete(self, request: Request) -> Completion | None:
        self.requests.append(request)
        self.running += 1
        try:
            await self._may_answer.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        finally:
            self.running -= 1
        if self.failure:
            raise EngineError(self.failure)
        texts = [] if request.purpose is Purpose.WARM else self.says(request)
        candidates = tuple(Candidate(text, self.logprobs, "newline") for text in texts[: request.candidates])
        near = self.is_behind and request.near is not None
        adapter = str(self.adapter) if self.adapter else None
        return Completion(candidates, Timings(total_ms=1.0), "0" * 64, "fake-1", adapter, near=near)

    async def use_adapter(self, path: Path | None) -> None:
        self.asked_for.append(path)
        self.was_asked.set()
        if path in self.refused:
            raise EngineError(f"the adapter {path} does not fit")
        self.adapter = path
        self.say(self._status.state)

    async def close(self) -> None:
        self.closed += 1
        self.say(EngineState.STOPPED)
