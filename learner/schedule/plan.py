"""What is scheduled and when; each platform's module makes its own files of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

NAME = "nightschool-train"
"""What the entry is called, wherever entries have names."""
LEAST_MINUTES, MOST_MINUTES = 5, 24 * 60
MIN_OUTCOMES = 50
"""New outcomes that a run between two nights waits for, where nothing else is said."""


class ScheduleError(Exception):
    """The schedule cannot be installed, removed or read; the message says why and what to do."""


@dataclass(frozen=True)
class Clock:
    """A time of day, local."""

    hour: int
    minute: int

    @classmethod
    def parse(cls, text: str) -> Clock:
        """Return the time that ``text`` (``03:00``) says.

        Raises:
            ValueError: it says none.
        """
        found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
        if not found or int(found[1]) > 23 or int(found[2]) > 59:
            raise ValueError(f"{text!r} is no time of day; write it as 03:00")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


def parse_minutes(text: str) -> int:
    """Return the minutes that ``text`` (``90m``, ``2h``) says.

    Raises:
        ValueError: it says none, or fewer or more than make sense.
    """
    found = re.fullmatch(r"([0-9]{1,4})([mh])", text)
    minutes = int(found[1]) * (60 if found[2] == "h" else 1) if found else 0
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise ValueError(f"{text!r} is no interval from 5m to 24h; write it as 90m or 2h")
    return minutes


def interval(minutes: int) -> str:
    """Return ``minutes`` as :func:`parse_minutes` reads them."""
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


@dataclass(frozen=True)
class Plan:
    """Run ``program`` with ``arguments`` once a day at ``at``, or ``every`` so many minutes."""

    program: Path
    """The nightschool executable, absolute."""
    home: Path
    """What NIGHTSCHOOL_HOME is for the run, absolute."""
    at: Clock | None = None
    every: int | None = None
    min_outcomes: int | None = None
    """The run ends at once where there are fewer new outcomes."""

    def __post_init__(self) -> None:
        if (self.at is None) == (self.every is None):
            raise ValueError("a plan has either a time of day or an interval")
        for path in (self.program, self.home):
            if re.search(r"[\x00-\x1f\x7f]", str(path)):
                raise ScheduleError(
                    f"{str(path)!r} has a control character, which no scheduler can hold; rename it"
                )

    @property
    def arguments(self) -> tuple[str, ...]:
        least = () if self.min_outcomes is None else ("--min-outcomes", str(self.min_outcomes))
        return ("train", "--scheduled", *least)

    @property
    def when(self) -> str:
        """In words: ``at 03:00`` or ``every 90m``."""
        return f"at {self.at}" if self.at else f"every {interval(self.every or 0)}"


@dataclass(frozen=True)
class Entry:
    """What is installed, as the platform tells it."""

    scheduler: str
    """``systemd``, ``launchd``, ``task scheduler`` or ``cron``."""
    where: str
    """The file, task or table that holds it."""
    when: str
    """As the platform's own file has it."""
    command: str
    next_run: str | None = None
    """The platform's own words; None where it does not tell."""


class Scheduler(Protocol):
    """A platform's way to run something later."""

    name: str
    catches_up: bool
    """Whether a run that was missed in sleep is made up for."""

    def install(self, plan: Plan) -> None:
        """Make ``plan`` the one entry there is, in place of any before it.

        Raises:
            ScheduleError: the platform's own tool refuses.
        """
        ...

    def remove(self) -> bool:
        """Take the entry away, with all that belongs to it; return whether there was one."""
        ...

    def entry(self) -> Entry | None: ...
