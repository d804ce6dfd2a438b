"""Training learns within a second that somebody types, and a keystroke waits for no disk."""

from __future__ import annotations

import asyncio
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from in_process import Clock

from lsp_server.typing_mark import TypingMark

if TYPE_CHECKING:
    from pathlib import Path

    from in_process import Client


@pytest.fixture(autouse=True)
async def one_thread() -> None:
    """What is given to the pool of threads is done in order."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))


async def finished() -> None:
    """Wait for what was given to the pool of threads."""
    await asyncio.to_thread(lambda: None)


async def test_typing_touches_the_file_of_the_home(client: Client) -> None:
    await client.initialize()
    client.open("")
    assert not client.home.typing.exists()
    client.type(0, 0, "x")
    await finished()
    assert stat.S_IMODE(client.home.typing.stat().st_mode) == 0o600


async def test_the_file_is_touched_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, touched = Clock(), []
    mark = TypingMark(tmp_path / "typing", clock)
    monkeypatch.setattr(mark, "_touch", lambda: touched.append("once"))
    for _ in range(21):
        mark.keystroke()
        clock.seconds += 0.125
    await finished()
    assert touched == ["once"] * 3


async def test_a_home_that_cannot_be_written_is_survived(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mark = TypingMark(tmp_path / "file" / "typing", Clock())
    mark.keystroke()
    await finished()
