"""Nights in a row after days of senseless feedback, on SmolLM2: is anything harmful promoted?

    python benchmarks/feedback.py [--nights N] [--each N] [--seed S] [--minutes N]

One home, one ledger. Each day the serving adapter completes at cursors of a project newer than the model, and
a developer answers, each day in the next of four ways: at random (an accepted offer stays, whatever it is; in
place of a rejected one stands another place's text), always accepting (every offer stays), always rejecting
(half of the places are left as they were), or accepting nothing but single characters (half of the offers are
cut to one, which stays). Then a night learns from the newest days and is examined. Each promoted adapter is
asked at held-out cursors, in other files, what should really follow. Harmful is one that is worse there than
the bare base beyond the 95 % interval, or loses more than a point of exact match on the generic set.
What was done is kept in .bench/feedback: a run that was stopped goes on after its last whole night.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe import own_home
from projects import REPORTING, fetch
from report import RESULTS, SCRATCH, Figure, append_row, at_most, publish, read_rows
from rich.console import Console
from training import draw_examples

from learner.declined import Declined
from learner.distance import edit_distance, kept_chars
from learner.exam.results import paper_result
from learner.exam.sitting import MAX_TOKENS, Arm, Paper, sit
from learner.examples import Selection
from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Session, Settlement
from learner.job import TrainingOptions
from learner.ledger import Ledger
from learner.night_lock import NothingToLearnError
from learner.nightly import Night, NightOptions, Verdict
from learner.own_engine import with_engine
from learner.registry import Registry
from models.checksum import sha256_of
from models.choice import choose, model_path
from models.engine import Request
from models.home import Home, private_directory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from learner.exam.bootstrap import Difference
    from learner.examples import Example
    from learner.facts import Fact
    from models.engine import Completion
    from models.supervisor import ChildEngine

MODEL = "smollm2-135m"
HELD_OUT = 120
FORGOTTEN = 0.01
ROWS = "nights.jsonl"
"""In the home."""
DAY_S = 86_400.0
FIRST_DAY = 1_767_225_600.0
SESSION = "feedback"
LESSON = Selection(outcomes=150, exam_most=40, repository=0, practice=0)
"""The newest days: so that thirty nights take as long as thirty, and each kind of day is learned from."""
TRAINING = TrainingOptions(give_way=(), memory_mb=3000)


class Feedback(StrEnum):
    RANDOM = "random labels"
    ACCEPT = "always accept"
    REJECT = "always reject"
    SINGLE = "single characters"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--nights", type=int, default=30)
    add("--each", type=int, default=60, help="outcomes of a day")
    add("--seed", type=int, default=0)
    add("--minutes", type=float, default=float("inf"), help="stop after the night begun by then")
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    places = Places(options.nights, options.each, options.seed)
    folder = SCRATCH / "feedback" / f"{options.nights}-{options.each}-{options.seed}"
    if not folder.exists() and (begun_at(folder) / ROWS).exists():
        # Killed between a night's last two steps.
        begun_at(folder).rename(folder)
    while len(rows := read_rows(folder / ROWS)) < options.nights:
        if time.monotonic() > deadline:
            sys.exit(f"stopped after {len(rows)} nights; the same command goes on from there")
        one_more(folder, len(rows), places, options.seed)
    publish("feedback", figures(rows), {"model": MODEL, "nights": rows}, options.to)


def one_more(folder: Path, number: int, places: Places, seed: int) -> None:
    """Do a day and its night in a copy of the home, which then takes its place."""
    begun = begun_at(folder)
    shutil.rmtree(begun, ignore_errors=True)
    home = Home(private_directory(begun))
    if folder.exists():
        shutil.copytree(folder, begun, symlinks=True, dirs_exist_ok=True)
    else:
        home.models.symlink_to(own_home().models.resolve(), target_is_directory=True)
        choose(home, MODEL)
    row = Course(home, places, random.Random(f"{seed}-{number}")).day_and_night(number)
    Console(stderr=True).print(row)
    append_row(begun / ROWS, row)
    shutil.rmtree(folder, ignore_errors=True)
    begun.rename(folder)


def begun_at(folder: Path) -> Path:
    return folder.with_suffix(".begun")


class Places:
    """Where the days' offers are made, and, in other files, where adapters are asked."""

    def __init__(self, nights: int, each: int, seed: int) -> None:
        drawn = draw_examples(fetch(REPORTING[0]), nights * each + HELD_OUT, seed)
        self.held_out = drawn[:HELD_OUT]
        examined = {example.file for example in self.held_out}
        self.all = [place for place in drawn[HELD_OUT:] if place.file not in examined]
        self._each = each

    def of(self, day: int) -> Sequence[Example]:
        return self.all[day * self._each : (day + 1) * self._each]


