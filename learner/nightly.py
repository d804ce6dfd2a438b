"""One night: lesson, training, exam, verdict, promotion; what is killed, the next night goes on with."""

from __future__ import annotations

import errno
import threading
import time
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from learner import micro_night
from learner.canaries import hatch, plant
from learner.consolidation import Recital, consolidate, recite
from learner.current import PRIMER
from learner.exam.examination import Exam, ExamResult, examine
from learner.exam.generic import generic_questions
from learner.exam.sitting import Arm
from learner.examples import Selection, Source
from learner.give_way import GiveWay, InterruptionError, Limits, Machine
from learner.job import Job, JobError, Progress, TrainingOptions
from learner.ledger_file import connect_to_read
from learner.lesson import TASKS_EACH, prepare
from learner.night_lock import FULL, MICRO, NightLock, NothingToLearnError
from learner.night_needs import NightFailedError, check_machine
from learner.practice.grading import Exercise, Practice, practise
from learner.registry import Registry, adapter_id
from learner.tonight import Plan, Tonight
from learner.training_process import TrainingStoppedError, run_training
from models import primers
from models.checksum import sha256_of
from models.choice import model_path, remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from learner.examples import Example, Lesson
    from learner.job import JobFiles, TrainingResult
    from learner.registry import Adapter
    from models.home import Home

LEAST_TRAINING = 20
"""Outcomes to learn from ..."""
LEAST_EXAM = 20
"""... and newer ones to be examined on."""
GIVE_UP_S = 20 * 3600.0
"""An unfinished night older than this has been overtaken by new outcomes."""
_Found = TypeVar("_Found")
PRACTICE_SHARE = 0.15
"""Of a night's minutes, at most, for finding out which tasks are half mastered."""
RECITAL_SHARE = 0.1
"""Of a night's minutes, at most, for finding out which memories a promoted adapter writes by itself."""
_OWN_CODE = (Source.REPOSITORY, Source.PRACTICE)
_KEEP = 10
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
LEAST_SHARE = 1 / 3
"""Of a night's minutes, at least, for the training."""
_QUESTION_S = 1.5
"""An exam's question for a model of a gigabyte and one adapter, on two cores; it scales with the file."""


class Verdict(StrEnum):
    PROMOTED = "promoted"
    REFUSED = "refused"
    NOTHING = "nothing"


@dataclass(frozen=True)
class NightOptions:
    selection: Selection = field(default_factory=Selection)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    """Its minutes are the whole night's, the exam's included."""
    least_new: int = 0
    """Do nothing where fewer outcomes are newer than the last night."""
    is_micro: bool = False
    """Go on from what serves, with what that has not learned from (:mod:`learner.micro_night`); give way
    to a full night."""


@dataclass(frozen=True)
class NightResult:
    verdict: Verdict
    adapter: str
    """The id of the adapter that was made."""
    reasons: list[str]
    """Why it must not serve; empty where it does."""
    exam: dict[str, Any]
    seconds: float
    examples: int
    """Trained on."""
    known: int = 0
    """Memories that the promoted adapter writes by itself: they rest while it serves."""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": str(self.verdict)}


