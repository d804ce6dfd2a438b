"""The micro-night: when a short training between two nights is worth it, and when it rests.

Everything that it decides on is on the disk, so that several servers, and one that was just started, come to
the same answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psutil

from learner.current import OFF
from learner.ledger_file import connect_to_read
from learner.night_needs import NightFailedError, check_machine
from learner.registry import Registry
from learner.schema import NewerLedgerError
from learner.training_process import TrainingStoppedError
from models.checksum import remembered_sha256
from models.choice import model_path
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.give_way import Probes
    from models.home import Home

MINUTES = 30.0
"""The whole micro-night, half of which is the exam: keystroke to weights stays below 90 minutes."""
PATIENCE_MINUTES = 5.0
"""A longer pause ends it, which gives its memory back; the next one goes on from there."""
LEAST_NEW = 50
"""Outcomes that are newer than the last adapter; twice as many for each one since that which serves ..."""
_MOST_DOUBLINGS = 4
"""... up to 800: refusals say that there is little to learn, not that there never will be."""
QUIET_S = 180.0
"""Nobody has typed for so long, in any editor."""
REST_S = 1800.0
"""Between two tries; twice as long for each one in a row that came to nothing."""
_LONGEST_REST_S = 24 * 3600.0
_LOAD = 0.5
"""Of the cores, busy with other things in the last minute: more is no idle machine."""
REPOSITORY = 100
"""Examples of the developer's files: enough to hold what the new outcomes stand in."""


@dataclass(frozen=True)
class Tries:
    """What came of the last tries."""

    at: float = 0.0
    """When the last one began; unix time."""
    fruitless: int = 0
    """Those in a row that made no adapter. A refused one counts where adapters are counted."""

    @property
    def rest_until(self) -> float:
        return self.at + min(REST_S * 2.0**self.fruitless, _LONGEST_REST_S)


def read_tries(home: Home) -> Tries:
    """Return what came of the last tries; what cannot be read is none."""
    try:
        return Tries(**json.loads(_file(home).read_text("ascii")))
    except (OSError, ValueError, TypeError):
        return Tries()


@contextmanager
def counted_try(home: Home, now: float) -> Iterator[None]:
    """Note a try that begins at ``now``, and what comes of it; a kill counts as nothing.

    One that gave way, to typing or to a full night, is no failure.
    """
    before = read_tries(home)
    _write(home, Tries(now, before.fruitless + 1))
    try:
        yield
    except (TrainingStoppedError, KeyboardInterrupt):
        _write(home, Tries(now, before.fruitless))
        raise
    _write(home, Tries(now))


def waits_for(home: Home, base: str, now: float, probes: Probes) -> str:
    """Return what a micro-night for the model with SHA-256 ``base`` waits for; empty where it is time.

    It costs a query of the ledger at most; not for the event loop.

    Args:
        now: unix time.
        probes: of this machine.
    """
    if remembered_sha256(model_path(home)) != base:
        return "the model that `nightschool model use` chose to serve"
    registry = Registry(home)
    made = [adapter for adapter in registry.adapters() if adapter.base == base]
    if not made:
        return "a first whole night (nightschool train), which shows that this machine can"
    choice = registry.choice(base)
    if choice.adapter == OFF and choice.since:
        return "an adapter to be chosen: they were switched off"
    if (tries := read_tries(home)).rest_until > now >= tries.at:
        return f"{(tries.rest_until - now) / 60:.0f} more minutes of rest since the last try"
    if probes.seconds_since_key() < QUIET_S:
        return "a pause in typing"
    serving = registry.serving(base)
    newer = sum(adapter.created > (serving.created if serving else 0.0) for adapter in made)
    needed = LEAST_NEW << min(newer, _MOST_DOUBLINGS)
    if (found := _new_outcomes(home, made[0].created)) < needed:
        return f"{needed - found} more outcomes ({found} of {needed} are new)"
    return _machine_is_busy(home, probes)


def _machine_is_busy(home: Home, probes: Probes) -> str:
    if probes.on_battery():
        return "mains power"
    load, _, _ = psutil.getloadavg()
    if load > _LOAD * (os.cpu_count() or 1):
        return f"an idle machine (its load is {load:.1f})"
    try:
        check_machine(model_path(home), home)
    except (NightFailedError, OSError) as error:
        return str(error)
    return ""


def _new_outcomes(home: Home, since: float) -> int:
    """Return how many outcomes after ``since`` can teach something."""
    try:
        with closing(connect_to_read(home.ledger)) as ledger:
            (found,) = ledger.execute(
                "SELECT count(*) FROM offers JOIN verdicts ON verdicts.offer = offers.id"
                " WHERE offered_at > ? AND label NOT IN ('unseen', 'superseded')",
                (since,),
            ).fetchone()
    except (FileNotFoundError, sqlite3.Error, NewerLedgerError):
        return 0
    return found


def _file(home: Home) -> Path:
    return home.night / "micro.json"


def _write(home: Home, tries: Tries) -> None:
    path = private_directory(home.night) / _file(home).name
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(part, "w", encoding="ascii", opener=private_opener) as file:
        json.dump(asdict(tries), file)
    part.replace(path)
