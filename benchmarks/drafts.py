"""What drafts are worth: tokens generated per second with them and without, where code repeats and elsewhere.

    python benchmarks/drafts.py [--development] [--each N]

Each place is completed twice in one engine, with drafts and without, the order alternating from place to
place; the prompt is evaluated before. The rate counts the tokens after the first, and the time from the
first one on, looking for drafts included. ``repeats.py`` draws the places with a seed, beforehand. Of a
place that repeats what the prompt does not show, memory has learned the first occurrence (among 200 other
blocks of the project), and what it recalls at the second is the draft; it stands in both prompts as the
server would show it. Settings are chosen on the development projects, figures are of the others. What a
batch costs on this machine is measured first, as the engine does by itself in pauses.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from estimates import paired, ratio_of_medians, spread
from pipe import model_file, own_home
from projects import DEVELOPMENT, REPORTING, fetch
from repeats import IN_THE_PROMPT, KINDS, ORDINARY, RECALLED, Site, bodies, sites
from report import SCRATCH, Figure, append_row, at_least, publish, read_rows
from resumable import options_parser

from learner.memory.chunk import chunk_of
from learner.memory.episode import Episode, Kind
from learner.memory.place import place_of
from learner.memory.store import Memory
from learner.place import place_at, stop_for
from learner.privacy import PrivacyFilter
from learner.window import Budget, cursor_prompt, first_line
from models.engine import EngineOptions, Purpose, Request
from models.line_end import End
from models.llama import AbortFlag, Log
from models.loading import load

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray
    from repeats import Spot

    from learner.memory.place import MemoryPlace
    from models.completer import Completer
    from models.engine import Completion

Row = dict[str, Any]
MAX_TOKENS = 96
"""The product's default."""
OTHERS = 200
"""Blocks of the project that memory knows besides."""
TARGET = 1.5


def main() -> None:
    parser = options_parser(__doc__)
    add = parser.add_argument
    add("--each", type=int, default=8, help="places of each kind per project")
    add("--development", action="store_true", help="on the projects for choosing settings")
    options = parser.parse_args()
    name = "drafts-development" if options.development else "drafts"
    rows_file = SCRATCH / f"{name}.jsonl"
    if not options.report and not run(options, rows_file):
        sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(rows_file)
    if not rows:
        sys.exit(f"{rows_file} holds no places; run without --report first")
    publish(name, figures_of(rows), summary(rows), options.to)


def run(options: argparse.Namespace, rows_file: Path) -> bool:
    """Complete at the places that have no row yet; return whether all are done."""
    SCRATCH.mkdir(exist_ok=True)
    done = {(row["file"], row["line"], row["kind"]) for row in read_rows(rows_file)}
    deadline = time.monotonic() + 60 * options.minutes
    engine_options = EngineOptions(threads=options.threads, tuning=own_home().tuning)
    completer, _ = load(model_file(options.model), engine_options, AbortFlag(), Log())
    bench = Bench(completer)
    for project in DEVELOPMENT if options.development else REPORTING:
        folder = fetch(project)
        drawn = sites(folder, options.each, options.seed)
        with tempfile.TemporaryDirectory() as home:
            memory = taught(Path(home), folder, drawn, options.seed)
            for site in drawn:
                if (f"{folder.name}/{site.spot.file}", site.spot.line, site.kind) in done:
                    continue
                row = bench.measure(site, memory, folder)
                append_row(rows_file, row | {"project": project.name})
                if time.monotonic() > deadline:
                    return False
            memory.close()
    return True


