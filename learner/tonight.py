"""The night's own directory: what is being done tonight, so that a killed night goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from learner.job import JobError, JobFiles, read_examples, write_job
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from learner.examples import Example
    from learner.job import Job, TrainingResult


@dataclass(frozen=True)
class Plan:
    """What a night set out to do."""

    id: str
    """The adapter that it makes."""
    base: str
    """The SHA-256 of the model that it trains for."""
    base_name: str
    created: float
    """Unix time, as all times here."""
    parent: str | None
    """The id of the adapter whose weights training begins from; None is the bare base."""
    seed: int
    outcomes: int
    """Recorded outcomes that were looked at."""
    training: int
    """Examples to train on, without the canaries."""
    exam: int
    """Outcomes to examine on."""
    offers: tuple[str, ...] = ()
    """The ids of the offers whose outcomes are trained on."""
    files: tuple[str, ...] = ()
    """The developer's files (URIs) whose code is trained on beside them."""
    data_from: float | None = None
    data_until: float | None = None
    """When the oldest and the newest of them were made."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Examples that were left out, by reason."""
    practice: dict[str, float] = field(default_factory=dict)
    """What became of the tasks it set itself: how many were kept, mastered, hopeless, unasked; seconds."""
    is_micro: bool = False
    """Whether it was a short training between two nights."""


class Tonight:
    """The directory of one night; it counts once its plan is there, which is written last."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = JobFiles(root / "training")
        self._exam = JobFiles(root / "exam")
        self._plan = root / "plan.json"
        self._trained = root / "trained.json"

    def begin(self, plan: Plan, job: Job, training: Sequence[Example], exam: Sequence[Example]) -> None:
        """Write down what is to be done.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        self.discard()
        write_job(self.files, job, training)
        write_job(self._exam, job, exam)
        _write(self._plan, asdict(plan))

    def go_on(self, job: Job) -> None:
        """Write the job anew, for what may be asked for otherwise than before."""
        write_job(self.files, job, self.training())

    def plan(self) -> Plan | None:
        """Return what an unfinished night set out to do; None where none can be gone on with."""
        try:
            content = json.loads(self._plan.read_text("utf-8"))
            plan = Plan(**{**content, **{name: tuple(content[name]) for name in ("offers", "files")}})
            self.training()
            self.exam()
        except (OSError, ValueError, TypeError, KeyError, JobError):
            return None
        return plan

    def training(self) -> list[Example]:
        """Return what is trained on.

        Raises:
            JobError: it cannot be read.
        """
        return read_examples(self.files)

    def exam(self) -> list[Example]:
        """Return the exam's questions.

        Raises:
            JobError: they cannot be read.
        """
        return read_examples(self._exam)

    def note_training(self, result: TrainingResult) -> None:
        """Keep what training said of itself, which says that it is done."""
        _write(self._trained, asdict(result))

    def trained(self) -> dict[str, Any] | None:
        """Return what training said of itself; None where it is not done."""
        try:
            return json.loads(self._trained.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def discard(self) -> None:
        """Forget the night; killed half-way, what is left counts as no night."""
        self._plan.unlink(missing_ok=True)
        if self.root.exists():
            shutil.rmtree(self.root)
        private_directory(self.root)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", opener=private_opener) as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
