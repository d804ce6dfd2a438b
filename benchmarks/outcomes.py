"""Outcomes of scripted sessions with the whole server against their truth, and what following costs a key.

Seeds from 100,000 on are held out: no rule was made by looking at them.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from estimates import Spread, spread
from report import RESULTS, Figure, at_least, at_most, publish

from lsp_server.documents import Point
from tests.sessions.direct import DirectWire
from tests.sessions.editor import Clock, Editor
from tests.sessions.play import play_served

if TYPE_CHECKING:
    from tests.sessions.score import Row

PER_SESSION = 150
HELD_OUT = 100_000
TARGETS = {"stock client": 0.97, "our client": 0.995}
KEYSTROKE_MS = 0.2
KEYS, LINES, OFFERS = 20_000, 10_000, 48


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)  # the sessions lie on purpose; each lie is one log line
    figures: list[Figure] = []
    details: dict[str, Any] = {"first_seed": options.first_seed}
    for client, target in TARGETS.items():
        rows = play(client, options.offers, options.first_seed)
        figures += figures_of(client, rows, target)
        details[client] = confusion(rows)
    cost = keystroke_cost()
    note = f"{KEYS} keys, {OFFERS} offers in a file of {LINES} lines"
    figures.append(at_most("following a key, p99, ms", cost.p99, KEYSTROKE_MS, note))
    publish("outcomes", figures, details, options.to)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--offers", type=int, default=600, help="per client, at least")
    add("--first-seed", type=int, default=HELD_OUT)
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    return parser.parse_args()


def play(client: str, offers: int, first_seed: int) -> list[Row]:
    """Return the scored offers of as many sessions as ``offers`` take."""
    rows: list[Row] = []
    for seed in range(first_seed, first_seed + -(-offers // PER_SESSION)):
        with tempfile.TemporaryDirectory() as home:
            rows += play_served(seed, PER_SESSION, Path(home), reports=client == "our client")
    return rows


def figures_of(client: str, rows: list[Row], target: float) -> list[Figure]:
    wrong = [f"{row.truth.scene}: {row.truth.label}, told {row.label}" for row in rows if not row.right]
    right = 1 - len(wrong) / len(rows)
    looks = sum(row.looks for row in rows)
    equal = 1 - sum(len(row.wrong_texts) for row in rows) / looks
    note = f"{len(rows)} offers{'; ' if wrong else ''}{'; '.join(wrong)}"
    return [
        at_least(f"outcomes told right, {client}", right, target, note),
        at_least(f"settled texts equal to the truth, {client}", equal, target, f"{looks} looks"),
    ]


def confusion(rows: list[Row]) -> list[dict[str, Any]]:
    counts = Counter((row.truth.label, row.label) for row in rows)
    return [{"true": true, "told": told, "offers": n} for (true, told), n in sorted(counts.items())]


def keystroke_cost() -> Spread:
    """Time ``changed`` (milliseconds) for single keys in a large file with live offers."""
    text = "".join(f"    value_{n} = compute({n})\n" for n in range(LINES))
    clock = Clock()
    wire = DirectWire("file:///large.py", text, clock)
    editor = Editor(wire, clock, text, reports=False)
    for n in range(OFFERS):
        editor.cursor = len("    value_1 = compute(1)\n") * n + 20
        editor.ask("first, second")
    changed, spent, choose = wire.outcomes.changed, [], random.Random(0)
    document = wire.document
    for key in range(KEYS):
        clock.now += 0.01
        place = Point(choose.randrange(60), choose.randrange(20))
        change = document.replace(place, place, choose.choice("abc ("))
        began = time.perf_counter()
        changed(document, [change])
        spent.append(1000 * (time.perf_counter() - began))
        if not key % 100:
            wire.tick()
    return spread(spent)


if __name__ == "__main__":
    main()
