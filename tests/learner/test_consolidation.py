"""After a promotion memory learns what the new adapter writes by itself, and forgets nothing for it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import house
import night_stubs
import pytest

from learner.consolidation import EACH, Recital, answers, occasions, recite
from learner.examples import Example, Selection, Source
from learner.facts import Event, Offered, Settlement
from learner.job import TrainingOptions
from learner.memory.known import patterns_by_offer
from learner.memory.memory_file import connect
from learner.memory.store import Memory
from learner.nightly import Night, NightOptions, NightResult, Verdict
from models.checksum import sha256_of
from models.engine import EngineError, Scored
from models.home import Home
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from models.line_end import End

OPTIONS = NightOptions(Selection(repository=0, replay_share=0.1), TrainingOptions(give_way=()))


@pytest.fixture
def remembered(home: Path, smollm: Path) -> Home:
    """A home with SmolLM2 in use and ninety outcomes, all of which the memory knows."""
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    moments = house.habits(90)
    house.record(home / "ledger.db", moments)
    memory = Memory.open(home / "memory.db")
    courses: dict[str, tuple[Offered, list[Event | Settlement]]] = {}
    for fact in house.facts(moments, 12):
        if isinstance(fact, Offered):
            courses[fact.offer_id] = fact, []
        elif isinstance(fact, Event | Settlement):
            courses[fact.offer_id][1].append(fact)
    for offer, course in courses.values():
        memory.settle(offer, course)
    assert memory.flush(20)
    assert memory.close()
    return Home(home)


def night(home: Home, **parts: Any) -> NightResult:
    usual = {"train": night_stubs.train, "examine": night_stubs.better}
    return Night(home, OPTIONS, lambda _: None, **(usual | parts)).run()


def known_to(home: Home) -> list[str]:
    with closing(connect(home.memory)) as memory:
        return [row for (row,) in memory.execute("SELECT known_to FROM patterns")]


def test_what_the_promoted_adapter_writes_is_noted_and_nothing_is_deleted(remembered: Home) -> None:
    asked: list[Recital] = []

    def half_right(recital: Recital, on_question: Any, ended: Any) -> dict[str, bool]:
        asked.append(recital)
        on_question(0)
        return {each.offer_id: patterns[each.offer_id] % 2 == 0 for each in recital.occasions}

    before = len(known_to(remembered))
    patterns = patterns_by_offer(remembered.memory)
    result = night(remembered, recite=half_right)
    assert result.verdict is Verdict.PROMOTED
    (recital,) = asked
    said = {patterns[each.offer_id] for each in recital.occasions}
    right = {pattern for pattern in said if pattern % 2 == 0}
    assert right and said - right
    assert recital.adapter.parent.name == result.adapter
    assert known_to(remembered).count(result.adapter) == result.known == len(right)
    assert len(known_to(remembered)) == before


def test_a_refused_adapter_is_not_asked(remembered: Home) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("it does not serve")

    assert night(remembered, examine=night_stubs.worse, recite=never).known == 0


def test_a_promotion_stands_though_nobody_can_say_what_it_knows(
    remembered: Home, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise EngineError("the engine died")

    with caplog.at_level(logging.WARNING):
        result = night(remembered, recite=broken)
    assert (result.verdict, result.known) == (Verdict.PROMOTED, 0)
    assert "the engine died" in caplog.text
    assert set(known_to(remembered)) == {""}


def example(offer_id: str, at: float, target: str = "x()") -> Example:
    prompt = Prompt("y = ", "\n", chunks=(Chunk("other.py", "y = x()"),))
    return Example(prompt, target, 1.0, Source.OUTCOME, "file:///a.py", at, offer_id=offer_id)


def test_the_newest_occasions_of_each_memory_are_tried_without_what_others_say() -> None:
    patterns = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 3}
    told = [example(name, at) for at, name in enumerate("abcd")]
    tried = occasions([*told, example("e", 9, " "), example("unknown", 9), example("", 9)], patterns)
    assert EACH == 2
    assert [each.offer_id for each in tried] == ["d", "c", "b"]
    assert all(each.prompt == replace(told[0].prompt, chunks=()) for each in tried)


def test_only_what_greedy_decoding_writes_whole_is_known_and_time_is_kept() -> None:
    class Engine:
        async def score(self, prompt: Prompt, target: str, end: End) -> Scored:
            return Scored((-0.1, -0.2), (0, 1) if target == "wrong" else (0, 0))

    async def before(number: int) -> None:
        pass

    tried = [example("a", 1), example("b", 2, "wrong"), example("c", 3)]
    clock = iter([0.0, 1.0, 2.0, 10.0])
    found = asyncio.run(answers(Engine(), tried, 10.0, before, lambda: next(clock)))
    assert found == {"a": True, "b": False}


def test_a_real_engine_is_asked_with_the_adapter(smollm: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    night_stubs.write_idle_adapter(adapter, sha256_of(smollm))
    counted = replace(example("a", 1, " 5, 6, 7"), prompt=Prompt("1, 2, 3, 4,", ""), ends=False)
    ended = threading.Event()
    recital = Recital(smollm, adapter, [counted, replace(counted, target=" zebra", offer_id="b")], 60.0)
    assert recite(recital, lambda _: None, ended) == {"a": True, "b": False}
    assert ended.is_set()
