"""The ledger at a million offers: insert rate, bytes per offer, `stats`, and what record() costs the caller.

Run: python benchmarks/ledger.py [OFFERS]. The offers play a developer who types through real source files
(the standard library's): a prediction at every third keystroke, a context of 120 lines that moves along and
three chunks of other files, two events and three settlements for each.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from learner.facts import Event, EventKind, Fact, Horizon, KnownBy, Offered, Served, Session, Settlement
from learner.ledger import BATCH, Ledger, _Writer
from learner.ledger_file import connect_to_read
from learner.privacy import PrivacyFilter
from learner.retention import used_bytes
from learner.stats import By, stats
from models.engine import Candidate
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

ABOVE, BELOW = 80, 40
"""Lines of the window before and after the cursor's line."""
DAYS = 180
MODEL = "0123456789abcdef" * 4
KINDS = (
    [EventKind.ACCEPTED] * 6 + [EventKind.DIVERGED] * 7 + [EventKind.TYPED] * 2
    + [EventKind.PARTIAL] + [EventKind.IGNORED] * 2 + [EventKind.UNSEEN] * 2
)  # fmt: skip


def typing(offers: int) -> Iterator[tuple[Fact, ...]]:
    """Yield each offer with its course, as a developer types file after file."""
    chance = random.Random(1)
    sources = sorted(Path(statistics.__file__).parent.glob("*.py"))
    yield (Session("bench", 1_780_000_000.0, "benchmark", "0", 1),)
    made = 0
    while True:
        for source in sources:
            lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
            chunks = tuple(
                Chunk(f"c{n}.py", "".join(lines[at : at + 20])) for n, at in enumerate((0, 50, 100))
            )
            for number, line in enumerate(lines):
                for column in range(0, len(line) - 1, 3):
                    if made == offers:
                        return
                    at = 1_780_000_000.0 + made * DAYS * 86_400 / offers
                    yield course(f"bench-{made:09}", at, source, lines, chunks, number, column, chance)
                    made += 1


def course(
    offer_id: str,
    at: float,
    source: Path,
    lines: list[str],
    chunks: tuple[Chunk, ...],
    number: int,
    column: int,
    chance: random.Random,
) -> tuple[Fact, ...]:
    line = lines[number]
    text = line[column:].rstrip("\n")
    # As the server's window does, the far end moves in steps of its own, not with every line.
    first = max(0, number - ABOVE) // 16 * 16
    prompt = Prompt(
        "".join(lines[first:number]) + line[:column],
        "\n" + "".join(lines[number + 1 : number + BELOW]),
        source.name,
        "lib",
        chunks,
    )
    kind = chance.choice(KINDS)
    candidate = Candidate(text, tuple(-chance.random() for _ in range(len(text) // 4 + 1)), "newline")
    offer = Offered(
        offer_id, "bench", at, source.as_uri(), "/lib", "python", number, column, text, 0, prompt, "psm-1",
        MODEL, None, (candidate,), None, False, Served.MODEL, chance.uniform(60, 900),
    )  # fmt: skip
    settled = (
        Settlement(offer_id, at + 30, horizon, text, len(text), 0)
        for horizon in (Horizon.S10, Horizon.S30, Horizon.MIN10)
    )
    return (
        offer,
        Event(offer_id, at + 1, EventKind.SHOWN, KnownBy.EXPLICIT),
        Event(offer_id, at + 2, kind, KnownBy.INFERRED, len(text) // 2),
        *settled,
    )


def fill(path: Path, offers: int) -> float:
    """Write the offers through the ledger's own writer; return offers per second of writing.

    Making the facts is the editor's work, spread over half a year: its time is taken out.
    """

    def trouble(cause: str, message: str) -> None:
        raise RuntimeError(message)

    import threading

    writer = _Writer(path, PrivacyFilter(()), trouble, threading.Event())
    spent = 0.0
    batch: list[Fact] = []
    for number, facts in enumerate(typing(offers)):
        batch += facts
        if len(batch) >= BATCH or number == offers:
            began = time.perf_counter()
            assert writer.commit(batch)
            spent += time.perf_counter() - began
            batch = []
            if number % 100_000 < BATCH // 6:
                print(f"  {number:9,} offers, {number / spent:8,.0f}/s", flush=True)
    began = time.perf_counter()
    writer.close()
    return offers / (spent + time.perf_counter() - began)


def record_times(path: Path, offers: int, per_second: float) -> list[float]:
    """Return the milliseconds that each record() took its caller at a fast typist's rate."""
    troubles: list[str] = []
    ledger = Ledger.open(path, on_trouble=troubles.append)
    times: list[float] = []
    for facts in typing(offers):
        for fact in facts:
            began = time.perf_counter()
            ledger.record(fact)
            times.append((time.perf_counter() - began) * 1000)
        time.sleep(1 / per_second)
    assert ledger.close() and not troubles
    return times


def main() -> None:
    offers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "home" / "ledger.db"
        rate = fill(path, offers)
        connection = connect_to_read(path)
        size = used_bytes(connection) / offers
        times = []
        for by in (None, *By):
            began = time.perf_counter()
            found = stats(connection, by)
            times.append(time.perf_counter() - began)
            assert sum(group.offers for group in found) == offers
        taken = sorted(record_times(Path(folder) / "other" / "ledger.db", 2_000, 30))
    p99 = taken[int(len(taken) * 0.99)]
    print(f"offers                   {offers:10,}")
    print(f"insert rate, offers/s    {rate:10,.0f}   (at least 5,000)")
    print(f"bytes per offer          {size:10,.0f}   (at most 4,096)")
    print(f"stats, slowest, s        {max(times):10.3f}   (at most 1)")
    print(f"record(), p50 / p99, ms  {statistics.median(taken):.4f} / {p99:.4f}   (p99 at most 0.2)")


if __name__ == "__main__":
    main()