class Bench:
    """One engine, completing in turn with drafts and without."""

    def __init__(self, completer: Completer) -> None:
        self._completer = completer
        self._turn = 0
        # The batches are timed where a prompt is in the cache, as it is in the engine.
        text = Path(__file__).read_text("utf-8")
        completer.complete(_warming(text), time.perf_counter())
        while not completer.timer.is_done:
            completer.timer.step()
        self._costs = completer.timer.costs
        assert self._costs is not None
        self.batch_ms = [1000 * seconds for seconds in self._costs.up_to(self._costs.most)]

    def measure(self, site: Site, memory: Memory, folder: Path) -> Row:
        """Return the place's row: rates, drafted and accepted tokens, and whether the texts are the same."""
        request, believed = request_at(site, memory, folder)
        self._complete(replace(request, purpose=Purpose.WARM), drafting=False)
        self._turn += 1
        arms = (True, False) if self._turn % 2 else (False, True)
        answers = {drafting: self._complete(request, drafting=drafting) for drafting in arms}
        ours, plain = answers[True], answers[False]
        is_same = ours.candidates[0].text == plain.candidates[0].text
        return {
            "kind": site.kind,
            "file": f"{folder.name}/{site.spot.file}",
            "line": site.spot.line,
            "with": _generated(ours),
            "without": _generated(plain),
            "drafted": ours.timings.drafted_tokens,
            "accepted": ours.timings.accepted_tokens,
            "recalled": len(request.draft),
            "believed": believed,
            "is_same": is_same,
            "margin": 0.0 if is_same else self._margin(request, ours, plain),
            "text": plain.candidates[0].text,
            "batch_ms": self.batch_ms,
        }

    def _margin(self, request: Request, ours: Completion, plain: Completion) -> float:
        """Return how far apart the texts' log-probabilities are where they part."""
        texts = [completion.candidates[0].text for completion in (ours, plain)]
        scored = [self._completer.score(request.prompt, text, End.TEXT).logprobs for text in texts]
        return next(abs(a - b) for a, b in zip(*scored, strict=False) if a != b)

    def _complete(self, request: Request, *, drafting: bool) -> Completion:
        self._completer.timer.costs = self._costs if drafting else None
        return self._completer.complete(request, time.perf_counter())


def request_at(site: Site, memory: Memory, folder: Path) -> tuple[Request, bool]:
    """Return what the server would ask at the site, and whether it would believe memory without asking."""
    spot, budget = site.spot, Budget()
    found = memory.recall(_place(spot, folder)) if site.kind is RECALLED else []
    recalled = next((each for each in found if each.text), None)
    around = {line.strip() for line in spot.lines[max(0, spot.line - 120) : spot.line + 120]}
    chunk = chunk_of(found, around)
    prompt = cursor_prompt(
        spot.lines,
        spot.line,
        spot.column,
        first_line(spot.lines, spot.line, budget, 1.0),
        budget,
        PrivacyFilter(()),
        path=spot.file,
        repository=folder.name,
        chunks=(chunk,) if chunk else (),
    )
    stop, indent = stop_for(place_at(spot.lines, spot.line, spot.column, "python"))
    draft = recalled.text if recalled else ""
    request = Request(prompt, stop=stop, indent=indent, max_tokens=MAX_TOKENS, draft=draft)
    return request, recalled is not None and memory.believes(recalled)


def taught(home: Path, folder: Path, drawn: list[Site], seed: int) -> Memory:
    """Return a memory that knows where the drawn repeats stood first, and other blocks of the project."""
    memory = Memory.open(home / "memory.db")
    firsts = [site.first for site in drawn if site.kind is RECALLED and site.first]
    asked = {(site.spot.file, site.spot.line) for site in drawn}
    others = [
        spot
        for path in sorted(folder.rglob("*.py"))
        for spot in bodies(path.relative_to(folder).as_posix(), path.read_text("utf-8", "replace"))
        if (spot.file, spot.line) not in asked
    ]
    spots = [*random.Random(seed).sample(others, min(OTHERS, len(others))), *firsts]
    for number, spot in enumerate(dict.fromkeys(spots)):
        place = _place(spot, folder)
        memory.learn(Episode(str(number), 1.7e9 + number, place, Kind.MISS, spot.target))
    memory.flush(60)
    return memory


