"""Kill -9 at random moments, with two writers and a reader on one ledger: is it intact, is all there?

Run: python benchmarks/ledger_kill.py [KILLS]. Each writer records offers and says on stdout which of them a
flush has acknowledged; at a random moment one of the two is killed. Then the file must pass SQLite's
integrity check and hold every acknowledged offer. The other writer and the reader must see no error.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from report import Figure, at_most, publish

from learner.facts import Event, EventKind, KnownBy, Offered, Served, Session
from learner.ledger import Ledger
from learner.ledger_file import connect, connect_to_read, integrity
from learner.stats import stats
from models.prompt import Prompt


def write(path: Path, name: str) -> None:
    """Record offers until stdin closes; print the number of those acknowledged."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    troubles: list[str] = []
    ledger = Ledger.open(path, on_trouble=troubles.append)
    ledger.record(Session(name, time.time(), "benchmark", "0", 0))
    chance = random.Random(name)
    number = 0
    while True:
        for _ in range(chance.randint(1, 40)):
            prompt = Prompt("".join(f"{name} {number} {n}\n" for n in range(60)), "\nend\n")
            ledger.record(
                Offered(
                    f"{name}-{number}", name, time.time(), f"file:///{name}.py", "", "python", 0, 0, "text",
                    0, prompt, "psm-1", "model", None, (), None, False, Served.MODEL, 1.0,
                )
            )  # fmt: skip
            ledger.record(Event(f"{name}-{number}", time.time(), EventKind.TYPED, KnownBy.INFERRED))
            number += 1
        if not ledger.flush(60) or troubles:
            raise SystemExit(f"not acknowledged: {troubles}")
        print(number, flush=True)
        # The survivor must not grow the file faster than it can be checked two hundred times.
        time.sleep(chance.uniform(0, 0.2 if name == "survivor" else 0.01))


def read(path: Path) -> None:
    """Read until stdin closes, which it does however the parent ends, as `stats` and a browser would."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        try:
            connection = connect_to_read(path)
        except FileNotFoundError:
            continue
        stats(connection)
        connection.execute("SELECT count(*) FROM outcomes WHERE label = 'typed'").fetchone()
        connection.close()
        time.sleep(0.05)


def start(role: str, path: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, role, str(path), name]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str]) -> int:
    """Kill the process; return the number of offers that it was told are safe."""
    process.kill()
    output, errors = process.communicate()
    if errors:
        raise SystemExit(f"a process failed:\n{errors}")
    acknowledged = [int(line) for line in output.splitlines() if line.isdigit()]
    return acknowledged[-1] if acknowledged else 0


def check(path: Path, acknowledged: dict[str, int]) -> int:
    """Return how many acknowledged offers are missing; a damaged file ends the run."""
    problems = integrity(path)
    if problems:
        raise SystemExit(f"damaged: {problems}")
    connection = connect(path)
    missing = 0
    for name, count in acknowledged.items():
        (stored,) = connection.execute(
            "SELECT count(*) FROM outcomes WHERE session_id = ? AND label = 'typed'"
            " AND CAST(substr(offer_id, ?) AS INTEGER) < ?",
            (name, len(name) + 2, count),
        ).fetchone()
        missing += count - stored
    connection.close()
    return missing


def main(kills: int) -> None:
    chance = random.Random(7)
    missing = total = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "home" / "ledger.db"
        reader = start("read", path, "reader")
        survivor = start("write", path, "survivor")
        acknowledged: dict[str, int] = {}
        for number in range(kills):
            name = f"writer{number}"
            victim = start("write", path, name)
            # The first line comes once it is up; then any moment will do.
            assert victim.stdout is not None
            first = victim.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            acknowledged[name] = max(finished(victim), int(first or 0))
            missing += check(path, {name: acknowledged[name]})
            total += acknowledged[name]
        acknowledged["survivor"] = finished(survivor)
        finished(reader)
        missing += check(path, acknowledged)
        total += acknowledged["survivor"]
    figures = [
        Figure("kills", kills, note="two writers and a reader at once, one writer killed at a random moment"),
        Figure("acknowledged offers", total),
        at_most("acknowledged offers lost", missing, 0),
        at_most("problems found by the integrity checks", 0, 0, "one after each kill; any ends the run"),
    ]
    publish("ledger_kill", figures, {})
    if missing:
        raise SystemExit(1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", path, name]:
            write(Path(path), name)
        case ["read", path, _]:
            read(Path(path))
        case [kills]:
            main(int(kills))
        case _:
            main(200)
