"""One replay from its paths to its results: histories, plans, arms and the engine are put together here."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from learner.gate.gate import Gate
from learner.gate.shipped import PriorError, read_prior
from learner.phases import PHASES
from learner.privacy import PrivacyFilter
from learner.replay.arms import MINDFUL, SCHOOLED, ArmName, FixedArm
from learner.replay.asking import REPLAYED, Asker
from learner.replay.figures import results
from learner.replay.git_history import GitHistory
from learner.replay.history import HistoryError
from learner.replay.mindful_arm import MindfulArm
from learner.replay.questions import questions_of
from learner.replay.record import Record
from learner.replay.releases import ReleaseHistory
from learner.replay.sampling import draw_plan, read_plan, write_plan
from learner.replay.school import NightSchool, OtherSchool
from learner.replay.stream import Course, Stream, rows_of
from learner.replay.workplace import Workplace
from models import primers
from models.checksum import sha256_of
from models.home import private_directory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from learner.job import Progress
    from learner.replay.arms import Arm
    from learner.replay.asking import Examinee
    from learner.replay.history import History
    from learner.replay.questions import Question
    from learner.replay.record import Row
    from learner.replay.stream import School

VERSION = 2
"""Of what a record's rows mean; rows of another version are not gone on with."""


@dataclass(frozen=True)
class ReplayOptions:
    paths: tuple[Path, ...]
    """Of the projects, in the order in which they are replayed."""
    arms: tuple[ArmName, ...]
    limit: int
    """Interactions of each project's stream at most."""
    seeds: tuple[int, ...] = (0,)
    restart: bool = False
    """Forget what an earlier run of the same replay has asked."""


@dataclass
class Meter:
    """How far a replay is."""

    on_change: Callable[[Meter], None]
    phase: str = "history"
    done: int = 0
    total: int = 0
    asked: int = field(default=0)
    """Of those that are done, the ones that this run has asked."""

    def say(self, phase: str, done: int = 0, total: int = 0) -> None:
        self.phase, self.done, self.total = phase, done, total
        self.on_change(self)

    def night(self, progress: Progress) -> None:
        self.phase = f"a night: {PHASES.get(progress.phase, progress.phase)}"
        self.on_change(self)

    def note(self, was_asked: bool) -> None:
        self.phase = "ask"
        self.done += 1
        self.asked += was_asked
        self.on_change(self)


@dataclass(frozen=True)
class Base:
    """The model that is asked."""

    model: Path
    """Its GGUF file."""
    sha256: str

    @property
    def primer(self) -> Path | None:
        return primers.primer_path(self.sha256)


@dataclass(frozen=True)
class _Project:
    history: History
    questions: Sequence[Question]
    stream: int
    """How many of the questions are the stream; the others are the future block."""


def open_history(path: Path) -> History:
    """Return the history at ``path``: a git repository's, else a folder of releases.

    Raises:
        HistoryError: it is neither, or cannot be read.
    """
    bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
    if bare or (path / ".git").exists():
        return GitHistory(path)
    return ReleaseHistory(path)


async def replay(
    folder: Path,
    model: Path,
    options: ReplayOptions,
    start_engine: Callable[[AsyncExitStack, Path | None], Awaitable[Examinee]],
    meter: Meter,
) -> dict[str, Any]:
    """Replay the projects for all arms and seeds; return the results for JSON.

    Args:
        folder: where replays keep what they have asked; the same replay goes on there.
        model: the base's GGUF file.
        start_engine: starts an engine with an adapter; the stack closes it.

    Raises:
        HistoryError: a history cannot be read, or nothing in it is typed code.
        EngineError: the engine failed; the same replay goes on from there.
    """
    histories = [open_history(path) for path in options.paths]
    if len({history.project for history in histories}) < len(histories):
        raise HistoryError("two of the projects have the same name; rename one's folder")
    base = Base(model, sha256_of(model))
    here = private_directory(folder / _identity(histories, options.limit, base.sha256))
    with _locked(here):
        if options.restart:
            shutil.rmtree(here / "seeds", ignore_errors=True)
        seeds = {seed: here / "seeds" / str(seed) for seed in options.seeds}
        projects = {
            seed: [_project(history, options.limit, seed, root, meter) for history in histories]
            for seed, root in seeds.items()
        }
        meter.say("ask", 0, sum(_rows(found, options.arms) for found in projects.values()))
        async with AsyncExitStack() as stack:
            engine = await start_engine(stack, base.primer)
            asker = Asker(engine, PrivacyFilter(()))
            records = {
                seed: await _play(seeds[seed], seed, found, options, asker, base, meter)
                for seed, found in projects.items()
            }
    return results(records)


