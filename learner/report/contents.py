"""All that the report says, as figures and words: the page, the terminal and ``--json`` show the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from learner.gate.report import gate_report
from learner.gate.shipped import PriorError
from learner.registry import Registry
from learner.report.lessons import WEEK_S, week
from learner.report.nights import nights, switches
from learner.report.patterns import PatternsError, patterns
from learner.report.slope import SlopeError, read_slope
from learner.stats import By, stats

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from learner.gate.report import GateReport
    from learner.report.lessons import Week
    from learner.report.nights import Night, Switch
    from learner.report.patterns import Pattern
    from learner.report.slope import Slope
    from learner.stats import Stats
    from models.home import Home

T = TypeVar("T")

DAYS = 90
"""So many days are shown at most, up to the last one with an offer."""


@dataclass(frozen=True)
class Contents:
    """What there is to report; without a ledger there are no offers, and so on."""

    made_at: float
    """Unix time, as all times here."""
    all: Stats | None
    days: tuple[Stats, ...]
    """Oldest first; none for a day without an offer."""
    adapters: tuple[Stats, ...]
    """What became of the offers that each made."""
    week: Week | None
    patterns: tuple[Pattern, ...]
    gate: GateReport | None
    """None where nothing was offered that it could be judged by."""
    nights: tuple[Night, ...]
    switches: tuple[Switch, ...]
    slope: Slope | None
    warnings: tuple[str, ...]
    """What could not be read, and why."""

    @property
    def is_empty(self) -> bool:
        return not (self.all or self.nights or self.slope)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def gather(home: Home, connection: sqlite3.Connection | None, now: float) -> Contents:
    """Return what the home's files say; ``connection`` is the ledger's, None where there is none yet."""
    warnings: list[str] = []
    registry = Registry(home, warnings.append)
    everything = stats(connection) if connection else []
    return Contents(
        made_at=now,
        all=everything[0] if everything else None,
        days=tuple(_newest(stats(connection, By.DAY))) if connection else (),
        adapters=tuple(stats(connection, By.ADAPTER)) if connection else (),
        week=week(connection, now) if connection else None,
        patterns=_or_warn(lambda: patterns(home.memory, now - WEEK_S), warnings) or (),
        gate=_or_warn(lambda: _gate(connection), warnings) if connection else None,
        nights=tuple(nights(registry)),
        switches=tuple(switches(registry)),
        slope=_or_warn(lambda: read_slope(home.replay_result), warnings),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _gate(connection: sqlite3.Connection) -> GateReport | None:
    found = gate_report(connection)
    return found if found.calibration else None


def _newest(days: list[Stats]) -> list[Stats]:
    if not days:
        return []
    last = day_number(days[-1])
    return [day for day in days if day_number(day) > last - DAYS]


def day_number(day: Stats) -> int:
    """Return the day's number in the calendar."""
    return date.fromisoformat(day.group).toordinal()


def _or_warn(read: Callable[[], T], warnings: list[str]) -> T | None:
    """What cannot be read is told and left out: the rest of the report is right without it."""
    try:
        return read()
    except (PatternsError, PriorError, SlopeError) as error:
        warnings.append(str(error))
        return None
