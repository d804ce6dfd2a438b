"""The real engine process with the small model: completing, stopping, dying and coming back."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from test_engine_adapters import write_adapter

from models.checksum import sha256_of
from models.engine import EngineError, EngineOptions, EngineState, EngineStatus, Purpose, Request, Stop
from models.prompt import Prompt
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROMPT = Prompt('import json\n\n\ndef load(path):\n    """Read a file."""\n    with open(path', "\n")
LONG = Prompt("total = 0\nfor number in range(10):\n    total += number\n" * 90, "\n")


class Watched:
    """An engine and the statuses it told."""

    def __init__(
        self, model: Path, options: EngineOptions | None = None, worker: tuple[str, ...] | None = None
    ) -> None:
        self.told: list[EngineStatus] = []
        self.changed = asyncio.Event()
        extra = {} if worker is None else {"worker": worker}
        self.engine = ChildEngine(model, options or EngineOptions(cells=4096), self._note, **extra)

    def _note(self, status: EngineStatus) -> None:
        self.told.append(status)
        self.changed.set()

    def count(self, state: EngineState) -> int:
        return sum(status.state is state for status in self.told)

    async def until(self, state: EngineState, times: int = 1) -> EngineStatus:
        while self.count(state) < times:
            self.changed.clear()
            await self.changed.wait()
        return self.engine.status


@pytest.fixture
async def watched(smollm: Path) -> AsyncIterator[Watched]:
    watched = Watched(smollm)
    await watched.engine.start()
    yield watched
    await watched.engine.close()


async def test_a_request_made_while_the_model_loads_is_answered(watched: Watched) -> None:
    completion = await watched.engine.complete(Request(PROMPT, max_tokens=12))
    assert completion
    [candidate] = completion.candidates
    assert candidate.text.startswith(",") or candidate.text.startswith(")")
    assert "\n" not in candidate.text
    assert len(candidate.logprobs) == completion.timings.generated_tokens
    assert all(logprob <= 0 for logprob in candidate.logprobs)
    assert completion.model == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert completion.layout == "ltr-1"
    assert [status.state for status in watched.told] == [EngineState.STARTING, EngineState.READY]


async def test_candidates_are_distinct_and_the_first_is_the_best(watched: Watched) -> None:
    one = await watched.engine.complete(Request(PROMPT, max_tokens=8))
    three = await watched.engine.complete(Request(PROMPT, max_tokens=8, candidates=3))
    assert one
    assert three
    texts = [candidate.text for candidate in three.candidates]
    assert len(set(texts)) == len(texts) == 3
    assert texts[0] == one.candidates[0].text
    firsts = [candidate.logprobs[0] for candidate in three.candidates]
    assert firsts == sorted(firsts, reverse=True)


async def test_warming_generates_nothing_and_makes_the_next_request_cheap(watched: Watched) -> None:
    warmed = await watched.engine.complete(Request(LONG, Purpose.WARM))
    assert warmed
    assert warmed.candidates == ()
    completion = await watched.engine.complete(Request(LONG, max_tokens=1))
    assert completion
    assert completion.timings.evaluated_tokens <= 1


async def test_a_newer_request_stops_an_older_one(watched: Watched) -> None:
    await watched.until(EngineState.READY)
    older = asyncio.create_task(watched.engine.complete(Request(LONG, max_tokens=200)))
    await asyncio.sleep(0)
    newer = await watched.engine.complete(Request(PROMPT, max_tokens=1))
    assert newer
    assert await older is None


async def test_a_cancelled_request_frees_the_engine(watched: Watched) -> None:
    await watched.until(EngineState.READY)
    cancelled = asyncio.create_task(watched.engine.complete(Request(LONG, max_tokens=200)))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await watched.engine.complete(Request(PROMPT, max_tokens=1))


async def test_a_killed_engine_comes_back_and_says_so_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await watched.until(EngineState.READY)
    lost = asyncio.create_task(watched.engine.complete(Request(LONG, max_tokens=200)))
    await asyncio.sleep(0)
    assert watched.engine.process
    os.kill(watched.engine.process, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"signal 9.*restarted"):
        await lost
    await watched.until(EngineState.READY, times=2)
    assert await watched.engine.complete(Request(PROMPT, max_tokens=1))
    assert len(caplog.records) == 1


async def test_an_adapter_that_is_gone_when_the_engine_restarts_is_not_said_to_serve(
    watched: Watched, smollm: Path, tmp_path: Path
) -> None:
    shapes = {"blk.0.attn_q.weight": (576, 576)}
    adapter = write_adapter(tmp_path / "a.gguf", architecture="llama", shapes=shapes, base=sha256_of(smollm))
    await watched.engine.use_adapter(adapter)
    assert watched.engine.status.adapter == str(adapter)
    adapter.unlink()
    assert watched.engine.process
    os.kill(watched.engine.process, signal.SIGKILL)
    status = await watched.until(EngineState.READY, watched.count(EngineState.READY) + 1)
    assert status.adapter is None
    assert str(adapter) in status.message and "the base model serves alone" in status.message


async def test_an_engine_that_keeps_dying_is_given_up_with_a_message(
    smollm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.supervisor._DELAYS_S", (0.0, 0.0))
    watched = Watched(smollm, worker=("-c", "import os; os.abort()"))
    await watched.engine.start()
    status = await watched.until(EngineState.FAILED)
    assert "signal 6" in status.message
    assert "3 times" in status.message
    with pytest.raises(EngineError, match="signal 6"):
        await watched.engine.complete(Request(PROMPT))
    await watched.engine.close()


async def test_closing_leaves_no_process(smollm: Path) -> None:
    watched = Watched(smollm)
    await watched.engine.start()
    await watched.until(EngineState.READY)
    child = watched.engine.process
    assert child
    waiting = asyncio.create_task(watched.engine.complete(Request(LONG, max_tokens=200)))
    await asyncio.sleep(0)
    await watched.engine.close()
    assert not psutil.pid_exists(child)
    with pytest.raises(EngineError, match="closed"):
        await waiting
    assert watched.engine.status.state is EngineState.STOPPED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "not a GGUF"),
        (b"#!/bin/sh\n", "not a GGUF"),
        (b"GGUF" + bytes(64), "damaged|cannot load"),
    ],
)
async def test_a_bad_model_fails_with_a_remedy(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    watched = Watched(path)
    await watched.engine.start()
    status = await watched.until(EngineState.FAILED)
    assert str(path) in status.message
    assert "nightschool model" in status.message
    with pytest.raises(EngineError, match=message):
        await watched.engine.complete(Request(PROMPT))
    await watched.engine.close()


async def test_a_truncated_model_fails_with_a_remedy(smollm: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    with smollm.open("rb") as whole:
        path.write_bytes(whole.read(40_000_000))
    watched = Watched(path)
    await watched.engine.start()
    status = await watched.until(EngineState.FAILED)
    assert "nightschool model get" in status.message
    await watched.engine.close()


async def test_a_block_ends_where_it_is_left(watched: Watched) -> None:
    prompt = Prompt("def add(a, b):\n    return a + b\n\n\ndef sub(a, b):", "\n")
    completion = await watched.engine.complete(Request(prompt, stop=Stop.BLOCK, indent=0, max_tokens=24))
    assert completion
    [candidate] = completion.candidates
    assert candidate.text.startswith("\n    return a - b")
    assert all(line.startswith("    ") or not line for line in candidate.text.split("\n")[1:])
