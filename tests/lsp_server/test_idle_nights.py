"""The server starts a micro-night by itself, without a word but where something better serves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine
from in_process import Client
from test_night import (
    PROMOTED,
    REFUSED,
    has_begun,
    messages,
    process_id,
    process_of,
    progress,
    scripted,
    train,
)

from lsp_server import micro_night
from lsp_server.micro_night import MicroNights

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["process_id"]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(tmp_path / "home", FakeEngine(lambda request: []))
    await client.initialize()
    yield client
    await client.server.close()


def nights(client: Client, waits_for: str = "") -> MicroNights:
    """Micro-nights that wait for this."""
    found = MicroNights(client.home, client.server._night)
    found._waits_for = lambda base: waits_for
    return found


def until_written(path: Path) -> None:
    while not (path.exists() and path.read_text()):
        time.sleep(0.01)


async def test_a_promotion_is_told_and_nothing_else(client: Client) -> None:
    scripted(client, "--say", {"progress": {"phase": "train", "done": 1, "total": 2}}, "--say", PROMOTED)
    await nights(client).look("base")
    assert "passed its exam and serves now" in messages(client)[0]
    assert client.notified("$/progress") == []


@pytest.mark.parametrize("words", [("--say", REFUSED), ("--fail", "the disk is full"), ()])
async def test_without_a_promotion_nothing_is_told(client: Client, words: tuple[Any, ...]) -> None:
    scripted(client, *words)
    await nights(client).look("base")
    assert messages(client) == []
    scripted(client, "--say", PROMOTED)
    await nights(client).look("base")
    assert len(messages(client)) == 1


@pytest.mark.parametrize(("base", "waits_for"), [("", ""), ("base", "a pause in typing")])
async def test_none_is_started_where_it_is_not_time(
    client: Client, process_id: Path, base: str, waits_for: str
) -> None:
    scripted(client, "--pid", process_id, "--say", PROMOTED)
    await nights(client, waits_for).look(base)
    assert not has_begun(process_id)


async def test_none_is_started_beside_a_night_of_the_clients(client: Client, process_id: Path) -> None:
    scripted(client, "--pid", process_id, "--say", {"progress": {"phase": "load"}}, "--wait")
    asked = train(client)
    await client.until_notified("$/progress", 2)
    night = process_of(process_id)
    await nights(client).look("base")
    assert process_of(process_id) == night
    client.notify("$/cancelRequest", {"id": asked})
    await client.answer(asked)


async def test_the_client_may_train_while_one_runs(client: Client, process_id: Path) -> None:
    """The lock across processes has the short one end: here both are the same server's."""
    scripted(client, "--pid", process_id, "--wait")
    night = client.server._night
    quiet = asyncio.ensure_future(nights(client).look("base"))
    await asyncio.to_thread(until_written, process_id)
    assert night.is_running
    short = process_of(process_id)
    night._command = (*night._command[:2], "--say", '{"verdict": "nothing", "reasons": ["too few"]}')
    assert (await client.answer(train(client)))["result"]["verdict"] == "nothing"
    assert progress(client, "end")
    await client.server.close()
    assert short.is_running(), "a server that leaves does not end it"
    quiet.cancel()


async def test_the_real_question_is_asked_of_the_disk(client: Client) -> None:
    found = MicroNights(client.home, client.server._night)
    assert found._waits_for("base") == "the model that `nightschool model use` chose to serve"


async def test_looks_are_taken_again_and_again_whatever_happens(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro_night, "LOOK_S", 0.0)
    looks: list[str] = []
    enough = asyncio.Event()

    async def look(base: str) -> None:
        looks.append(base)
        if len(looks) == 3:
            enough.set()
        raise OSError("the disk is gone")

    found = nights(client)
    found.look = look
    wanted = iter([False, *[True] * 1000])
    found.start(lambda: "base", lambda: next(wanted))
    await asyncio.wait_for(enough.wait(), 5)
    found.close()
    assert looks[:3] == ["base"] * 3
