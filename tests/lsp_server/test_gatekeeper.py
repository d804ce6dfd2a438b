"""What is better not shown is silent, said to be hidden, recorded, and judged by what is typed instead."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from learner.facts import Horizon, Offered, Settlement
from learner.gate import shipped

if TYPE_CHECKING:
    from pathlib import Path

    from fake_engine import FakeEngine
    from in_process import Client

UNLIKELY = (-4.0, -3.0, -5.0, -4.0, -3.5, -4.5)
TEXT = "value = \n"


@pytest.fixture
def unsure(engine: FakeEngine) -> FakeEngine:
    engine.logprobs = UNLIKELY
    return engine


async def begin(client: Client, **settings: float) -> None:
    await client.initialize(encoding="utf-16", **settings)
    client.open(TEXT)
    async with asyncio.timeout(20):
        while (await client.status())["gate"] is None:  # noqa: ASYNC110  # nobody is told when it is loaded
            await asyncio.sleep(0.001)


def offers(client: Client) -> list[Offered]:
    return [fact for fact in client.facts if isinstance(fact, Offered)]


async def test_an_unlikely_offer_is_silent_recorded_and_explained(client: Client, unsure: FakeEngine) -> None:
    await begin(client)
    assert await client.texts(0, 8) == []
    assert await client.declined() == "hidden"
    (fact,) = offers(client)
    assert (fact.declined, fact.text) == ("hidden", "completed()")
    assert (await client.status())["gate"]["hidden"] == 1


async def test_a_likely_offer_is_shown(client: Client, engine: FakeEngine) -> None:
    await begin(client)
    assert await client.texts(0, 8) == ["completed()"]
    assert offers(client)[0].declined is None


async def test_what_is_asked_for_by_hand_is_shown(client: Client, unsure: FakeEngine) -> None:
    await begin(client)
    assert await client.texts(0, 8) == []
    assert await client.texts(0, 8, invoked=True) == ["completed()"]


async def test_a_threshold_of_zero_hides_nothing(client: Client, unsure: FakeEngine) -> None:
    await begin(client, gate=0)
    assert await client.texts(0, 8) == ["completed()"]


async def test_the_same_place_asked_again_stays_silent_without_the_engine(
    client: Client, unsure: FakeEngine
) -> None:
    await begin(client)
    for _ in range(3):
        assert await client.texts(0, 8) == []
        assert await client.declined() == "hidden"
    assert len(unsure.completed) == 1
    assert len(offers(client)) == 1


async def test_typing_along_what_was_hidden_is_judged_anew(client: Client, unsure: FakeEngine) -> None:
    await begin(client)
    assert await client.texts(0, 8) == []
    client.type(0, 8, "c")
    unsure.logprobs, unsure.says = (-0.05,) * 4, lambda request: ["ompleted()"]
    assert await client.texts(0, 9) == ["ompleted()"]


async def test_a_hidden_offer_that_is_typed_by_hand_is_a_lost_accept(
    client: Client, unsure: FakeEngine
) -> None:
    await begin(client)
    assert await client.texts(0, 8) == []
    (hidden,) = offers(client)
    for number, character in enumerate("completed()"):
        client.clock.seconds += 0.1
        client.type(0, 8 + number, character)
    client.clock.seconds += 11.0
    client.type(1, 0, "x")
    status = await client.status()
    settled = [fact for fact in client.facts if isinstance(fact, Settlement)]
    assert [(each.offer_id, each.horizon, each.text) for each in settled][:1] == [
        (hidden.offer_id, Horizon.S10, "completed()")
    ]
    assert (status["gate"]["hidden"], status["gate"]["would_be_accepts"]) == (1, 1)


async def test_without_a_prior_everything_is_shown(
    client: Client, unsure: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:  # fmt: skip
    missing = tmp_path / "prior.json"
    monkeypatch.setattr("learner.gate.serving.read_prior", lambda: shipped.read_prior(missing))
    caplog.set_level(logging.WARNING)
    await client.initialize()
    client.open(TEXT)
    async with asyncio.timeout(20):
        while "every offer is shown" not in caplog.text:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.001)
    assert await client.texts(0, 8) == ["completed()"]
    assert (await client.status())["gate"] is None