def figures_of(rows: list[Row]) -> list[Figure]:
    repeats = [row for row in rows if row["kind"] != ORDINARY]
    flipped = [row for row in rows if not row["is_same"]]
    return [
        *(rate(rows, kind, TARGET) for kind in (IN_THE_PROMPT, RECALLED)),
        pooled(repeats, "where code repeats, all tokens over all time", TARGET),
        rate(rows, ORDINARY, 1.0),
        pooled([row for row in rows if row["kind"] == ORDINARY], "ordinary, all tokens over all time", 1.0),
        Figure(
            "texts that differ (near-ties that a batch rounds otherwise)",
            len(flipped),
            note=f"of {len(rows)}; most log-probability apart "
            f"{max((row['margin'] for row in flipped), default=0):.3f}",
        ),
    ]


def rate(rows: list[Row], kind: str, target: float) -> Figure:
    """Return the ratio of the median rates with and without drafts at places of one kind."""
    chosen = [row for row in rows if row["kind"] == kind and row["without"]["tokens"]]
    ours, plain = ([_rate(row[arm]) for row in chosen] for arm in ("with", "without"))
    found = paired(ours, plain, [row["file"] for row in chosen], ratio_of_medians)
    note = f"{np.median(ours):.1f} and {np.median(plain):.1f} tokens/s at {len(chosen)} places; {found}"
    return at_least(f"{kind}: tokens per second with drafts / without, medians", found.value, target, note)


def pooled(rows: list[Row], name: str, target: float) -> Figure:
    """Return the ratio of the rates over all places together."""
    chosen = [row for row in rows if row["without"]["tokens"]]
    per_token = [[row[arm]["seconds"] / row[arm]["tokens"] for row in chosen] for arm in ("with", "without")]
    weights = np.array([row["without"]["tokens"] for row in chosen], float)

    def ratio(ours: NDArray[np.float64], plain: NDArray[np.float64]) -> float:
        return float(plain.sum() / ours.sum())

    ours, plain = (np.array(seconds) * weights for seconds in per_token)
    found = paired(ours.tolist(), plain.tolist(), [row["file"] for row in chosen], ratio)
    return at_least(f"{name}, with drafts / without", found.value, target, str(found))


def summary(rows: list[Row]) -> Row:
    """Return the batches' costs, and for each kind rates, tokens and what became of drafts."""
    return {
        "batch_ms": [round(ms, 1) for ms in rows[-1]["batch_ms"]],
        "kinds": {kind: _of_kind([row for row in rows if row["kind"] == kind]) for kind in KINDS},
        "projects": sorted({row["project"] for row in rows}),
    }


def _of_kind(rows: list[Row]) -> Row:
    told = [row for row in rows if row["without"]["tokens"]]
    if not told:
        return {"places": len(rows)}
    return {
        "places": len(rows),
        "of one token": len(rows) - len(told),
        "tokens_per_s_with": spread([_rate(row["with"]) for row in told]).as_json(),
        "tokens_per_s_without": spread([_rate(row["without"]) for row in told]).as_json(),
        "ratio": spread([_rate(row["with"]) / _rate(row["without"]) for row in told]).as_json(),
        "tokens": sum(row["without"]["tokens"] for row in told),
        "drafted": sum(row["drafted"] for row in rows),
        "accepted": sum(row["accepted"] for row in rows),
        "memory recalled": sum(row["recalled"] > 0 for row in rows),
        "memory believed": sum(row["believed"] for row in rows),
        "texts that differ": sum(not row["is_same"] for row in rows),
    }


def _warming(text: str) -> Request:
    return Request(cursor_prompt([text], 0, 1000, 0, Budget(), PrivacyFilter(()), path="", repository=""))


def _place(spot: Spot, folder: Path) -> MemoryPlace:
    uri = (folder / spot.file).as_uri()
    return place_of(spot.lines, spot.line, spot.column, uri=uri, project=str(folder), language="python")


def _generated(completion: Completion) -> Row:
    """Return the tokens after the first, and how long they took."""
    timings = completion.timings
    seconds = (timings.total_ms - timings.first_token_ms) / 1000
    return {"tokens": timings.generated_tokens - 1, "seconds": seconds}


def _rate(arm: Row) -> float:
    return arm["tokens"] / arm["seconds"]


if __name__ == "__main__":
    main()
