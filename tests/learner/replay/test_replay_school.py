"""A replay's nights: which adapter serves when, and that a killed replay never sees a later one."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Settlement
from learner.job import JobError
from learner.ledger_file import connect_to_read
from learner.nightly import Night, NothingToLearnError
from learner.replay.school import LEAST, NightSchool
from models.engine import EngineError
from models.home import Home
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.nightly import NightResult

BASE = "b" * 64


class Nights:
    """Stands in for whole nights: says how many there were, and what each does."""

    def __init__(self) -> None:
        self.count = 0
        self.does: Callable[[], None] = lambda: None

    def run(self, night: Night) -> NightResult:
        self.count += 1
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


def test_what_came_of_offers_is_in_the_ledger_before_the_night(
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
    school.study(50)
    school.close()

    assert found == [(f"weights-{number}", "accepted") for number in range(3)]


def test_a_promoted_adapter_serves_from_then_on(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = opened(tmp_path, nights, monkeypatch, "new.gguf")
    school.study(LEAST - 1)
    assert (school.adapter, nights.count) == (None, 0)
    school.study(50)
    assert (school.adapter, nights.count) == (tmp_path / "new.gguf", 1)
    school.close()


def test_after_a_kill_no_night_is_done_again_and_no_later_adapter_serves_earlier(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tmp_path, nights, monkeypatch, "new.gguf")
    first.study(50)
    first.close()
    second = opened(tmp_path, nights, monkeypatch, "newer.gguf")

    assert second.adapter is None
    second.study(50)
    assert (second.adapter, nights.count) == (tmp_path / "new.gguf", 1)
    second.study(100)
    assert (second.adapter, nights.count) == (tmp_path / "newer.gguf", 2)
    second.close()


def test_too_little_to_learn_is_no_failure_but_a_failed_training_is(
    tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = opened(tmp_path, nights, monkeypatch)

    def too_little() -> None:
        raise NothingToLearnError("12 outcomes")

    def fails() -> None:
        raise JobError("no memory")

    nights.does = too_little
    school.study(50)
    nights.does = fails
    with pytest.raises(EngineError, match="after 100 interactions: no memory"):
        school.study(100)
    nights.does = lambda: None
    school.study(100)
    assert nights.count == 3
    school.close()


def test_ctrl_c_ends_a_night_at_once(tmp_path: Path, nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night does not await: asyncio's own way of taking Ctrl-C would let it go on for an hour."""
    school = opened(tmp_path, nights, monkeypatch)
    went_on: list[bool] = []

    def is_interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        went_on.append(True)

    async def study() -> None:
        school.study(50)

    nights.does = is_interrupted
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(study())
    school.close()
    assert not went_on
