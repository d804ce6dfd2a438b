"""A memory in the test's directory, whose clock the test turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from memory_places import Clock, Teacher

from learner.memory.store import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, clock: Clock, troubles: list[str]) -> Iterator[Callable[..., Memory]]:
    """Opens the memory in the test's directory; may be called again, as a server that starts."""
    memories: list[Memory] = []

    def open_memory(**options: Any) -> Memory:
        memory = Memory.open(tmp_path / "memory.db", on_trouble=troubles.append, clock=clock, **options)
        assert memory.flush(20)
        memories.append(memory)
        return memory

    yield open_memory
    for memory in memories:
        memory.close()


@pytest.fixture
def memory(opened: Callable[..., Memory]) -> Memory:
    return opened()


@pytest.fixture
def teacher(memory: Memory, clock: Clock) -> Teacher:
    return Teacher(memory, clock)