class Course:
    """Days and nights in one home."""

    def __init__(self, home: Home, places: Places, draw: random.Random) -> None:
        self._home, self._model = home, model_path(home)
        self._base = sha256_of(self._model)
        self._registry = Registry(home)
        self._places, self._draw = places, draw

    def day_and_night(self, number: int) -> dict[str, Any]:
        """Return what became of the night, counted from 0."""
        feedback = list(Feedback)[number % len(Feedback)]
        self._live(number, feedback, self._places.of(number))
        return {"night": number + 1, "feedback": str(feedback), **self._night(number)}

    def _live(self, number: int, feedback: Feedback, places: Sequence[Example]) -> None:
        """Record a day: what serves completes, the developer does as the feedback says."""
        serving = self._registry.serving(self._base)
        answers = asked(self._model, serving.path if serving else None, places)
        troubles: list[str] = []
        at = FIRST_DAY + DAY_S * number
        ledger = Ledger.open(self._home.ledger, on_trouble=troubles.append, clock=lambda: at)
        ledger.record(Session(SESSION, at, "benchmark", "0", 0))
        for index, (place, answer) in enumerate(zip(places, answers, strict=True)):
            for fact in self._facts(feedback, place, answer, f"{number}-{index}", at + 60 * index):
                ledger.record(fact)
        if not ledger.close() or troubles:
            raise SystemExit(f"the day was not recorded: {troubles}")

    def _facts(
        self, feedback: Feedback, place: Example, answer: Completion, offer_id: str, at: float
    ) -> Iterator[Fact]:
        best = answer.candidates[0]
        is_heads = self._draw.random() < 0.5
        if feedback is Feedback.SINGLE and is_heads:
            best = replace(best, text=best.text.strip()[:1], logprobs=best.logprobs[:1])
        is_taken = {
            Feedback.RANDOM: is_heads,
            Feedback.ACCEPT: True,
            Feedback.REJECT: False,
            Feedback.SINGLE: len(best.text) == 1,
        }[feedback]
        if is_taken:
            settled = best.text
        elif feedback is Feedback.RANDOM:
            settled = self._draw.choice(self._places.all).target
        else:
            settled = place.target if is_heads else ""
        yield Offered(
            offer_id=offer_id, session_id=SESSION, offered_at=at, uri=Path("/project", place.file).as_uri(),
            project="/project", language="python", line=place.line, column=0, text=best.text, replaced=0,
            prompt=place.prompt, layout=answer.layout, model=answer.model, adapter=answer.adapter,
            candidates=(best,), declined=None if best.text else str(Declined.EMPTY), invoked=False,
            served=Served.MODEL, latency_ms=0.0,
        )  # fmt: skip
        kind = EventKind.ACCEPTED if is_taken else EventKind.REJECTED
        yield Event(offer_id, at + 1, kind, KnownBy.EXPLICIT, len(best.text) if is_taken else 0)
        kept, distance = kept_chars(best.text, settled), edit_distance(best.text, settled)
        yield Settlement(offer_id, at + 40, Horizon.S30, settled, kept, distance)

    def _night(self, number: int) -> dict[str, Any]:
        """Return the verdict; of a promoted adapter also what it is worth at held-out places."""
        options = NightOptions(LESSON, replace(TRAINING, seed=number))
        midnight = FIRST_DAY + DAY_S * (number + 0.5)
        try:
            result = Night(self._home, options, lambda _: None, now=lambda: midnight).run()
        except NothingToLearnError as error:
            return {"verdict": str(Verdict.NOTHING), "reasons": [str(error)], "examples": 0}
        row: dict[str, Any] = {
            "verdict": str(result.verdict), "reasons": result.reasons, "examples": result.examples
        }  # fmt: skip
        if result.verdict is not Verdict.PROMOTED:
            return row
        generic = [result.exam[arm]["generic"]["exact_match"] for arm in ("candidate", "base")]
        found = compared(self._model, self._registry.find(result.adapter).path, self._places.held_out)
        forgotten = generic[1] - generic[0]
        harmful = found["net_saved"]["high"] < 0 or found["log_loss"]["low"] > 0 or forgotten > FORGOTTEN
        return {**row, **found, "generic_exact_match_lost": forgotten, "harmful": harmful}


def asked(model: Path, adapter: Path | None, places: Sequence[Example]) -> list[Completion]:
    """Return what the model with the adapter completes at each place."""

    async def work(engine: ChildEngine, before: Callable[[int], Awaitable[None]]) -> list[Completion]:
        found = []
        for place in places:
            request = Request(place.prompt, stop=place.stop, indent=place.indent, max_tokens=MAX_TOKENS)
            completion = await engine.complete(request)
            assert completion is not None, "nobody else asks this engine"
            found.append(completion)
        return found

    return with_engine(model, adapter, work, lambda _: None, threading.Event())


def compared(model: Path, adapter: Path, questions: Sequence[Example]) -> dict[str, Any]:
    """Return the differences of adapter and base where it is known what should follow."""
    adapters = {Arm.CANDIDATE: adapter, Arm.BASE: None}

    async def work(engine: ChildEngine, before: Callable[[int], Awaitable[None]]) -> dict[str, Any]:
        marks = await sit(engine, adapters, Paper(questions), before)
        paper = paper_result(questions, 1, marks)
        exact = [paper.figures(arm).exact_match for arm in adapters]
        return {
            "net_saved": described(paper.net_saved(Arm.CANDIDATE, Arm.BASE)),
            "log_loss": described(paper.log_loss(Arm.CANDIDATE, Arm.BASE)),
            "exact_match": dict(zip(("adapter", "base"), exact, strict=True)),
        }

    return with_engine(model, adapter, work, lambda _: None, threading.Event())


def described(difference: Difference) -> dict[str, float]:
    return {name: round(value, 4) for name, value in vars(difference).items()}


def figures(rows: list[dict[str, Any]]) -> list[Figure]:
    promoted = [row for row in rows if row["verdict"] == Verdict.PROMOTED]
    kinds = Counter(row["feedback"] for row in promoted)
    harmful = [row["night"] for row in promoted if row["harmful"]]
    said = Counter(reason.split(":")[0].split(" (")[0] for row in rows for reason in row["reasons"])
    return [
        Figure("nights", len(rows), note="in a row, the four kinds of feedback by turns"),
        Figure("promoted", len(promoted), note=", ".join(f"{n} after {kind}" for kind, n in kinds.items())),
        at_most("of these harmful", len(harmful), 0, ", ".join(f"night {night}" for night in harmful)),
        *(Figure(f"refused: {reason}", count) for reason, count in said.most_common()),
    ]


if __name__ == "__main__":
    main()
