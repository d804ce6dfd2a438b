"""The ledger at a million offers: insert rate, bytes per offer, `stats`, what record() costs.

Run: python benchmarks/ledger.py [OFFERS]. The offers play a developer who types through real source files
(the standard library's): a prediction at every third keystroke, a context of 120 lines that moves along and
three chunks of other files, two events and three settlements for each. A million need 2 GB of disk and some
five minutes; results go to results/ledger.json.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, at_least, at_most, publish

from learner.facts import Event, EventKind, Fact, Horizon, KnownBy, Offered, Served, Session, Settlement
from learner.ledger import BATCH, Ledger, Writer
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
    yield (Session("bench", 1_780_000_000.0, "benchmark", "0", 1),)
    made = 0
    while True:
        for source in sources():
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


def sources() -> list[Path]:
    return sorted(Path(statistics.__file__).parent.glob("*.py"))


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
    writer = Writer(path, PrivacyFilter(()), fail, threading.Event())
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


def fail(cause: str, message: str) -> None:
    raise RuntimeError(message)


def burst(path: Path, offers: int) -> float:
    """Return offers per second from the first record() to the flush() that acknowledges the last."""
    facts = [fact for course in typing(offers) for fact in course]
    troubles: list[str] = []
    ledger = Ledger.open(path, on_trouble=troubles.append)
    ledger.record(facts[0])
    assert ledger.flush(60)
    began = time.perf_counter()
    for fact in facts[1:]:
        ledger.record(fact)
    assert ledger.flush(60)
    spent = time.perf_counter() - began
    assert ledger.close(60) and not troubles
    return offers / spent


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


def stats_times(path: Path, offers: int) -> list[float]:
    """Return the seconds that `stats` takes, over all and by each grouping."""
    connection = connect_to_read(path)
    times: list[float] = []
    for by in (None, *By):
        began = time.perf_counter()
        found = stats(connection, by)
        times.append(time.perf_counter() - began)
        assert sum(group.offers for group in found) == offers
    connection.close()
    return times


def stats_process_s(path: Path, offers: int) -> float:
    """Return the seconds that `nightschool stats --json` takes as a process, from start to end."""
    command = [str(Path(sys.executable).with_name("nightschool")), "stats", "--json"]
    began = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "NIGHTSCHOOL_HOME": str(path.parent)}, capture_output=True, check=True
    )
    spent = time.perf_counter() - began
    assert json.loads(done.stdout)["groups"][0]["offers"] == offers
    return spent


def redact_times(characters: int, count: int) -> list[float]:
    """Return the milliseconds that redacting takes for contexts of which no line was seen before."""
    privacy = PrivacyFilter(())
    privacy.load()
    text = "".join(source.read_text(encoding="utf-8") for source in sources())
    # A number on each line: no two are equal, and none gets through for want of a digit.
    lines = (f"{line}  # {number}" for number, line in enumerate(text.splitlines()))
    times: list[float] = []
    for _ in range(count):
        context = ""
        while len(context) < characters:
            context += next(lines) + "\n"
        began = time.perf_counter()
        privacy.redact(context)
        times.append((time.perf_counter() - began) * 1000)
    return times


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def main() -> None:
    offers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "home" / "ledger.db"
        rate = fill(path, offers)
        connection = connect_to_read(path)
        size = used_bytes(connection) / offers
        connection.close()
        slowest = max(stats_times(path, offers))
        process = min(stats_process_s(path, offers) for _ in range(3))
        burst_rate = burst(Path(folder) / "burst" / "ledger.db", 15_000)
        taken = record_times(Path(folder) / "typed" / "ledger.db", 600, 30)
    redacted = redact_times(2_000, 500)
    figures = [
        at_least("insert rate, offers/s", rate, 5_000, "1 offer, 2 events, 3 settlements; writing alone"),
        Figure("insert rate of a burst, offers/s", burst_rate, note="15,000 offers from record() to flush()"),
        at_most("bytes per offer", size, 4_096, "context, candidates and outcomes"),
        at_most("stats, s", slowest, 1, "slowest of all, by day, language, project, adapter"),
        at_most("nightschool stats, s", process, 1, "the whole process, best of 3"),
        Figure("record(), median ms", statistics.median(taken), note="at 30 offers a second"),
        at_most("record(), p99 ms", p99(taken), 0.2),
        Figure("redacting 2,000 chars, median ms", statistics.median(redacted), note="lines not seen before"),
        Figure("redacting 2,000 chars, p99 ms", p99(redacted), note="lines not seen before"),
    ]
    publish("ledger", figures, {"offers": offers})


if __name__ == "__main__":
    main()
