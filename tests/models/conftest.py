"""The two real models in this process, and a server that stands for the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from model_server import Hub

from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.llama import Log, Model


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path / "state")


@pytest.fixture(scope="module")
def coder(qwen: Path, llama_log: Log) -> Iterator[Model]:
    """Qwen: with fill-in-the-middle tokens."""
    from models.llama import Model

    model = Model(qwen, gpu_layers=0, repack=False, log=llama_log)
    yield model
    model.close()


@pytest.fixture(scope="module")
def tiny(smollm: Path, llama_log: Log) -> Iterator[Model]:
    """SmolLM: left to right."""
    from models.llama import Model

    model = Model(smollm, gpu_layers=0, repack=False, log=llama_log)
    yield model
    model.close()
