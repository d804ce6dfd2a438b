"""A server with a fake engine, in the test's own event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_engine import FakeEngine
from in_process import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine(lambda request: ["completed()"])


@pytest.fixture
async def client(engine: FakeEngine, tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(tmp_path / "home", engine)
    yield client
    await client.server.close()
