"""A replay's nights: which adapter serves when, and that a killed replay never sees a later one."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

import gguf
import night_stubs
import numpy as np
import pytest
from small_history import MadeEngine, growing

from learner.examples import Source
from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Settlement
from learner.job import JobError, Progress, read_examples
from learner.ledger_file import connect_to_read
from learner.nightly import Night, NothingToLearnError
from learner.practice.grading import Practice
from learner.replay.arms import ArmName
from learner.replay.school import LEAST, NightSchool
from learner.replay.session import Meter, ReplayOptions, replay
from learner.training_process import TrainingStoppedError, run_training
from models.engine import EngineError
from models.home import Home
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from learner.examples import Example
    from learner.job import JobFiles, TrainingResult
    from learner.nightly import NightResult

BASE = "b" * 64


class Nights:
    """Stands in for whole nights: says how many there were, and what each does."""

    def __init__(self) -> None:
        self.count = 0
        self.does: Callable[[], None] = lambda: None
        self.report: Callable[[Progress], None] = lambda progress: None

    def run(self, night: Night) -> NightResult:
        self.count += 1
        self.report = night._on_progress
        self.does()
        return None  # type: ignore[return-value] - nobody reads it


@pytest.fixture
def nights() -> Nights:
    return Nights()


def opened(
    root: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch, serving: str | None = None
) -> NightSchool:
    """Return a school; ``serving`` is the adapter that the registry names after each night."""
    (root / "model.gguf").write_bytes(b"")

    class Registry:
        def __init__(self, home: Home) -> None: ...

        def serving(self, base: str) -> object:
            assert base == BASE
            return type("Adapter", (), {"path": root / serving})() if serving else None

    monkeypatch.setattr("learner.replay.school.Registry", Registry)
    return NightSchool(
        root / "home", root / "model.gguf", BASE, 0, lambda progress: None, run_night=nights.run
    )


def offer(number: int, root: Path) -> Offered:
    return Offered(
        offer_id=f"weights-{number}", session_id="weights-0", offered_at=1000.0 + number,
        uri=(root / "a.py").as_uri(), project=str(root), language="python", line=1, column=0, text="return a",
        replaced=0, prompt=Prompt("x", ""), layout="psm-1", model=BASE, adapter=None, candidates=(),
        declined=None, invoked=False, served=Served.MODEL, latency_ms=0.0,
    )  # fmt: skip


async def test_what_came_of_offers_is_in_the_ledger_before_the_night(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = opened(tmp_path, nights, monkeypatch)
    for number in range(3):
        made = offer(number, tmp_path)
        school.record(made, [
            Event(made.offer_id, 1000.0, EventKind.ACCEPTED, KnownBy.EXPLICIT, 8),
            Settlement(made.offer_id, 1600.0, Horizon.MIN10, "return a", 8, 0),
        ])  # fmt: skip
    found: list[tuple[str, ...]] = []

    def look() -> None:
        with connect_to_read(Home(tmp_path / "home").ledger) as ledger:
            found.extend(ledger.execute("SELECT offer_id, label FROM outcomes ORDER BY offer_id"))

    nights.does = look
    await school.study(50)
    school.close()

    assert found == [(f"weights-{number}", "accepted") for number in range(3)]


async def test_a_promoted_adapter_serves_from_then_on(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = opened(tmp_path, nights, monkeypatch, "new.gguf")
    await school.study(LEAST - 1)
    assert (school.adapter, nights.count) == (None, 0)
    await school.study(50)
    assert (school.adapter, nights.count) == (tmp_path / "new.gguf", 1)
    school.close()


async def test_after_a_kill_no_night_is_done_again_and_no_later_adapter_serves_earlier(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tmp_path, nights, monkeypatch, "new.gguf")
    await first.study(50)
    first.close()
    second = opened(tmp_path, nights, monkeypatch, "newer.gguf")

    assert second.adapter is None
    await second.study(50)
    assert (second.adapter, nights.count) == (tmp_path / "new.gguf", 1)
    await second.study(100)
    assert (second.adapter, nights.count) == (tmp_path / "newer.gguf", 2)
    second.close()


async def test_too_little_to_learn_is_no_failure_but_a_failed_training_is(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = opened(tmp_path, nights, monkeypatch)

    def too_little() -> None:
        raise NothingToLearnError("12 outcomes")

    def fails() -> None:
        raise JobError("no memory")

    nights.does = too_little
    await school.study(50)
    nights.does = fails
    with pytest.raises(EngineError, match="after 100 interactions: no memory"):
        await school.study(100)
    nights.does = lambda: None
    await school.study(100)
    assert nights.count == 3
    school.close()


async def test_a_replay_that_is_ended_ends_its_night(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night is in a thread, which nobody can cancel: it must end by itself, not an hour later."""
    school = opened(tmp_path, nights, monkeypatch)
    begun, cancelled, over = threading.Event(), threading.Event(), threading.Event()
    stopped: list[str] = []

    def work() -> None:
        begun.set()
        cancelled.wait(10)
        try:
            nights.report(Progress("train"))
        except TrainingStoppedError as error:
            stopped.append(str(error))
        over.set()

    nights.does = work
    task = asyncio.create_task(school.study(50))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled.set()
    await asyncio.to_thread(over.wait, 10)
    school.close()
    assert stopped == ["the replay was ended"]


