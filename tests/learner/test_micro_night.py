"""The micro-night: when it is time for one, what it goes on from, and whom it gives way to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

import house
import night_stubs
import pytest
from fact_builders import NOON

from learner import micro_night
from learner.examples import Selection
from learner.job import JobError, TrainingOptions, read_examples, read_job
from learner.micro_night import LEAST_NEW, QUIET_S, REST_S, read_tries, waits_for
from learner.night_lock import NightLock, NothingToLearnError
from learner.nightly import Night, NightOptions, Verdict
from learner.registry import Adapter, Registry
from learner.training_process import TrainingStoppedError
from models.checksum import sha256_of
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path

FULL = NightOptions(Selection(repository=0, replay_share=0.1), TrainingOptions(give_way=()))
MICRO = replace(FULL, is_micro=True)
A_DAY = 60 * 90.0
"""Ninety outcomes take as many minutes."""


@dataclass
class Idle:
    """A machine that is at rest, but for what a test changes."""

    since_key: float = inf
    battery: bool = False

    def seconds_since_key(self) -> float:
        return self.since_key

    def on_battery(self) -> bool:
        return self.battery

    def degrees_to_critical(self) -> float:
        return inf

    def available_bytes(self) -> int:
        return 1 << 40


@pytest.fixture(autouse=True)
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else this machine does is no part of the tests."""
    monkeypatch.setattr("learner.micro_night.psutil.getloadavg", lambda: (0.0, 0.0, 0.0))


@pytest.fixture
def base(smollm: Path) -> str:
    return sha256_of(smollm)


@pytest.fixture
def worked(home: Path, smollm: Path) -> Home:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    house.record(home / "ledger.db", house.habits(90))
    return Home(home)


def night(home: Home, options: NightOptions, **parts: Any) -> Night:
    usual = {"train": night_stubs.train, "examine": night_stubs.better, "now": lambda: NOON + A_DAY}
    return Night(home, options, lambda _: None, **(usual | parts))


def served(home: Home, base: str) -> Adapter:
    serving = Registry(home).serving(base)
    assert serving is not None
    return serving


def record(home: Home, count: int) -> None:
    """Let so many outcomes be all there are, a minute apart."""
    home.ledger.unlink()
    house.record(home.ledger, house.habits(count))


class TestWhatItLearns:
    def test_it_goes_on_from_what_serves_with_what_that_has_not_learned_from(
        self, worked: Home, base: str
    ) -> None:
        night(worked, FULL).run()
        before = served(worked, base)
        record(worked, 115)
        seen: dict[str, Any] = {}

        def train(files: Any, on_progress: Any) -> Any:
            seen.update(start=read_job(files).start, examples=read_examples(files))
            return night_stubs.train(files, on_progress)

        result = night(worked, MICRO, train=train, now=lambda: NOON + 2 * A_DAY).run()
        after = served(worked, base)
        assert (result.verdict, after.id) == (Verdict.PROMOTED, result.adapter)
        assert seen["start"] == before.path
        assert (after.parent, after.report["is_micro"]) == (before.id, True)
        new = [example for example in seen["examples"] if example.offer_id]
        assert new
        assert min(example.at for example in new) >= (before.data_until or 0)
        assert (after.data_until or 0) > (before.data_until or 0)

    def test_a_full_night_asks_nothing_that_a_micro_night_has_learned(self, worked: Home, base: str) -> None:
        night(worked, FULL).run()
        record(worked, 115)
        night(worked, MICRO, now=lambda: NOON + 2 * A_DAY).run()
        learned = served(worked, base).data_until or 0
        asked: list[float] = []

        def examine(exam: Any, *others: Any) -> Any:
            asked.extend(example.at for example in exam.outcomes)
            return night_stubs.better(exam, *others)

        night(worked, FULL, examine=examine, now=lambda: NOON + 3 * A_DAY).run()
        assert len(asked) >= 20
        assert min(asked) > learned

    def test_a_full_night_begins_from_the_beginning_all_the_same(self, worked: Home, base: str) -> None:
        night(worked, FULL).run()
        night(worked, FULL, now=lambda: NOON + 3 * A_DAY).run()
        assert served(worked, base).parent is None


