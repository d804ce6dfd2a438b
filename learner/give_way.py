"""When training makes room: lowest priority always, and a pause while something else matters more."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Protocol

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


class Reason(StrEnum):
    """Why training pauses."""

    TYPING = "typing"
    BATTERY = "battery"
    HEAT = "heat"
    MEMORY = "memory"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Reason.TYPING: "you are typing",
    Reason.BATTERY: "the machine runs on battery",
    Reason.HEAT: "the machine is hot",
    Reason.MEMORY: "the machine is short of memory",
}


class InterruptionError(Exception):
    """Training is to end before it is done; the message says why. What was learned so far is not lost."""


@dataclass(frozen=True)
class Limits:
    """Where a pause begins and, a little further, ends: at the limit itself it would begin again at once."""

    quiet_s: float = 20.0
    """So long after the last keystroke nobody is typing any more."""
    degrees: float = 5.0
    """A pause begins this close to a sensor's critical temperature..."""
    cooled_degrees: float = 15.0
    """...and ends this far below it."""
    available_bytes: int = 300 << 20
    """A pause begins with less memory left to other programs..."""
    ample_bytes: int = 800 << 20
    """...and ends with this much."""
    patience_s: float = 1800.0
    """A longer pause ends the training, so that it does not hold its memory all day."""
    look_s: float = 0.5
    """The machine is looked at no more often than this."""


class Probes(Protocol):
    """What can be seen of the machine and its user."""

    def seconds_since_key(self) -> float: ...

    def on_battery(self) -> bool: ...

    def degrees_to_critical(self) -> float: ...

    def available_bytes(self) -> int: ...


class Machine:
    """The probes of this machine."""

    def __init__(self, typing: Path | None, now: Callable[[], float] = time.time) -> None:
        """``typing`` is the file that a server touches with each keystroke; None where there is none."""
        self._typing, self._now = typing, now

    def seconds_since_key(self) -> float:
        if self._typing is None:
            return inf
        try:
            since = self._now() - self._typing.stat().st_mtime
        except OSError:
            return inf
        # A clock that was set back would else stop training until it has caught up.
        return since if since > -1.0 else inf

    def on_battery(self) -> bool:
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        return battery is not None and battery.power_plugged is False

    def degrees_to_critical(self) -> float:
        """The hottest sensor's distance from its critical temperature; infinite where none tells it."""
        sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
        return min(
            (
                entry.critical - entry.current
                for entries in sensors.values()
                for entry in entries
                # Drivers that do not know it say 0, or 65,261 degrees.
                if entry.critical and 40.0 < entry.critical < 130.0 and entry.current > 0.0
            ),
            default=inf,
        )

    def available_bytes(self) -> int:
        return psutil.virtual_memory().available


class GiveWay:
    """Holds training while there is a reason to."""

    def __init__(
        self,
        probes: Probes,
        reasons: Collection[Reason],
        *,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
    ) -> None:
        """
        Args:
            reasons: the ones that count; others are not looked for.
            wait: sleeps so many seconds, and says whether training is to end.
            clock: seconds, monotonic.
        """
        self._probes, self._reasons = probes, reasons
        self._wait, self._clock = wait, clock
        self._limits = limits or Limits()
        self._looked_at = -inf
        self.paused_s = 0.0
        """How long training was held, in all."""

    def make_room(self, on_pause: Callable[[Reason], None]) -> None:
        """Return as soon as there is no reason to pause: usually at once.

        Args:
            on_pause: told each reason of a pause once, as it begins.

        Raises:
            InterruptionError: training is to end, or the pause became too long.
        """
        if self._wait(0.0):
            raise InterruptionError("told to stop")
        if self._clock() - self._looked_at < self._limits.look_s:
            return
        reason = self._reason(ended=None)
        if reason:
            self._hold(reason, on_pause)
        self._looked_at = self._clock()

    def _hold(self, reason: Reason | None, on_pause: Callable[[Reason], None]) -> None:
        began, told = self._clock(), None
        while reason:
            if reason is not told:
                on_pause(reason)
                told = reason
            is_over = self._wait(self._limits.look_s)
            paused = self._clock() - began
            if is_over or paused > self._limits.patience_s:
                why = (
                    "told to stop"
                    if is_over
                    else f"paused for {paused / 60:.0f} min because {reason.sentence}"
                )
                raise InterruptionError(why)
            reason = self._reason(ended=reason)
        self.paused_s += self._clock() - began

    def _reason(self, *, ended: Reason | None) -> Reason | None:
        """Return a reason to pause; ``ended`` is the one to be judged by where it ends, not begins."""
        limits, probes = self._limits, self._probes
        degrees = limits.cooled_degrees if ended is Reason.HEAT else limits.degrees
        room = limits.ample_bytes if ended is Reason.MEMORY else limits.available_bytes
        found: dict[Reason, Callable[[], bool]] = {
            Reason.TYPING: lambda: probes.seconds_since_key() < limits.quiet_s,
            Reason.BATTERY: probes.on_battery,
            Reason.HEAT: lambda: probes.degrees_to_critical() < degrees,
            Reason.MEMORY: lambda: probes.available_bytes() < room,
        }
        return next((reason for reason, holds in found.items() if reason in self._reasons and holds()), None)


def lower_priority() -> None:
    """Let every other process go first, with the processor and with the disk."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.IDLE_PRIORITY_CLASS)
        process.ionice(psutil.IOPRIO_VERYLOW)
        return
    process.nice(19)
    if sys.platform == "linux":
        process.ionice(psutil.IOPRIO_CLASS_IDLE)
