"""What another process changes in the home reaches an idle server, whose clock is stopped here."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fake_engine import FakeEngine
from in_process import Client, model_in

from lsp_server.home_watch import CURRENT, HomeWatch
from models.choice import choose
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def until(happened: asyncio.Event, change: Callable[[], object]) -> None:
    """Make ``change`` until ``happened``; again and again, since the watcher may begin after the first."""
    async with asyncio.timeout(20):
        while not happened.is_set():
            change()
            with suppress(TimeoutError):
                await asyncio.wait_for(happened.wait(), 1)


def replace(path: Path) -> None:
    """Write a file as everything here is written: whole, by a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name("unfinished")
    new.write_text("x")
    new.replace(path)


async def stop_ticking(client: Client) -> None:
    """Leave nothing that looks around from time to time."""
    ticking = client.server.session._ticking
    assert ticking is not None
    ticking.cancel()
    await asyncio.wait({ticking})


@pytest.mark.parametrize("name", ["model.json", f"adapters/{CURRENT}", "models/one.gguf"])
async def test_what_is_in_use_is_told(tmp_path: Path, name: str) -> None:
    told = asyncio.Event()
    watch = HomeWatch(Home(tmp_path / "home"), asyncio.get_running_loop(), told.set)
    watch.start()
    await until(told, lambda: replace(tmp_path / "home" / name))
    watch.close()


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal", "server.log", "models/one.gguf.part"])
async def test_what_is_written_all_day_is_not(tmp_path: Path, name: str) -> None:
    watch = HomeWatch(Home(tmp_path), asyncio.get_running_loop(), lambda: None)
    assert not watch.tells(tmp_path / name)


async def test_a_home_that_cannot_be_watched_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("a file where the directory should be")
    HomeWatch(Home(tmp_path / "home"), asyncio.get_running_loop(), lambda: None)._watch()
    assert "cannot be watched" in caplog.text


class StartsTold(FakeEngine):
    def __init__(self) -> None:
        super().__init__(lambda request: ["completed()"])
        self.has_started = asyncio.Event()

    async def start(self) -> None:
        await super().start()
        self.has_started.set()


async def test_another_model_is_used_at_once(tmp_path: Path) -> None:
    home, engine = Home(tmp_path / "home"), StartsTold()
    first = model_in(home.root)
    second = first.with_name("second")
    second.touch()
    choose(home, str(first))
    client = Client(home.root, engine)
    client.server._outside = dataclasses.replace(client.server._outside, model=None)
    await client.initialize()
    await client.texts(0, 0)
    await stop_ticking(client)
    engine.has_started.clear()
    await until(engine.has_started, lambda: choose(home, str(second)))
    await client.server.close()


async def test_a_snooze_ends_by_itself(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    await stop_ticking(client)
    await client.command("nightschool.snooze", 1e-4)
    assert client.notified("nightschool/status")[-1]["state"] == "off"
    await client.until_status("ready")
    assert await client.texts(0, 4) == ["completed()"]


async def test_a_later_snooze_replaces_an_earlier_one(client: Client) -> None:
    await client.initialize()
    await client.command("nightschool.snooze", 5)
    waking = client.server.session._waking
    await client.command("nightschool.snooze", 60)
    assert waking is not None and waking.cancelled()
