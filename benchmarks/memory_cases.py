"""The same correction made once: is the like place next time right? 100 scripted cases through the server.

    python benchmarks/memory_cases.py [--minutes N] [--report]

A case is a house rule that no model can know. In one file the developer is offered something else and types
what the house writes, key by key; after twelve seconds (a clock that is turned) another function in another
file, of other nouns, comes to the same point. Right is a first offer that is exactly what the house writes.
*frozen* is the same server with the memory off, asked at the same place after the same correction. Both share
one engine. Each case begins with an empty home.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "lsp_server"))

from in_process import Client  # pyright: ignore[reportMissingImports]
from pipe import model_file
from report import SCRATCH, Figure, append_row, at_least, at_most, publish, read_rows
from resumable import options_parser

from models.checksum import sha256_of
from models.engine import EngineOptions
from models.primers import primer_path
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    import argparse

    from models.engine import Completion, Engine, Request

ROWS = SCRATCH / "memory_cases.jsonl"
CASES = 100
TARGET = 0.6
NOUNS = (
    ("order", "invoice"),
    ("parcel", "ticket"),
    ("tenant", "branch"),
    ("meter", "sensor"),
    ("recipe", "menu"),
)
RULES = (
    ("    log = ", "house_log.bound(__name__, ring=RING_7)"),
    ("    raise ", "Refusal.because(Reason.STALE, retry_in=HALF_A_DAY)"),
    ("    session = ", "await self.pool.borrow(label='slow', patience=3.5)"),
    ("    clock = ", "TimeSource.pinned_to(self.ledger_day)"),
    ("    config = ", "read_house_config('quarry', strict=not DRY_RUN)"),
    ("    return ", "Envelope(payload=found, seal=SEAL_B, hops=0)"),
    ("    with ", "guarded(self.vault, owner='night shift') as vault:"),
    ("    metrics.", "tally('visits', by=self.zone, weight=0.25)"),
    ("    await ", "self.bus.tell(Topic.MOVED, urgent=False, copies=2)"),
    ("    retry = ", "Patience(tries=5, first=0.2, grows=1.7)"),
    ("    key = ", "fingerprint_of(self, salt=PEPPER, rounds=9)"),
    ("    rows = ", "self.store.sift(where=LIVE_ONLY, page=Page.wide())"),
    ("    assert ", "is_settled(self.state), explain(self.state)"),
    ("    cache = ", "TideCache(spill=self.attic, turns=12)"),
    ("    timeout = ", "budget.share(0.35, floor_ms=40)"),
    ("    client = ", "QuarryClient.over(self.pipe, tongue='v7')"),
    ("    flags = ", "Flags.of_ring(RING_7).without('teal')"),
    ("    reply = ", "self.desk.ask_twice(question, quorum=2)"),
    ("    path = ", "self.roots.attic / shelf_name(self.zone)"),
    ("    schedule = ", "Rota.every(fortnight=1, skip=HOLIDAYS_NORTH)"),
)


@dataclass(frozen=True)
class Case:
    name: str
    here: str
    there: str
    before: str
    right: str


def cases() -> list[Case]:
    found = []
    for number, (before, right) in enumerate(RULES):
        for one, other in NOUNS:
            found.append(Case(f"{number}-{one}", _file(one, before), _file(other, before), before, right))
    return found[:CASES]


def _file(noun: str, before: str) -> str:
    """Return a file whose last line is begun as the rule's."""
    return (
        f"from house import *\n\n\nclass {noun.title()}Desk:\n    zone = 'north'\n\n\n"
        f"async def settle_{noun}(self, {noun}, question=None):\n"
        f'    """Bring one {noun} to its end."""\n'
        f"    found = self.find({noun}.id)\n"
        f"{before}"
    )


class Shared:
    """One engine for all cases: a session may begin and end without it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def make(self, *_: object) -> Shared:
        return self

    @property
    def status(self) -> Any:
        return self._engine.status

    async def start(self) -> None:
        """It runs already."""

    async def close(self) -> None:
        """It serves the next case."""

    async def use_adapter(self, path: Path | None) -> None:
        """The primer serves every case."""

    async def complete(self, request: Request) -> Completion | None:
        return await self._engine.complete(request)


async def offered_after_correction(case: Case, engine: Shared, *, memory: bool) -> tuple[str, str, str]:
    """Correct once; return what was offered there, what is offered at the like place, and from where."""
    with tempfile.TemporaryDirectory() as home:
        client = Client(Path(home), engine)
        try:
            await client.initialize(memory=memory, gate=0)
            here = await _ghost(client, "file:///project/here.py", case.here, case.before)
            for count, key in enumerate(case.right):
                line = case.here.count("\n")
                client.type(line, len(case.before) + count, key, "file:///project/here.py")
            client.clock.seconds += 12
            session = client.server.session
            session._look_at_offers()
            if session._memory._memory is not None:
                await asyncio.to_thread(session._memory._memory.flush, 20)
            there = await _ghost(client, "file:///project/there.py", case.there, case.before)
            return here, there, (await client.status())["last_completion"]["served"] or ""
        finally:
            await client.server.close()


async def _ghost(client: Client, uri: str, text: str, before: str) -> str:
    client.open(text, uri)
    answers = await client.texts(text.count("\n"), len(before), uri=uri)
    client.clock.seconds += 1
    return answers[0] if answers else ""


async def run(options: argparse.Namespace) -> bool:
    """Play the cases that have no row yet; return whether all are played."""
    SCRATCH.mkdir(exist_ok=True)
    done = {row["case"] for row in read_rows(ROWS)}
    deadline = time.monotonic() + 60 * options.minutes
    model = model_file(options.model)
    settings = EngineOptions(threads=options.threads, adapter=primer_path(sha256_of(model)))
    engine = ChildEngine(model, settings, lambda status: None)
    await engine.start()
    try:
        for case in [each for each in cases() if each.name not in done]:
            row: dict[str, Any] = {"case": case.name, "right": case.right}
            for arm, memory in (("memory", True), ("frozen", False)):
                here, there, served = await offered_after_correction(case, Shared(engine), memory=memory)
                is_right = there == case.right
                row[arm] = {"before": here, "offered": there, "served": served, "is_right": is_right}
            append_row(ROWS, row)
            if time.monotonic() > deadline:
                return False
    finally:
        await engine.close()
    return True


def figures(rows: list[dict[str, Any]]) -> list[Figure]:
    shares = {arm: sum(row[arm]["is_right"] for row in rows) / len(rows) for arm in ("memory", "frozen")}
    served = Counter(row["memory"]["served"] for row in rows if row["memory"]["is_right"])
    sources = ", ".join(f"{count} from {source or 'nobody'}" for source, count in served.items())
    note = f"{len(rows)} cases; {sources}"
    return [
        at_least("right at the like place, with memory", shares["memory"], TARGET, note),
        at_most("right at the like place, frozen", shares["frozen"], 0.0, f"{len(rows)} cases"),
    ]


def main() -> None:
    options = options_parser(__doc__).parse_args()
    if not options.report and not asyncio.run(run(options)):
        sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(ROWS)
    if not rows:
        sys.exit(f"{ROWS} holds no cases; run without --report first")
    publish("memory_cases", figures(rows), {"cases": rows}, options.to)


if __name__ == "__main__":
    main()
