"""What a personal adapter is worth, over the number of its examples.

    python benchmarks/personal.py [--sizes N …] [--held-out N] [--projects N] [--minutes N] [--report]

Trained on a project's earlier changes, asked at later ones. The newest cursors of each project's history are
asked; of those before them (and a gap), the newest 100, 300, … are trained on, each number by itself, as the
night trains: from the primer where one ships, with its share of generic code. At each held-out cursor all are
asked in one engine, from the same evaluated prompt: what training began from, the project's own adapters, and
the next project's of the same sizes. Cursors, prompts, answers, trimming and marks are the replay's
(docs/replay.md), with near prompts, which show no other file. What was trained or asked is kept in
.bench/personal and not done again.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from estimates import mean_difference, paired
from histories import REPLAYED, releases
from pipe import model_file
from report import SCRATCH, Figure, append_row, at_least, at_most, publish, read_rows
from resumable import options_parser
from rich.console import Console

from learner.exam.generic import generic_questions
from learner.exam.results import paper_result
from learner.exam.sitting import Arm, Paper, sit
from learner.examples import Example, Source
from learner.job import Job, JobFiles, TrainingOptions, write_job
from learner.privacy import PrivacyFilter
from learner.replay.arms import ArmName
from learner.replay.asking import Asker, prompt_at
from learner.replay.questions import questions_of
from learner.replay.record import Phase
from learner.replay.releases import ReleaseHistory
from learner.replay.sampling import draw_plan, read_plan, write_plan
from learner.replay.scoring import row_of
from learner.replay_text import replay_examples
from learner.training_process import run_training
from learner.window import NEAR
from models.checksum import sha256_of
from models.engine import EngineOptions, Purpose, Request
from models.primers import primer_path
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from learner.replay.questions import Question

Row = dict[str, Any]
RELEASES = 24
SIZES = (100, 300, 1000, 3000)
GAP = 20
"""Cursors between the last that is trained on and the first that is asked."""
PRIVACY = PrivacyFilter(())
START = "start"
"""The arm from which training begins: the primer, else the bare base."""


@dataclass(frozen=True)
class Course:
    """One project: what is trained on, oldest first, and what is asked."""

    name: str
    training: Sequence[Question]
    held_out: Sequence[Question]


class Scratch:
    """Where a run with one model and seed keeps what it has done."""

    def __init__(self, model: Path, seed: int) -> None:
        self.model, self.base = model, sha256_of(model)
        self._folder = SCRATCH / "personal" / f"{self.base[:12]}-{seed}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.rows = self._folder / "rows.jsonl"
        self.generic = self._folder / "generic.jsonl"

    @property
    def start(self) -> Path | None:
        return primer_path(self.base)

    def plan(self, project: str, cursors: int) -> Path:
        return self._folder / f"{project}-{cursors}.cursors.json"

    def adapter(self, project: str, size: int) -> Path:
        return self._folder / f"{project}-{size}.gguf"

    def job(self, project: str, size: int) -> JobFiles:
        return JobFiles(self._folder / f"{project}-{size}.job")


def main() -> None:
    options = parse()
    scratch = Scratch(model_file(options.model), options.seed)
    if not options.report:
        deadline = time.monotonic() + 60 * options.minutes
        if not (
            run_trainings(options, scratch, deadline) and asyncio.run(ask_all(options, scratch, deadline))
        ):
            sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(scratch.rows)
    if not rows:
        sys.exit(f"{scratch.rows} holds no answers; run without --report first")
    details = {"model": scratch.model.name, "starts_from": "primer" if scratch.start else "base"}
    publish(options.name, figures(rows, read_rows(scratch.generic)), details, options.to)


def parse() -> argparse.Namespace:
    parser = options_parser(__doc__, seed=0)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=SIZES)
    add("--held-out", type=int, default=340, help="cursors of each project")
    add("--projects", type=int, default=len(REPLAYED))
    add("--cursors", type=int, default=max(SIZES) + 400, help="drawn from each history, at most")
    add("--name", default="personal", help="what the result is called")
    return parser.parse_args()


def courses(options: argparse.Namespace, scratch: Scratch) -> list[Course]:
    found = []
    for project in REPLAYED[: options.projects]:
        history = ReleaseHistory(releases(project, RELEASES))
        file = scratch.plan(project.name, options.cursors)
        plan = read_plan(file)
        if plan is None:
            plan = draw_plan(history, options.cursors, options.seed, PRIVACY, lambda step: None)
            write_plan(file, plan)
        asked = questions_of(history, plan)
        held_out = asked[-options.held_out :]
        found.append(Course(project.name, asked[: -options.held_out - GAP], held_out))
    return found


def run_trainings(options: argparse.Namespace, scratch: Scratch, deadline: float) -> bool:
    """Train what is missing, the smallest first; return whether all is there."""
    for size in sorted(options.sizes):
        for course in courses(options, scratch):
            if scratch.adapter(course.name, size).exists() or len(course.training) < size:
                continue
            if time.monotonic() > deadline:
                return False
            Console(stderr=True).print(f"training on {size} cursors of {course.name}")
            train(scratch, course, size, options.seed)
    return True


def train(scratch: Scratch, course: Course, size: int, seed: int) -> None:
    """Train on the newest ``size`` cursors, as a night does: a killed training goes on."""
    own = [example_of(question) for question in course.training[-size:][::-1]]
    settings = TrainingOptions(minutes=600.0, give_way=(), seed=seed)
    share = settings.replay
    generic = replay_examples(round(size * share / (1 - share)), seed, PRIVACY)
    files = scratch.job(course.name, size)
    job = Job(scratch.model, scratch.base, f"{course.name}-{size}", scratch.start, None, settings)
    write_job(files, job, [*own, *generic])
    result = run_training(files, lambda progress: None)
    Console(stderr=True).print(
        f"{result.seconds:.0f} s, loss {result.first_loss:.3f} → {result.last_loss:.3f}"
    )
    files.adapter.replace(scratch.adapter(course.name, size))
    shutil.rmtree(files.root)


def example_of(question: Question) -> Example:
    situation = question.situation
    stop, indent = situation.stop
    return Example(
        prompt_at(situation, NEAR, PRIVACY), question.truth.target, 1.0, Source.OUTCOME, situation.path,
        situation.at, question.truth.ends, stop, indent, line=situation.line,
    )  # fmt: skip


async def ask_all(options: argparse.Namespace, scratch: Scratch, deadline: float) -> bool:
    """Ask every arm that has no row yet at every held-out cursor; return whether all were asked."""
    done = {(row["project"], row["number"], row["arm"]) for row in read_rows(scratch.rows)}
    found = courses(options, scratch)
    engine = ChildEngine(
        scratch.model, EngineOptions(threads=options.threads, bulk=True), lambda status: None
    )
    await engine.start()
    try:
        for course, other in zip(found, [*found[1:], found[0]], strict=True):
            arms = arms_of(options.sizes, scratch, course, other)
            for question in course.held_out:
                number = question.situation.number
                left = {arm: path for arm, path in arms.items() if (course.name, number, arm) not in done}
                for row in await answers(engine, question, left):
                    append_row(scratch.rows, row)
                if time.monotonic() > deadline:
                    return False
            Console(stderr=True).print(f"asked {course.name}")
        await ask_generic(engine, scratch, [course.name for course in found], options.sizes)
    finally:
        await engine.close()
    return True


def arms_of(sizes: Sequence[int], scratch: Scratch, own: Course, other: Course) -> dict[str, Path | None]:
    arms: dict[str, Path | None] = {START: scratch.start}
    for size in sorted(sizes):
        for kind, course in (("own", own), ("other", other)):
            if (path := scratch.adapter(course.name, size)).exists():
                arms[f"{kind} {size}"] = path
    return arms


async def answers(engine: ChildEngine, question: Question, arms: Mapping[str, Path | None]) -> list[Row]:
    """Return each arm's row; the prompt is evaluated once."""
    if not arms:
        return []
    asker = Asker(engine, PRIVACY, NEAR)
    prompt = asker.prompt(question.situation)
    # With an adapter the prompt is evaluated apart from its trigger, so that all arms find the same cells.
    await engine.use_adapter(next((path for path in arms.values() if path), None))
    await engine.complete(Request(prompt, Purpose.WARM))
    rows = []
    for arm, adapter in arms.items():
        prediction = await asker.ask(question.situation, prompt, adapter)
        scored = await asker.score(question.situation, prompt, question.truth, adapter)
        row = asdict(row_of(question, prediction, scored, ArmName.WEIGHTS, Phase.BLOCK, 0))
        rows.append({**row, "arm": arm, "prediction": prediction.text, "target": question.truth.target})
    return rows


