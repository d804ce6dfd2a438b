"""Adapters through the real server, engine and ledger: promoted by one process, served by another."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest

from learner.ledger_file import connect_to_read
from learner.registry import Registry
from lsp_server.demo_client import Client
from lsp_server.demo_scenes import Editor
from models.adapters import BASE_KEY
from models.checksum import sha256_of
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.registry import Adapter

SOURCE = "def add(first, second):\n    return first + second\n\n\nprint(add(1, 2))\nprint(add(3, "
RANK = 8


def add_adapter(registry: Registry, model: Path, day: int, *, base: str | None = None) -> Adapter:
    """Take a random adapter for SmolLM2's queries into the registry, strong enough to change what is said."""
    random = np.random.default_rng(day)
    path = registry.current.parent.parent / "unfinished.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    writer.add_string(BASE_KEY, base or sha256_of(model))
    for block in range(30):
        name = f"blk.{block}.attn_q.weight"
        writer.add_tensor(f"{name}.lora_a", random.normal(0, 0.3, (RANK, 576)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", random.normal(0, 0.3, (576, RANK)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    record = {"base": sha256_of(model), "created": float(day)}
    return registry.add(path, f"202612{day:02}-0300-{day:04x}", record)


@pytest.fixture
def client(home: Path, smollm: Path, tmp_path: Path) -> Iterator[Client]:
    environment = {**os.environ, "NIGHTSCHOOL_HOME": str(home)}
    client = Client(smollm, tmp_path, environment, {"debounce": 0, "max_tokens": 8})
    yield client
    client.hang_up()


def status(client: Client) -> dict[str, Any]:
    return client.request("workspace/executeCommand", {"command": "nightschool.status", "arguments": []})


def until_served_by(client: Client, adapter: str | None) -> None:
    deadline = time.monotonic() + 20
    while status(client)["adapter"] != adapter:
        assert time.monotonic() < deadline, status(client)


def until_warned(client: Client) -> str:
    while not (shown := [each for each in client.notified if each["method"] == "window/showMessage"]):
        status(client)
    return shown[0]["params"]["message"]


def test_a_promoted_adapter_serves_in_the_running_server_and_the_cache_stays(
    client: Client, home: Path, smollm: Path
) -> None:
    registry = Registry(Home(home))
    adapter = add_adapter(registry, smollm, 1)
    client.wait_until_ready()
    editor = Editor(client, "untitled:a.py", SOURCE, len(SOURCE))
    first, _ = editor.answer(editor.ask())
    registry.promote(adapter.id)
    until_served_by(client, adapter.id)
    second, _ = editor.answer(editor.ask())
    last = status(client)["last_completion"]
    assert (last["served"], last["evaluated_tokens"]) == ("model", 0)
    assert first != second
    client.close()
    query = "SELECT adapter FROM offers JOIN engines ON engines.id = engine ORDER BY offers.id"
    with closing(connect_to_read(Home(home).ledger)) as ledger:
        assert [adapter for (adapter,) in ledger.execute(query)] == [None, adapter.id]


def test_an_adapter_that_only_the_engine_can_refuse_leaves_the_one_before(
    client: Client, home: Path, smollm: Path
) -> None:
    """Its own metadata names another base than its report does."""
    registry = Registry(Home(home))
    good, bad = add_adapter(registry, smollm, 1), add_adapter(registry, smollm, 2, base="c" * 64)
    client.wait_until_ready()
    registry.promote(good.id)
    until_served_by(client, good.id)
    registry.promote(bad.id)
    warning = until_warned(client)
    assert f"the adapter {bad.id} cannot serve" in warning
    assert "was trained for the base cccc" in warning and f"{good.id} serves on" in warning
    assert status(client)["adapter"] == good.id
