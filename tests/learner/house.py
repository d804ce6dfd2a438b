"""Days of outcomes in a small project, as the ledger has them: one with habits to learn, one without."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fact_builders import NOON, event, offered, session, settlement

from learner.distance import edit_distance, kept_chars
from learner.facts import EventKind, Horizon
from learner.ledger import Ledger
from models.engine import Candidate
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.facts import Fact

VERBS = ("load", "save", "count", "merge", "print", "drop", "sort", "pack", "send", "read", "check", "move")
NOUNS = ("orders", "books", "loans", "shelves", "readers", "letters", "fines", "rooms", "keys", "cards")
DESKS = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Moment:
    """One completion: what stood around the cursor, what was offered, what was wanted."""

    prefix: str
    wanted: str
    offered: str


def habits(count: int, seed: int = 1) -> list[Moment]:
    """Every function of this house begins with an audit line that no model can know."""
    choose = random.Random(seed)
    names = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    return [
        Moment(
            f'"""{name}."""\nfrom house import audit, Desk\n\n\ndef {name}(desk):\n    ',
            f'audit.enter("{name}", desk=Desk.{choose.choice(DESKS).upper()}, calm=True)',
            "return desk",
        )
        for name in choose.sample(names, count)
    ]


def noise(count: int, seed: int = 1) -> list[Moment]:
    """What settled has nothing to do with where it stands: there is nothing to learn."""
    choose = random.Random(seed)
    moments = []
    for number in range(count):
        name = f"{choose.choice(VERBS)}_{choose.choice(NOUNS)}_{number}"
        words = [choose.choice((*VERBS, *NOUNS, *DESKS)) for _ in range(choose.randint(1, 5))]
        wanted = choose.choice((" ", "_", ".", ", ", " + ")).join(words)
        moments.append(Moment(f"def {name}(desk):\n    ", wanted, "return desk"))
    return moments


def record(path: Path, moments: list[Moment], *, files: int = 12) -> None:
    """Record each moment as an offer that was replaced by what was wanted, a minute apart."""
    troubles: list[str] = []
    ledger = Ledger.open(path, on_trouble=troubles.append, clock=lambda: NOON)
    for fact in facts(moments, files):
        ledger.record(fact)
    assert ledger.close()
    assert troubles == []


def facts(moments: list[Moment], files: int) -> Iterator[Fact]:
    yield session()
    for number, moment in enumerate(moments):
        offer_id = f"o{number}"
        file = f"file:///house/module_{number % files}.py"
        yield offered(
            offer_id,
            offered_at=NOON + 60 * number,
            uri=file,
            project="/house",
            line=moment.prefix.count("\n"),
            column=len(moment.prefix.rpartition("\n")[2]),
            text=moment.offered,
            prompt=Prompt(moment.prefix, "\n", file.rpartition("/")[2], "house"),
            candidates=(Candidate(moment.offered, (-0.5,), "newline"),),
        )
        yield event(EventKind.DIVERGED, offer_id=offer_id, length=0)
        kept, distance = (
            kept_chars(moment.offered, moment.wanted),
            edit_distance(moment.offered, moment.wanted),
        )
        for horizon in (Horizon.S30, Horizon.MIN10):
            yield settlement(moment.wanted, horizon, kept, distance, offer_id)