async def ask_generic(
    engine: ChildEngine, scratch: Scratch, projects: Sequence[str], sizes: Sequence[int]
) -> None:
    """Ask the exam's generic set what the adapters have forgotten."""
    done = {row["adapter"] for row in read_rows(scratch.generic)}
    questions = generic_questions()
    for project in projects:
        for size in sorted(sizes):
            path = scratch.adapter(project, size)
            if path.name in done or not path.exists():
                continue

            async def before(number: int) -> None:
                """Nothing: nobody waits for a question."""

            adapters = {Arm.CANDIDATE: path, Arm.BASE: scratch.start}
            marks = await sit(engine, adapters, Paper(questions, len(questions)), before)
            paper = paper_result(questions, len(questions), marks)
            exact = {str(arm): paper.figures(arm).exact_match for arm in adapters}
            append_row(scratch.generic, {"adapter": path.name, "size": size, "exact_match": exact})


def figures(rows: list[Row], generic: list[Row]) -> list[Figure]:
    """Return the curve: each size against the start and against another project's adapter of that size."""
    by_arm: dict[str, dict[tuple[str, int], Row]] = {}
    for row in rows:
        by_arm.setdefault(row["arm"], {})[row["project"], row["number"]] = row
    sizes = sorted({int(arm.split()[1]) for arm in by_arm if arm != START})
    found = []
    for size in sizes:
        for against in (START, f"other {size}"):
            found += compared(by_arm, f"own {size}", against)
        found += generic_figures(generic, size)
    for smaller, larger in pairwise(sizes):
        found += compared(by_arm, f"own {larger}", f"own {smaller}", is_target=False)
    return found


