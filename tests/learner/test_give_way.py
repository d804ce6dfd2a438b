"""Training waits while something matters more, says why, and goes on or ends in time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from math import inf
from typing import TYPE_CHECKING

import psutil
import pytest

from learner.give_way import GiveWay, InterruptionError, Machine, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sensor = namedtuple("Sensor", "label current high critical")
Battery = namedtuple("Battery", "percent secsleft power_plugged")


class FakeMachine:
    """A machine at rest, until a test says otherwise; waiting moves its clock."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.key_at = -inf
        self.battery = False
        self.degrees = inf
        self.available = 4 << 30
        self.told: list[Reason] = []
        self.told_to_stop = False
        self.while_waiting: Callable[[], None] = lambda: None

    def seconds_since_key(self) -> float:
        return self.time - self.key_at

    def on_battery(self) -> bool:
        return self.battery

    def degrees_to_critical(self) -> float:
        return self.degrees

    def available_bytes(self) -> int:
        return self.available

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.time += seconds
            self.while_waiting()
        return self.told_to_stop

    def give_way(self, *reasons: Reason) -> GiveWay:
        return GiveWay(
            self,
            reasons or tuple(Reason),
            wait=self.wait,
            clock=lambda: self.time,
        )


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


def test_a_machine_at_rest_is_used(machine: FakeMachine):
    machine.give_way().make_room(machine.told.append)

    assert (machine.time, machine.told) == (1000.0, [])


def test_training_waits_until_the_keyboard_has_been_quiet(machine: FakeMachine):
    machine.key_at = machine.time - 1
    way = machine.give_way()

    way.make_room(machine.told.append)

    assert machine.seconds_since_key() >= 20
    assert machine.told == [Reason.TYPING]
    assert way.paused_s == pytest.approx(19, abs=1)


@pytest.mark.parametrize(
    ("reason", "begins", "not_yet_over", "over"),
    [
        (Reason.BATTERY, {"battery": True}, {"battery": True}, {"battery": False}),
        (Reason.HEAT, {"degrees": 4.0}, {"degrees": 14.0}, {"degrees": 16.0}),
        (Reason.MEMORY, {"available": 200 << 20}, {"available": 700 << 20}, {"available": 900 << 20}),
    ],
)
def test_a_pause_ends_only_when_its_reason_is_well_over(
    machine: FakeMachine, reason, begins, not_yet_over, over
):
    script = [not_yet_over] * 5 + [over]
    machine.while_waiting = lambda: vars(machine).update(script.pop(0))
    vars(machine).update(begins)

    machine.give_way().make_room(machine.told.append)

    assert script == []
    assert machine.told == [reason]


@pytest.mark.parametrize(
    ("reason", "holds"),
    [
        (Reason.TYPING, {"key_at": 1000.0}),
        (Reason.BATTERY, {"battery": True}),
        (Reason.HEAT, {"degrees": 0.0}),
        (Reason.MEMORY, {"available": 0}),
    ],
)
def test_a_reason_can_be_overridden(machine: FakeMachine, reason: Reason, holds: dict):
    vars(machine).update(holds)

    machine.give_way(*(other for other in Reason if other is not reason)).make_room(machine.told.append)

    assert machine.told == []


def test_a_second_reason_is_told_too(machine: FakeMachine):
    machine.key_at = machine.time
    machine.battery = True
    machine.while_waiting = lambda: setattr(machine, "battery", machine.time < 1100.0)

    machine.give_way().make_room(machine.told.append)

    assert machine.told == [Reason.TYPING, Reason.BATTERY]


def test_a_stop_ends_a_pause(machine: FakeMachine):
    machine.battery = True
    machine.while_waiting = lambda: setattr(machine, "told_to_stop", machine.time > 1010.0)

    with pytest.raises(InterruptionError, match="told to stop"):
        machine.give_way().make_room(machine.told.append)


def test_a_stop_is_heard_without_a_pause(machine: FakeMachine):
    machine.told_to_stop = True

    with pytest.raises(InterruptionError, match="told to stop"):
        machine.give_way().make_room(machine.told.append)


def test_a_pause_of_half_an_hour_gives_the_memory_back(machine: FakeMachine):
    machine.battery = True

    with pytest.raises(InterruptionError, match="paused for 30 min because the machine runs on battery"):
        machine.give_way().make_room(machine.told.append)


def test_the_machine_is_looked_at_twice_a_second_at_most(machine: FakeMachine):
    looks: list[float] = []
    machine.on_battery = lambda: bool(looks.append(machine.time))
    way = machine.give_way()

    for _ in range(100):
        way.make_room(machine.told.append)
        machine.time += 0.1

    assert len(looks) <= 21


def test_the_last_keystroke_is_the_files_time(tmp_path: Path):
    typing = tmp_path / "typing"
    machine = Machine(typing, now=lambda: 5000.0)
    assert machine.seconds_since_key() == inf

    typing.touch()
    os.utime(typing, (4990.0, 4990.0))
    assert machine.seconds_since_key() == 10.0

    os.utime(typing, (9999.0, 9999.0))
    assert machine.seconds_since_key() == inf, "a clock that was set back is no typing"


def test_sensors_that_do_not_know_their_limit_are_passed_over(monkeypatch: pytest.MonkeyPatch):
    sensors = {
        "nvme": [Sensor("", 45.0, 84.0, 65261.85)],
        "k10temp": [Sensor("", 70.0, None, None)],
        "coretemp": [Sensor("0", 92.0, 80.0, 100.0), Sensor("1", 60.0, 80.0, 0.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors, raising=False)

    assert Machine(None).degrees_to_critical() == 8.0


@pytest.mark.parametrize(
    ("battery", "expected"),
    [
        (None, False),
        (Battery(50, 1, None), False),
        (Battery(50, 1, True), False),
        (Battery(50, 1, False), True),
    ],
)
def test_only_an_unplugged_battery_counts(monkeypatch: pytest.MonkeyPatch, battery, expected):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)

    assert Machine(None).on_battery() is expected


def test_a_machine_without_probes_is_no_reason_to_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    machine = Machine(None)

    assert (machine.on_battery(), machine.degrees_to_critical()) == (False, inf)


def test_the_lowest_priority_is_taken():
    program = (
        "import psutil; from learner.give_way import lower_priority; "
        "lower_priority(); print(psutil.Process().nice())"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "19"
