"""What a keystroke waits for with 100,000 memories: recalling, refusing, and the whole look at a place.

    quiet python benchmarks/memory.py [--memories N]

draws a synthetic history: lines of 400 made-up files in the vocabulary of a large project (a Zipf law over
4,000 words), opens it as a server does, and recalls at the places of other made-up files, alone and while
another thread learns. Writes results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing, suppress
from itertools import accumulate
from pathlib import Path

from learner.ledger_file import transaction
from learner.memory.episode import Episode, Kind
from learner.memory.memory_file import connect
from learner.memory.place import MemoryPlace, place_of
from learner.memory.store import Memory
from learner.memory.writing import Scribe

RESULTS = Path(__file__).parent / "results" / "memory.json"
TARGET_MS = 5.0
ASKED = 2_000
VERBS = [
    "get",
    "set",
    "load",
    "save",
    "make",
    "find",
    "read",
    "write",
    "push",
    "pull",
    "open",
    "close",
    "send",
    "parse",
    "build",
    "check",
    "merge",
    "split",
]


class Project:
    """Writes code that nobody needs, in words that recur as words of code do."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        letters = random.Random(1)
        syllables = [a + b for a in "bcdfglmnprst" for b in ("a", "e", "i", "o", "u", "an", "er")]
        self._words = sorted({"".join(letters.choices(syllables, k=2 + n % 2)) for n in range(6_000)})[:4_000]
        letters.shuffle(self._words)
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self._words))))

    def _word(self) -> str:
        return self._draw.choices(self._words, cum_weights=self._weights)[0]

    def _name(self) -> str:
        return "_".join(self._word() for _ in range(self._draw.randint(1, 3)))

    def _line(self) -> str:
        draw, name = self._draw, self._name
        return draw.choice(
            (
                f"{name()} = self.{name()}.{draw.choice(VERBS)}_{name()}({name()}, {name()}={name()})",
                f"return {draw.choice(VERBS)}_{name()}({name()})",
                f"self.{name()} = {name()}",
                f"if {name()} is None:",
                f"for {name()} in {draw.choice(VERBS)}_{name()}({name()}):",
                f'raise {name().title()}Error(f"{name()} of {{{name()}}}")',
                f"{name()}.append({name()})",
            )
        )

    def place(self, number: int) -> tuple[MemoryPlace, str]:
        """Return a place in a made-up file and what would be written there."""
        draw = self._draw
        lines = [f"def {draw.choice(VERBS)}_{self._name()}(self, {self._name()}):\n"]
        lines += [f"    {self._line()}\n" for _ in range(draw.randint(3, 9))]
        line = "    " + self._line()
        column = draw.choice((4, draw.randint(4, len(line) - 3), line.find("= ") + 2 if "= " in line else 4))
        uri = f"file:///project/file{number % 400}.py"
        place = place_of(
            [*lines, line[:column]], len(lines), column, uri=uri, project="/project", language="python"
        )
        return place, line[column:]


def fill(path: Path, memories: int) -> float:
    """Write so many memories; return the seconds that it took."""
    project = Project(7)
    scribe = Scribe(lambda folder, names: ())
    started = time.perf_counter()
    with closing(connect(path)) as connection:
        for first in range(0, memories, 5_000):
            with transaction(connection):
                for number in range(first, min(first + 5_000, memories)):
                    place, right = project.place(number)
                    episode = Episode(f"offer {number}", 1e9 + number, place, Kind.MISS, right, "wrong()")
                    # Written, not judged or merged: 100,000 recalls would measure nothing more.
                    with suppress(sqlite3.IntegrityError):  # the line is there already
                        scribe._note(
                            connection, episode, scribe._add(connection, episode, time.time(), number + 1)
                        )
        connection.execute("UPDATE state SET value = ? WHERE name = 'revision'", (str(memories + 1),))
        (count,) = connection.execute("SELECT count(*) FROM patterns").fetchone()
        print(f"{count} patterns of {memories} episodes")
    return time.perf_counter() - started


def milliseconds(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {
        "p50_ms": round(cuts[49], 3),
        "p95_ms": round(cuts[94], 3),
        "p99_ms": round(cuts[98], 3),
        "worst_ms": round(max(values), 3),
    }


def ask(memory: Memory, places: list[MemoryPlace]) -> dict[str, object]:
    recalls, refusals, found = [], [], 0
    for place in places:
        started = time.perf_counter()
        found += bool(memory.recall(place))
        recalls.append(1000 * (time.perf_counter() - started))
        started = time.perf_counter()
        memory.refuses(place, "wrong()")
        refusals.append(1000 * (time.perf_counter() - started))
    return {"recall": milliseconds(recalls), "refuses": milliseconds(refusals), "found_something": found}


def teach(memory: Memory, stop: threading.Event) -> None:
    """Learn twice a second, as a fast typist's outcomes settle."""
    project = Project(13)
    number = 0
    while not stop.wait(0.5):
        place, right = project.place(number)
        memory.learn(Episode(f"new {number}", time.time(), place, Kind.MISS, right, "wrong()"))
        number += 1


def measure(path: Path, memories: int) -> dict[str, object]:
    filling = fill(path, memories)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    memory = Memory.open(path)
    memory.flush(120)
    opened = time.perf_counter() - started
    project = Project(11)
    places = [project.place(number)[0] for number in range(ASKED)]
    stop = threading.Event()
    learning = threading.Thread(target=teach, args=(memory, stop))
    quiet = ask(memory, places)
    learning.start()
    busy = ask(memory, places)
    stop.set()
    learning.join()
    memory.close()
    return {
        "memories": memories,
        "filled_in_s": round(filling, 1),
        "file_bytes": sum(file.stat().st_size for file in path.parent.iterdir()),
        "opened_in_s": round(opened, 2),
        "copy_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
        "target_p95_ms": TARGET_MS,
        "alone": quiet,
        "while_learning": busy,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=100_000)
    with tempfile.TemporaryDirectory() as scratch:
        results = measure(Path(scratch) / "memory.db", parser.parse_args().memories)
    report = {"command": "python benchmarks/memory.py", "processors": os.cpu_count()} | results
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