async def _play(
    root: Path,
    seed: int,
    projects: Sequence[_Project],
    options: ReplayOptions,
    asker: Asker,
    base: Base,
    meter: Meter,
) -> list[Row]:
    """Play one seed; return its rows."""
    with ExitStack() as stack:
        record = Record(root / "rows.jsonl")
        stack.callback(record.close)
        courses = [_course(project, root, stack) for project in projects]
        schools: dict[ArmName, School] = {}
        if ArmName.OTHER_PROJECT in options.arms:
            schools[ArmName.OTHER_PROJECT] = await _others(root, seed, courses, asker, base, meter)
        for name in (ArmName.WEIGHTS, ArmName.BOTH, ArmName.SHUFFLED):
            # The same developer's nights serve both arms that have them.
            if name in options.arms and not (name is ArmName.BOTH and ArmName.WEIGHTS in schools):
                schools[name] = NightSchool(root / "homes" / name, base.model, base.sha256, seed, meter.night)
                stack.callback(schools[name].close)
        arms = [
            _arm(name, asker, _adapter_of(name, schools, base.primer), root, seed) for name in options.arms
        ]
        for arm in arms:
            stack.callback(arm.close)
        stream = Stream(asker, arms, schools, record, seed, meter.note)
        for course in courses:
            await stream.play(course)
        if len(courses) > 1:
            await stream.play_again(courses[0])
        wanted = {str(name) for name in options.arms}
        return [row for row in record.rows.values() if row.arm in wanted]


async def _others(
    root: Path, seed: int, courses: Sequence[Course], asker: Asker, base: Base, meter: Meter
) -> OtherSchool:
    """Let another project teach an adapter for each one: by what static retrieval offered there."""
    adapters: dict[Path, Path | None] = {}
    for course, other in zip(courses, [*courses[1:], courses[0]], strict=True):
        with ExitStack() as stack:
            folder = root / "others" / other.workplace.root.name
            length = len(other.stream)
            school = NightSchool(
                folder,
                base.model,
                base.sha256,
                seed,
                meter.night,
                is_due=lambda interactions, length=length: interactions == length,
            )
            stack.callback(school.close)
            record = Record(folder / "rows.jsonl")
            stack.callback(record.close)
            arm = FixedArm(ArmName.WEIGHTS, asker, lambda school=school: school.adapter)
            stream = Stream(asker, [arm], {ArmName.WEIGHTS: school}, record, seed, meter.note)
            await stream.play(Course(other.workplace, other.stream, ()), moves=False)
            adapters[course.workplace.root] = school.adapter
    return OtherSchool(adapters)


def _adapter_of(
    name: ArmName, schools: Mapping[ArmName, School], primer: Path | None
) -> Callable[[], Path | None]:
    school = schools.get(ArmName.WEIGHTS if name is ArmName.BOTH and name not in schools else name)
    return (lambda: school.adapter) if school else (lambda: primer)


def _course(project: _Project, root: Path, stack: ExitStack) -> Course:
    place = Workplace(root / "files" / project.history.project, project.history, REPLAYED)
    stack.callback(place.close)
    return Course(place, project.questions[: project.stream], project.questions[project.stream :])


def _rows(projects: Sequence[_Project], arms: Sequence[ArmName]) -> int:
    """Return how many answers one seed has in all."""
    learning = sum(arm in MINDFUL | SCHOOLED for arm in arms)
    sizes = [(project.stream, len(project.questions) - project.stream) for project in projects]
    ahead = sum(stream for stream, _ in sizes) if ArmName.OTHER_PROJECT in arms else 0
    return rows_of(sizes, len(arms) - learning, learning) + ahead


def _arm(name: ArmName, asker: Asker, adapter: Callable[[], Path | None], root: Path, seed: int) -> Arm:
    if name not in MINDFUL:
        return FixedArm(name, asker, adapter)
    try:
        gate = Gate(read_prior())
    except PriorError as error:
        raise HistoryError(f"the arm {name} has no gate: {error}") from None
    return MindfulArm(name, asker, adapter, gate, private_directory(root) / f"{name}-memory.db", seed)


def _project(history: History, limit: int, seed: int, root: Path, meter: Meter) -> _Project:
    """Read the plan that was frozen for this seed, or draw it; and what it asks."""
    file = root / f"{history.project}.cursors.json"
    plan = read_plan(file)
    if plan is None:
        meter.say("history")
        plan = draw_plan(history, limit, seed, PrivacyFilter(()), lambda step: meter.say("history", step))
        write_plan(file, plan)
    return _Project(history, questions_of(history, plan), len(plan.stream))


def _identity(histories: Sequence[History], limit: int, base: str) -> str:
    told = [str(VERSION), base, str(limit), *(f"{each.project} {each.identity}" for each in histories)]
    return hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()[:16]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / "lock", timeout=0, mode=0o600):
            yield
    except Timeout:
        raise HistoryError("the same replay runs already; wait for it, or end it") from None
