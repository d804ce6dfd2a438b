"""The engine as the server sees it: a child process that is started, watched and restarted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import models
from models import messages
from models.engine import EngineError, EngineState, EngineStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.engine import Completion, EngineOptions, Request, Scored
    from models.line_end import End
    from models.messages import Message
    from models.prompt import Prompt

log = logging.getLogger(__name__)

_LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of the longest message; asyncio's default of 64 KiB is less than a long completion."""
_DELAYS_S = (0.0, 1.0, 4.0)
"""Seconds before each restart of a child that keeps dying; one death more and it stays down."""
_CLOSE_S = 1.0
_CALM = {"GOMP_SPINCOUNT": "3000"}
"""How long OpenMP's threads spin while they wait for each other, before they sleep. By default they spin on
and on: as soon as another program wants a core, decoding becomes a hundred times slower. This long costs
nothing on an idle machine (never spinning costs 6 ms a token)."""


class ChildEngine:
    """An :class:`~models.engine.Engine` in a child process of its own."""

    def __init__(
        self,
        model: Path,
        options: EngineOptions,
        on_status: Callable[[EngineStatus], None],
        worker: tuple[str, ...] = ("-P", "-m", "models.worker"),
    ) -> None:
        """``worker`` is what the Python interpreter runs; tests run others."""
        self._model, self._options, self._on_status, self._worker = model, options, on_status, worker
        self._adapter = options.adapter
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._child: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._deaths = 0
        self._status = EngineStatus(EngineState.STOPPED, str(model))

    @property
    def status(self) -> EngineStatus:
        return self._status

    @property
    def process(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the child; its status tells when it is ready."""
        self._say(EngineState.STARTING)
        await self._spawn()
        self._watcher = asyncio.create_task(self._watch(), name="engine watcher")

    async def complete(self, request: Request) -> Completion | None:
        """Return the completion, or None when a newer request stopped it; waits while the model loads.

        Raises:
            EngineError: the engine failed or is not running.
        """
        number = next(self._numbers)
        try:
            return messages.completion_of(await self._ask(number, messages.complete(number, request)))
        except asyncio.CancelledError:
            self._send({"kind": "cancel", "number": number})
            raise

    async def use_adapter(self, path: Path | None) -> None:
        """Serve with the adapter at ``path`` from the next request on; it stays so over a restart.

        Raises:
            EngineError: it cannot be used; the one before still serves.
        """
        number = next(self._numbers)
        await self._ask(
            number, {"kind": "adapter", "number": number, "path": None if path is None else str(path)}
        )
        self._adapter = path
        self._say(self._status.state, self._status.message)

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored:
        """Return how likely ``target``, and what is said of its end, is after ``prompt``.

        The adapter in use has its say. No newer request stops it.

        Raises:
            EngineError: the engine failed or is not running.
        """
        number = next(self._numbers)
        scored = messages.scored_of(await self._ask(number, messages.score(number, prompt, target, end)))
        assert scored is not None
        return scored

    async def close(self) -> None:
        """End the child and answer whoever waits."""
        watcher, child = self._watcher, self._child
        self._watcher = self._child = None
        if watcher:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        if child:
            await _end(child)
        self._fail_all("the engine was closed")
        self._say(EngineState.STOPPED)

    async def _ask(self, number: int, message: Message) -> Message:
        if self._child is None:
            raise EngineError(self._status.message or f"the engine is {self._status.state}")
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(message)
            return await future
        finally:
            self._waiting.pop(number, None)

    def _send(self, message: Message) -> None:
        if self._child and self._child.stdin and not self._child.stdin.is_closing():
            self._child.stdin.write(messages.to_line(message))

    def _say(self, state: EngineState, message: str = "") -> None:
        adapter = None if self._adapter is None else str(self._adapter)
        self._status = EngineStatus(state, str(self._model), message, adapter)
        self._on_status(self._status)

    async def _spawn(self) -> None:
        # With -P, a `models` package of the user's project, in the working directory, is not taken for ours.
        path = {"PYTHONPATH": str(Path(models.__path__[0]).parent)}
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._worker,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_CALM | os.environ | path,
            limit=_LINE_LIMIT,
        )
        self._send(messages.start(self._model, self._options, self._adapter))

    async def _watch(self) -> None:
        """Serve the child's messages; restart it when it dies, a few times."""
        while self._child:
            child = self._child
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(child))
                group.create_task(_log_lines(child))
            code = await child.wait()
            self._child = None
            if self._status.state is EngineState.FAILED:
                self._fail_all(self._status.message)
                return
            self._deaths += 1
            ended = f"the engine process ended ({_cause(code)})"
            if self._deaths > len(_DELAYS_S):
                self._say(
                    EngineState.FAILED, f"{ended} {self._deaths} times in a row; the log has its last words"
                )
                self._fail_all(self._status.message)
                return
            log.warning("%s; restarting it", ended)
            self._fail_all(f"{ended}; it is being restarted")
            self._say(EngineState.STARTING, ended)
            await asyncio.sleep(_DELAYS_S[self._deaths - 1])
            await self._spawn()

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout
        async for line in child.stdout:
            message = messages.from_line(line)
            if message["kind"] == "status":
                found = messages.status_of(message)
                if found.state is EngineState.READY:
                    # Over a restart its file may have gone: then the base serves alone.
                    self._adapter = Path(found.adapter) if found.adapter else None
                self._say(found.state, found.message)
            else:
                self._settle(message)

    def _settle(self, message: Message) -> None:
        future = self._waiting.get(message["number"])
        # Whoever asked may have been cancelled since.
        if future is None or future.done():
            return
        if message["error"]:
            future.set_exception(EngineError(message["error"]))
            return
        future.set_result(message)
        if message["completion"]:
            # It works: what killed it before did not come from how it was started.
            self._deaths = 0

    def _fail_all(self, reason: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EngineError(reason))


async def _log_lines(child: asyncio.subprocess.Process) -> None:
    assert child.stderr
    async for line in child.stderr:
        log.info("engine: %s", line.decode("utf-8", "replace").rstrip())


async def _end(child: asyncio.subprocess.Process) -> None:
    """Close the child's stdin, on which it exits; kill it where it does not."""
    if child.stdin:
        child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), _CLOSE_S)
    except TimeoutError:
        child.kill()
        await child.wait()


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
