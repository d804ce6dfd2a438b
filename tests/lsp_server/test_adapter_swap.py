"""What the registry names serves in the running server, and each offer says which adapter made it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from learner.facts import Offered
from learner.registry import Registry
from models import primers
from models.engine import EngineState
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fake_engine import FakeEngine
    from in_process import Client

    from learner.registry import Adapter

BASE = hashlib.sha256(b"").hexdigest()
"""Of the empty file that is the model here."""


@pytest.fixture(autouse=True)
def no_primer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(primers, "PRIMERS", tmp_path / "primers")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def registry(home: Home) -> Registry:
    return Registry(home)


def add_adapter(registry: Registry, day: int, base: str = BASE) -> Adapter:
    identity = f"202612{day:02}-0300-{day:04x}"
    unfinished = registry.current.parent.parent / "unfinished.gguf"
    unfinished.write_bytes(b"GGUF" + identity.encode())
    return registry.add(unfinished, identity, {"base": base, "created": float(day)})


def change_model(home: Home) -> None:
    (home.root / "fake.gguf").write_bytes(b"another model")


def ship_primer() -> None:
    primers.PRIMERS.mkdir()
    (primers.PRIMERS / f"{BASE[:16]}.gguf").write_bytes(b"GGUF")


async def follow(client: Client) -> None:
    """Do what the watcher of the home asks for, and let the engine answer."""
    await client.server.session.follow()
    for _ in range(3):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until ``condition`` holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the condition lies in objects that know of no event
            await asyncio.sleep(0)


def offers(client: Client) -> list[tuple[str, str | None]]:
    return [(fact.text, fact.adapter) for fact in client.facts if isinstance(fact, Offered)]


def warnings(client: Client) -> list[str]:
    return [each["message"] for each in client.notified("window/showMessage")]


async def test_without_adapters_the_base_serves(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    assert offers(client) == [("completed()", None)]
    assert engine.asked_for == []
    assert (await client.status())["adapter"] is None


async def test_the_primer_serves_the_first_request(client: Client) -> None:
    ship_primer()
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    assert offers(client) == [("completed()", "primer")]
    status = await client.status()
    assert (status["adapter"], status["adapter_parent"]) == ("primer", None)
    assert client.notified("nightschool/status")[-1]["adapter"] == "primer"


async def test_a_promoted_adapter_serves_the_next_request(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    adapter = add_adapter(registry, 1)
    await client.initialize()
    client.open("a = \nb = \n")
    await client.texts(0, 4)
    registry.promote(adapter.id)
    await follow(client)
    engine.says = lambda request: ["better()"]
    assert await client.texts(0, 4) == ["better()"], "what the base had predicted here is not served again"
    await client.texts(1, 4)
    assert [adapter for _, adapter in offers(client)] == [None, adapter.id, adapter.id]
    assert engine.started == 1, "no cell of the cache may be lost"
    status = await client.status()
    assert (status["adapter"], status["adapter_since"]) == (adapter.id, registry.choice(BASE).since)


async def test_an_idle_server_notices_by_itself(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    adapter = add_adapter(registry, 1)
    await client.initialize()
    await follow(client)
    async with asyncio.timeout(5):
        while not engine.asked_for:
            # Again and again: the watcher may begin after the first change.
            registry.promote(adapter.id)
            with suppress(TimeoutError):
                await asyncio.wait_for(engine.was_asked.wait(), 1)
            registry.promote(None, BASE)
    assert engine.asked_for[0] == adapter.path


async def test_an_answer_that_was_under_way_is_the_old_adapters(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    one, two = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(one.id)
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    client.type(0, 4, "f")
    engine.hold()
    asked = client.ask_ghost(0, 5)
    await until(lambda: engine.running)
    made_by = str(engine.adapter)
    engine.release()
    await client.answer(asked)
    registry.promote(two.id)
    await follow(client)
    assert one.id in made_by
    assert [adapter for _, adapter in offers(client)] == [one.id, one.id]


async def test_what_was_rejected_stays_rejected_over_a_swap(client: Client, registry: Registry) -> None:
    adapter = add_adapter(registry, 1)
    await client.initialize()
    client.open("a = \n")
    (item,) = await client.ghost(0, 4)
    client.notify("nightschool/didReject", {"offerIds": item["command"]["arguments"]})
    registry.promote(adapter.id)
    await follow(client)
    assert await client.texts(0, 4) == []
    assert await client.declined() == "rejected"


async def test_an_adapter_that_the_engine_refuses_leaves_the_one_before(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    good, bad, next_one = (add_adapter(registry, day) for day in (1, 2, 3))
    engine.refused.add(bad.path)
    registry.promote(good.id)
    await client.initialize()
    client.open("a = \n")
    await follow(client)
    registry.promote(bad.id)
    for _ in range(3):
        await follow(client)
    await client.texts(0, 4)
    assert engine.asked_for == [good.path, bad.path], "it is not tried again each second"
    assert offers(client)[-1][1] == good.id
    (warning,) = warnings(client)
    assert f"the adapter {bad.id} cannot serve" in warning and f"{good.id} serves on" in warning
    registry.promote(next_one.id)
    await follow(client)
    assert engine.adapter == next_one.path


async def test_a_damaged_adapter_is_not_even_loaded(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    good, bad = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(good.id)
    await client.initialize()
    await follow(client)
    await follow(client)
    registry.promote(bad.id)
    bad.path.write_bytes(b"GGUF and something else")
    await follow(client)
    await follow(client)
    assert engine.asked_for == [good.path]
    (warning,) = warnings(client)
    assert f"{bad.path} is damaged" in warning


async def test_a_damaged_adapter_at_the_start_leaves_the_primer(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    ship_primer()
    bad = add_adapter(registry, 1)
    registry.promote(bad.id)
    bad.path.write_bytes(b"")
    await client.initialize()
    await follow(client)
    await follow(client)
    assert engine.asked_for == [registry.find("primer", BASE).path]


async def test_a_refused_adapter_at_the_start_leaves_the_primer(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    ship_primer()
    bad = add_adapter(registry, 1)
    engine.refused.add(bad.path)
    registry.promote(bad.id)
    await client.initialize()
    await follow(client)
    await follow(client)
    await follow(client)
    assert engine.asked_for == [bad.path, registry.find("primer", BASE).path]


async def test_an_adapter_of_another_base_never_serves(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    other = add_adapter(registry, 1, "c" * 64)
    registry.promote(other.id)
    content = json.loads(registry.current.read_text())
    content["serving"][BASE] = content["serving"].pop("c" * 64)
    registry.current.write_text(json.dumps(content))
    await client.initialize()
    await follow(client)
    await follow(client)
    assert engine.asked_for == []
    (warning,) = warnings(client)
    assert f"the adapter {other.id} was made for another model" in warning


async def test_an_engine_that_dies_while_loading_is_asked_once_more(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    adapter = add_adapter(registry, 1)
    await client.initialize()
    await follow(client)
    engine.refused.add(adapter.path)
    engine.say(EngineState.STARTING)
    registry.promote(adapter.id)
    for _ in range(4):
        await follow(client)
    assert engine.asked_for == [adapter.path] * 2
    assert len(warnings(client)) == 1


async def test_another_model_gets_its_own_adapter(
    client: Client, engine: FakeEngine, registry: Registry, home: Home
) -> None:
    mine = add_adapter(registry, 1)
    registry.promote(mine.id)
    await client.initialize()
    await follow(client)
    await follow(client)
    change_model(home)
    await follow(client)
    assert engine.started >= 2
    assert engine.adapter is None
    assert (await client.status())["adapter"] is None


async def test_off_takes_the_adapter_off(client: Client, engine: FakeEngine, registry: Registry) -> None:
    registry.promote(add_adapter(registry, 1).id)
    await client.initialize()
    await follow(client)
    registry.promote(None, BASE)
    await follow(client)
    assert engine.adapter is None
    assert (await client.status())["adapter"] is None


async def test_a_rollback_serves_what_served_before(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    one, two = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(one.id)
    registry.promote(two.id)
    await client.initialize()
    await follow(client)
    assert await client.command("nightschool.rollback") == {"adapter": one.id, "replaced": two.id}
    await follow(client)
    assert engine.adapter == one.path
    assert await client.command("nightschool.rollback") == {"adapter": None, "replaced": one.id}
    assert warnings(client)[-1] == (
        f"Nightschool: the bare base model serves again, instead of the adapter {one.id}"
    )
    asked = client.ask("workspace/executeCommand", {"command": "nightschool.rollback"})
    error = (await client.answer(asked))["error"]
    assert error["message"] == "the base model alone serves, and nothing served before it"


async def test_without_a_model_nothing_is_rolled_back(client: Client) -> None:
    await client.initialize(enabled=False)
    asked = client.ask("workspace/executeCommand", {"command": "nightschool.rollback"})
    assert (await client.answer(asked))["error"]["message"] == "no model is in use"


async def test_a_choice_that_is_damaged_while_serving_is_told_once_and_changes_nothing(
    client: Client, engine: FakeEngine, registry: Registry
) -> None:
    one, two = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(one.id)
    await client.initialize()
    await follow(client)
    for content in ("", "{", "null"):
        registry.current.write_text(content)
        await follow(client)
    (warning,) = {each.partition(" (")[0] for each in warnings(client)}
    assert warning.endswith("current does not say which adapter serves")
    assert len(warnings(client)) <= 2, "one for each kind of damage"
    assert engine.asked_for == [one.path]
    registry.promote(two.id)
    await follow(client)
    assert engine.adapter == two.path


async def test_memory_hears_which_adapter_serves_and_of_a_rollback(client: Client, registry: Registry):
    adapter = add_adapter(registry, 1)
    await client.initialize()
    session = client.server.session
    memory = session._memory._memory
    assert memory is not None
    registry.promote(adapter.id)
    await follow(client)
    assert memory._copy.serving == adapter.id
    await session.roll_back()
    await follow(client)
    assert memory._copy.serving == ""