class TestWhenItIsTime:
    @pytest.fixture
    def learned(self, worked: Home) -> Home:
        """A home with a first night after an hour of sixty outcomes, and then fifty more."""
        record(worked, 60)
        night(worked, FULL, now=lambda: NOON + 3599).run()
        record(worked, 60 + LEAST_NEW)
        return worked

    def waits(self, home: Home, base: str, probes: Idle | None = None, at: float = NOON + 2 * A_DAY) -> str:
        return waits_for(home, base, at, probes or Idle())

    def test_after_enough_new_outcomes_on_an_idle_machine(self, learned: Home, base: str) -> None:
        assert self.waits(learned, base) == ""

    def test_not_before_a_first_night(self, worked: Home, base: str) -> None:
        assert "first whole night" in self.waits(worked, base)

    def test_not_while_somebody_types(self, learned: Home, base: str) -> None:
        assert self.waits(learned, base, Idle(since_key=QUIET_S - 1)) == "a pause in typing"
        assert self.waits(learned, base, Idle(since_key=QUIET_S)) == ""

    def test_not_on_battery(self, learned: Home, base: str) -> None:
        assert self.waits(learned, base, Idle(battery=True)) == "mains power"

    def test_not_while_something_else_works(
        self, learned: Home, base: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("learner.micro_night.psutil.getloadavg", lambda: (500.0, 0.0, 0.0))
        assert "an idle machine" in self.waits(learned, base)

    def test_not_with_adapters_switched_off(self, learned: Home, base: str) -> None:
        Registry(learned).promote(None, base, by="user")
        assert "switched off" in self.waits(learned, base)

    def test_not_for_a_model_that_the_night_would_not_train(self, learned: Home) -> None:
        assert "chose to serve" in self.waits(learned, "another")

    def test_a_refusal_doubles_what_has_to_be_new(self, learned: Home, base: str) -> None:
        night(learned, MICRO, examine=night_stubs.worse, now=lambda: NOON + 7000).run()
        assert f"({0} of {2 * LEAST_NEW} are new)" in self.waits(learned, base)

    def test_a_promotion_asks_for_the_usual_number_again(self, learned: Home, base: str) -> None:
        night(learned, MICRO, now=lambda: NOON + 7000).run()
        assert f"({0} of {LEAST_NEW} are new)" in self.waits(learned, base)

    def test_each_failure_in_a_row_doubles_the_rest(self, learned: Home, base: str) -> None:
        def failed(*_: Any) -> Any:
            raise JobError("no")

        began = NOON + 2 * A_DAY
        for rest in (2 * REST_S, 4 * REST_S):
            with pytest.raises(JobError):
                night(learned, MICRO, train=failed, now=lambda began=began: began).run()
            assert "rest since the last try" in self.waits(learned, base, at=began + rest - 1)
            assert self.waits(learned, base, at=began + rest) == ""
            began += rest

    def test_giving_way_is_no_failure(self, learned: Home) -> None:
        def stopped(*_: Any) -> Any:
            raise TrainingStoppedError("you are typing")

        with pytest.raises(TrainingStoppedError):
            night(learned, MICRO, train=stopped).run()
        assert read_tries(learned).fruitless == 0

    def test_a_killed_one_counts_as_failed(self, learned: Home) -> None:
        class Killed(BaseException):
            pass

        def killed(*_: Any) -> Any:
            raise Killed

        with pytest.raises(Killed):
            night(learned, MICRO, train=killed).run()
        assert read_tries(learned).fruitless == 1

    def test_a_damaged_note_counts_as_none(self, learned: Home, base: str) -> None:
        (learned.night / "micro.json").write_text("{")
        assert self.waits(learned, base) == ""


class TestOneAtATime:
    def test_a_micro_night_does_not_wait_for_a_full_one_nor_counts_the_try(self, worked: Home) -> None:
        with NightLock(worked, is_micro=False).held(), pytest.raises(NothingToLearnError, match="under way"):
            night(worked, MICRO).run()
        assert read_tries(worked) == micro_night.Tries()

    def test_two_full_nights_are_one_too_many_at_once(self, worked: Home) -> None:
        with NightLock(worked, is_micro=False).held(), pytest.raises(NothingToLearnError, match="under way"):
            night(worked, FULL).run()

    def test_a_full_night_ends_a_micro_night_which_keeps_its_work(self, worked: Home) -> None:
        """The micro-night is held in its training until the full one has asked."""
        micro_began, ended = threading.Event(), []

        def train(files: Any, on_progress: Any) -> Any:
            micro_began.set()
            while True:
                on_progress(night_stubs.Progress("train", 1, 2))

        def micro() -> None:
            try:
                night(worked, MICRO, train=train).run()
            except TrainingStoppedError as error:
                ended.append(str(error))

        thread = threading.Thread(target=micro)
        thread.start()
        assert micro_began.wait(5)
        result = night(worked, FULL).run()
        thread.join(5)
        assert ended == ["a full night begins"]
        assert result.verdict is Verdict.PROMOTED
        assert (worked.night / "micro" / "plan.json").exists()
        assert not (worked.night / "full-night-waits").exists()

    def test_what_a_killed_full_night_asked_for_is_forgotten(self, worked: Home) -> None:
        worked.night.mkdir(mode=0o700)
        (worked.night / "full-night-waits").touch()
        assert night(worked, MICRO).run().verdict is Verdict.PROMOTED