async def test_a_whole_night_learns_from_what_was_replayed(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lesson, registry and promotion are real; only training and exam are made, for they take minutes."""
    lessons: list[Example] = []

    def train(files: JobFiles, on_progress: Callable[[Progress], None]) -> TrainingResult:
        lessons.extend(read_examples(files))
        return night_stubs.train(files, on_progress)

    made = partial(Night, train=train, examine=night_stubs.better)
    monkeypatch.setattr("learner.replay.school.Night", made)
    monkeypatch.setattr("learner.replay.stream.SNAPSHOTS", (0,))
    project = growing(tmp_path / "project", commits=16).root
    engine = MadeEngine(lambda request: "unlike_anything(there)")

    async def start(stack: AsyncExitStack, adapter: Path | None) -> MadeEngine:
        return engine

    options = ReplayOptions((project,), (ArmName.WEIGHTS,), 80)
    await replay(tmp_path / "replays", smollm, options, start, Meter(lambda _: None))

    assert sum(example.source is Source.OUTCOME for example in lessons) >= 20
    assert all(example.rejected == "unlike_anything(there)" for example in lessons if example.offer_id)
    served = [adapter for adapter in engine.adapters if adapter]
    assert served and served[-1].name == "adapter.gguf" and served[-1].is_file()
    assert engine.adapters[0] is None, "before the night there is no adapter"


@pytest.mark.timeout(900)
async def test_an_arm_with_weights_is_really_trained(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training is real here, in its own process, if short; only practice and exam are made."""
    trained: list[TrainingResult] = []

    def train(files: JobFiles, on_progress: Callable[[Progress], None]) -> TrainingResult:
        trained.append(run_training(files, on_progress))
        return trained[-1]

    made = partial(
        Night, train=train, examine=night_stubs.better, practise=lambda *_: Practice(), recite=lambda *_: {}
    )
    monkeypatch.setattr("learner.replay.school.Night", made)
    monkeypatch.setattr("learner.replay.school.MINUTES", 0.4)
    monkeypatch.setattr("learner.replay.stream.SNAPSHOTS", (0,))
    project = growing(tmp_path / "project", commits=16).root
    engine = MadeEngine(lambda request: "unlike_anything(there)")

    async def start(stack: AsyncExitStack, adapter: Path | None) -> MadeEngine:
        return engine

    options = ReplayOptions((project,), (ArmName.WEIGHTS,), 80)
    await replay(tmp_path / "replays", smollm, options, start, Meter(lambda _: None))

    (result,) = trained
    assert result.steps >= 1 and result.dropped_steps == 0
    served = engine.adapters[-1]
    assert served is not None
    weights = {tensor.name: tensor.data for tensor in gguf.GGUFReader(served).tensors}
    outward = [data for name, data in weights.items() if name.endswith("lora_b")]
    assert outward and all(np.abs(data).max() > 0 for data in outward), "an untrained adapter has zeros there"
