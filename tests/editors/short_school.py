"""``nightschool`` whose nights are short: real training of a small model, and a small exam.

Usage: python -m tests.editors.short_school COMMAND..., with NIGHTSCHOOL_HOME

All is real but for the night's size: no examples from files, few outcomes quickly learned, and no waiting
until nobody types; the exam is whole. :func:`record_days` makes the days before it.
"""

from __future__ import annotations

import functools
import json
import shlex
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from learner import train_cli
from learner.distance import edit_distance, kept_chars
from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Session, Settlement
from learner.ledger import Ledger
from learner.nightly import Night as WholeNight
from lsp_server import cli, server
from lsp_server.night import Night
from models.engine import Candidate
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from learner.job import Progress
    from learner.nightly import NightOptions
    from models.home import Home

ROOT = Path(__file__).parents[2]
MODEL = "smollm2-135m"
DAYS = 60
"""Outcomes in the days before; a night needs 40."""
VERBS = ("load", "save", "count", "merge", "print", "drop", "sort", "pack")
NOUNS = ("orders", "books", "loans", "shelves", "readers", "letters", "fines", "rooms")
NAMES = tuple(f"{verb}_{noun}" for verb in VERBS for noun in NOUNS)
OFFERED = "desk.entry"


@dataclass(frozen=True)
class Place:
    """The beginning of a function in a house where each begins with an audit entry that no model can know."""

    name: str

    @property
    def before(self) -> str:
        """The file up to the cursor."""
        return f'"""{self.name}."""\nfrom house import audit, Desk\n\n\ndef {self.name}(desk):\n    entry = '

    @property
    def begun(self) -> str:
        """What each function's line begins with."""
        return f'audit.enter("{self.name}", desk=Desk.'

    @property
    def wanted(self) -> str:
        return f"{self.begun}NORTH, calm=True)"


CORRECTED, LIKE = Place(NAMES[-2]), Place(NAMES[-1])
"""The place where the developer corrects an offer, and the one where the next should be right."""


def record_days(home: Path) -> None:
    """Let the ledger hold days in which the offer was replaced by the house's line again and again."""
    (home / "model.json").write_text(json.dumps({"model": MODEL}))
    troubles: list[str] = []
    ledger = Ledger.open(home / "ledger.db", on_trouble=troubles.append)
    for fact in _facts(time.time() - 3600 - 60 * DAYS):
        ledger.record(fact)
    assert ledger.close()
    assert troubles == []


def _facts(began: float) -> Iterator[Session | Offered | Event | Settlement]:
    yield Session("days", began, "an editor", "0", 1)
    # Each file has functions of several names, in an order that is not the alphabet's.
    for number in range(DAYS):
        place, at, offer_id = (
            Place(NAMES[number * 37 % (len(NAMES) - 2)]),
            began + 60 * number,
            f"day{number}",
        )
        file = f"module_{number % 12}.py"
        wanted = place.wanted.replace("NORTH", ("NORTH", "EAST")[number % 2])
        yield Offered(
            offer_id, "days", at, f"file:///house/{file}", "/house", "python", place.before.count("\n"), 12,
            OFFERED, 0, Prompt(place.before, "\n", file, "house"), "ltr-1", "f" * 64, None,
            (Candidate(OFFERED, (-0.5,), "newline"),), None, False, Served.MODEL, 100.0,
        )  # fmt: skip
        yield Event(offer_id, at + 1, EventKind.DIVERGED, KnownBy.INFERRED, 0)
        kept, distance = kept_chars(OFFERED, wanted), edit_distance(OFFERED, wanted)
        for horizon in (Horizon.S30, Horizon.MIN10):
            yield Settlement(offer_id, at + 10, horizon, wanted, kept, distance)


def short_school(home: Path) -> list[str]:
    """Return a command like ``nightschool`` that works in ``home``."""
    script = home / "nightschool"
    script.write_text(
        f"#!/bin/sh\nexport NIGHTSCHOOL_HOME={shlex.quote(str(home))} PYTHONPATH={ROOT}\n"
        f'exec {sys.executable} -m tests.editors.short_school "$@"\n'
    )
    script.chmod(0o755)
    return [str(script)]


def _short(home: Home, options: NightOptions, on_progress: Callable[[Progress], None]) -> WholeNight:
    selection = replace(options.selection, repository=0)
    training = replace(
        options.training, epochs=5, learning_rate=1e-3, anchor=0.3, memory_mb=2000, give_way=()
    )
    return WholeNight(home, replace(options, selection=selection, training=training), on_progress)


def main(words: list[str]) -> None:
    if words[0] == "train":
        train_cli.Night = _short
    else:
        night = (sys.executable, "-m", "tests.editors.short_school", "train", "--json", "--progress")
        server.Night = functools.partial(Night, command=night)
    cli.main(words)


if __name__ == "__main__":
    main(sys.argv[1:])