class Night:
    """One night's work for the model in use.

    Raises, from :meth:`run`: NothingToLearnError, NightFailedError, JobError, EngineError, ModelError,
    AdapterError, and OSError where the disk is full or cannot be written.
    """

    def __init__(
        self,
        home: Home,
        options: NightOptions,
        on_progress: Callable[[Progress], None],
        *,
        now: Callable[[], float] = time.time,
        train: Callable[[JobFiles, Callable[[Progress], None]], TrainingResult] = run_training,
        examine: Callable[[Exam, Callable[[int], None], threading.Event], ExamResult] = examine,
        practise: Callable[[Exercise, Callable[[int], None], threading.Event], Practice] = practise,
        recite: Callable[[Recital, Callable[[int], None], threading.Event], Mapping[str, bool]] = recite,
    ) -> None:
        """What takes minutes (the last four) tests of what is around bring themselves."""
        self._home, self._options, self._on_progress, self._now = home, options, on_progress, now
        self._run_training, self._hold_exam, self._try_tasks = train, examine, practise
        self._recite = recite
        self._registry = Registry(home)
        self._tonight = Tonight(home.night / (MICRO if options.is_micro else FULL))
        self._lock = NightLock(home, is_micro=options.is_micro)
        self._began = time.monotonic()

    def run(self) -> NightResult:
        """Do the night, or what is left of one that was broken off."""
        counted = (
            micro_night.counted_try(self._home, self._now()) if self._options.is_micro else nullcontext()
        )
        with self._lock.held(), counted:
            try:
                return self._run()
            except OSError as error:
                if error.errno not in _DISK_FULL:
                    raise
                raise NightFailedError(
                    f"the disk that holds {self._home.root} is full; make room there and run it again: "
                    "it goes on from here"
                ) from error

    def _run(self) -> NightResult:
        model, base = self._model()
        check_machine(model, self._home)
        plan = self._plan(model, base)
        if plan.id in {adapter.id for adapter in self._registry.adapters()}:
            # Killed after the adapter was put among the others.
            return self._finish(self._registry.find(plan.id), model)
        trained = self._train()
        exam = self._examine(plan, model)
        return self._finish(self._register(plan, trained, exam), model)

    def _model(self) -> tuple[Path, str]:
        path = model_path(self._home)
        if not path.is_file():
            raise NightFailedError(f"the model in use is not here ({path}); run: {remedy(self._home)}")
        return path, sha256_of(path)

    # What to learn

    def _plan(self, model: Path, base: str) -> Plan:
        """Go on with an unfinished night where it would do the same, else prepare a new one."""
        plan = self._tonight.plan()
        parent = self._parent(base)
        if (
            plan is None
            or (plan.base, plan.parent, plan.seed) != (base, parent, self._options.training.seed)
            or not 0 <= self._now() - plan.created < GIVE_UP_S
        ):
            return self._prepare(model, base, parent)
        self._tonight.go_on(self._job(model, plan))
        return plan

    def _parent(self, base: str) -> str | None:
        """Return the adapter to begin from; None is the bare base."""
        if self._options.is_micro:
            serving = self._registry.serving(base)
            return serving.id if serving else None
        return PRIMER if primers.primer_path(base) else None

    def _prepare(self, model: Path, base: str, parent: str | None) -> Plan:
        self._say("lesson")
        lesson = self._lesson(base)
        practice = self._practise(lesson.tasks, model, parent, base)
        created = self._now()
        own = [*lesson.training, *practice.kept]
        learned = [example for example in own if example.source is Source.OUTCOME]
        times = [example.at for example in learned]
        seed = self._options.training.seed
        plan = Plan(
            id=adapter_id(created, f"{base} {created} {seed}"),
            base=base,
            base_name=model.stem,
            created=created,
            parent=parent,
            seed=seed,
            outcomes=lesson.outcomes,
            training=len(lesson.training) + len(practice.kept),
            exam=len(lesson.exam),
            files=tuple(sorted({example.file for example in own if example.source in _OWN_CODE})),
            offers=tuple(example.offer_id for example in learned if example.offer_id),
            data_from=min(times),
            data_until=max(times),
            dropped={str(reason): count for reason, count in lesson.dropped.items()},
            practice={**asdict(practice), "kept": len(practice.kept)},
            is_micro=self._options.is_micro,
        )
        rest = (example for example in lesson.training if example.source is not Source.OUTCOME)
        training = plant([*learned, *practice.kept, *rest], hatch(plan.id))
        self._tonight.begin(plan, self._job(model, plan), training, lesson.exam)
        return plan

    def _lesson(self, base: str) -> Lesson:
        """Read what there is to learn.

        Raises:
            NothingToLearnError: it is too little.
        """
        try:
            with closing(connect_to_read(self._home.ledger)) as ledger:
                last = max((a.created for a in self._registry.adapters() if a.base == base), default=0.0)
                (new,) = ledger.execute(
                    "SELECT count(*) FROM outcomes WHERE offered_at > ?", (last,)
                ).fetchone()
                lesson = prepare(ledger, self._home, self._selection(base))
        except FileNotFoundError:
            raise NothingToLearnError(_too_little(0, 0, 0)) from None
        if new < self._options.least_new:
            raise NothingToLearnError(
                f"{new} outcomes are new since the last night, {self._options.least_new} were asked for"
            )
        learned = sum(example.source is Source.OUTCOME for example in lesson.training)
        if learned < LEAST_TRAINING or len(lesson.exam) < LEAST_EXAM:
            raise NothingToLearnError(_too_little(lesson.outcomes, learned, len(lesson.exam)))
        return lesson

    def _practise(self, tasks: Sequence[Example], model: Path, parent: str | None, base: str) -> Practice:
        """Find out which tasks are half mastered, by what training begins from."""
        if not tasks:
            return Practice()
        adapter = self._registry.find(parent, base).path if parent else None
        seconds = 60 * PRACTICE_SHARE * self._options.training.minutes
        exercise = Exercise(model, adapter, tasks, len(tasks) // TASKS_EACH, seconds)
        return self._beside("practice", len(tasks), partial(self._try_tasks, exercise))

    def _selection(self, base: str) -> Selection:
        """Ask nothing that the serving adapter has learned: against it the candidate would have no chance."""
        serving = self._registry.serving(base)
        learned = (serving.data_until or 0.0) if serving else 0.0
        if self._options.is_micro:
            most = min(self._options.selection.repository, micro_night.REPOSITORY)
            return replace(
                self._options.selection, since=learned, exam_after=learned, repository=most, practice=0
            )
        return replace(self._options.selection, exam_after=learned)

    def _job(self, model: Path, plan: Plan) -> Job:
        options = self._options.training
        start = self._registry.find(plan.parent, plan.base).path if plan.parent else None
        questions = (plan.exam + len(generic_questions())) * len(set(self._arms(plan.base).values()))
        exam = _QUESTION_S / 60 * model.stat().st_size / 1e9 * questions
        practice = plan.practice.get("seconds", 0.0) / 60
        left = options.minutes * (1 - RECITAL_SHARE) - exam - practice
        return Job(
            model=model,
            base=plan.base,
            name=plan.id,
            start=start,
            typing=self._home.typing,
            options=replace(options, minutes=max(options.minutes * LEAST_SHARE, left)),
        )

    # Learning, and whether it helped

    def _train(self) -> Mapping[str, Any]:
        """Train, unless that was done before; return what training said of itself."""
        if done := self._tonight.trained():
            return done
        try:
            result = self._run_training(self._tonight.files, self._go_on)
        except TrainingStoppedError:
            raise
        except JobError:
            # The same night would fail again; the next one begins anew, and may find other examples.
            self._tonight.discard()
            raise
        self._tonight.note_training(result)
        return asdict(result)

    def _examine(self, plan: Plan, model: Path) -> ExamResult:
        exam = Exam(model, self._arms(plan.base), self._tonight.exam(), hatch(plan.id))
        return self._beside("exam", exam.questions, partial(self._hold_exam, exam))

    def _arms(self, base: str) -> dict[Arm, Path | None]:
        serving = self._registry.serving(base)
        primer = primers.primer_path(base)
        return {
            Arm.CANDIDATE: self._tonight.files.adapter,
            Arm.SERVING: serving.path if serving else None,
            **({Arm.PRIMER: primer} if primer else {}),
            Arm.BASE: None,
        }

    def _beside(
        self,
        phase: str,
        total: int,
        work: Callable[[Callable[[int], None], threading.Event], _Found],
    ) -> _Found:
        """Have an engine do ``work``: it tells how far it is, and is held while something else comes first.

        Raises:
            TrainingStoppedError: it was held for too long.
        """
        ended = threading.Event()
        options = self._options.training
        give_way = GiveWay(
            Machine(self._home.typing),
            options.give_way,
            wait=ended.wait,
            limits=Limits(patience_s=60 * options.patience_minutes),
        )
        began = time.monotonic()

        def on_done(number: int) -> None:
            left = (time.monotonic() - began) / number * (total - number) if number else None
            self._say(phase, number, total, seconds_left=left)
            give_way.make_room(lambda reason: self._say("pause", note=reason.sentence))

        try:
            return work(on_done, ended)
        except InterruptionError as error:
            raise TrainingStoppedError(str(error)) from None

    def _register(self, plan: Plan, trained: Mapping[str, Any], exam: ExamResult) -> Adapter:
        """Put the adapter among the others, refused or not, with all that is known of it."""
        record = {
            **{name: value for name, value in asdict(plan).items() if name != "id"},
            "training": dict(trained),
            "examples": trained["examples"],
            "seconds": trained["seconds"],
            "exam": exam.as_report(),
            "reasons": list(exam.reasons),
            "verdict": Verdict.REFUSED if exam.reasons else Verdict.PROMOTED,
        }
        return self._registry.add(self._tonight.files.adapter, plan.id, record)

    def _finish(self, adapter: Adapter, model: Path) -> NightResult:
        """Let the adapter serve if it may, and clear up."""
        report = adapter.report
        verdict = Verdict(report["verdict"])
        serving = self._registry.serving(adapter.base)
        if verdict is Verdict.PROMOTED and (serving is None or serving.id != adapter.id):
            self._registry.promote(adapter.id, by="night", reason="passed its exam")
        known = self._consolidate(adapter, model) if verdict is Verdict.PROMOTED else 0
        self._registry.prune(_KEEP)
        self._tonight.discard()
        return NightResult(
            verdict,
            adapter.id,
            list(report["reasons"]),
            dict(report["exam"]),
            round(time.monotonic() - self._began, 1),
            int(report["examples"]),
            known,
        )

    def _consolidate(self, adapter: Adapter, model: Path) -> int:
        """Tell the memory what the adapter, which serves by now, writes by itself; return how much."""

        def try_out(recital: Recital) -> Mapping[str, bool]:
            return self._beside("recital", len(recital.occasions), partial(self._recite, recital))

        seconds = 60 * RECITAL_SHARE * self._options.training.minutes
        return consolidate(self._home.memory, adapter, model, self._tonight, seconds, try_out)

    def _say(
        self, phase: str, done: int = 0, total: int = 0, *, seconds_left: float | None = None, note: str = ""
    ) -> None:
        self._go_on(Progress(phase, done, total, seconds_left=seconds_left, note=note))

    def _go_on(self, progress: Progress) -> None:
        """Tell where the night is; a short one ends here where a full one waits."""
        self._lock.check()
        self._on_progress(progress)


def _too_little(outcomes: int, training: int, exam: int) -> str:
    return (
        f"of {outcomes} recorded outcomes {training + exam} teach something ({training} to learn from and "
        f"{exam} newer ones for the exam), but {LEAST_TRAINING + LEAST_EXAM} are needed ({LEAST_TRAINING} "
        f"and {LEAST_EXAM}): go on working with ghost text and try again"
    )