def compared(
    by_arm: Mapping[str, Mapping[tuple[str, int], Row]], one: str, other: str, *, is_target: bool = True
) -> list[Figure]:
    """Return the differences at the cursors that both were asked at: better means beyond the interval."""
    if one not in by_arm or other not in by_arm:
        return []
    places = sorted(by_arm[one].keys() & by_arm[other].keys())
    pairs = [(by_arm[one][place], by_arm[other][place]) for place in places]
    new = [pair for pair in pairs if not pair[0]["duplicate"]]
    told = f"{one} against {other}"
    return [
        *(measured(told, name, pairs, is_target=is_target) for name in MEASURES),
        *(measured(f"{told}, novel lines", name, new, is_target=False) for name in MEASURES),
    ]


def measured(told: str, name: str, pairs: Sequence[tuple[Row, Row]], *, is_target: bool) -> Figure:
    mine, theirs = ([MEASURES[name](row) for row in side] for side in zip(*pairs, strict=True))
    files = [f"{row['project']}/{row['file']}" for row, _ in pairs]
    estimate = paired(mine, theirs, files, mean_difference)
    means = f"{sum(mine) / len(mine):.3f} - {sum(theirs) / len(theirs):.3f}"
    note = f"{means} at {len(pairs)} cursors, {estimate}"
    if is_target and name == LOSS:
        return at_most(f"{told}, {name}, upper end", estimate.high, 0, note)
    if is_target and name == EXACT:
        return at_least(f"{told}, {name}, lower end", estimate.low, 0, note)
    return Figure(f"{told}, {name}", estimate.value, note=note)


EXACT, LOSS, NET = "exact match", "log-loss per token", "net saved characters"
MEASURES = {
    EXACT: lambda row: float(row["exact"]),
    LOSS: lambda row: row["log_loss"] / row["tokens"],
    NET: lambda row: float(row["net"]),
}


def generic_figures(generic: list[Row], size: int) -> list[Figure]:
    changes = [
        100 * (row["exact_match"]["candidate"] - row["exact_match"]["base"])
        for row in generic
        if row["size"] == size
    ]
    if not changes:
        return []
    told = f"generic set after {size}, exact match, points, worst of {len(changes)} projects"
    return [at_least(told, min(changes), -1)]


if __name__ == "__main__":
    main()
