"""What a night learns from: examples, the lesson they make, and how much of what goes into one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from models.engine import Stop
from models.line_end import end_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.line_end import End
    from models.prompt import Prompt


class Source(StrEnum):
    OUTCOME = "outcome"
    """What became of an offer."""
    REPOSITORY = "repository"
    """A cursor in the developer's own files."""
    PRACTICE = "practice"
    """The same, of those that the model was found to get half right."""
    REPLAY = "replay"
    """A cursor in generic code, against forgetting."""


class Dropped(StrEnum):
    """Why something that was looked at is in no lesson."""

    UNSEEN = "not seen"
    SUPERSEDED = "superseded by a newer offer"
    UNSETTLED = "never looked at again"
    NOTHING_WRITTEN = "nothing was written"
    SECRET = "holds a secret"
    UNREADABLE = "cannot be read from the ledger"
    DUPLICATE = "a duplicate"
    FILE_SHARE = "beyond its file's share"
    IN_EXAM = "beside or in the exam"
    PROJECT_GONE = "project is gone"
    NO_PROJECT = "folder is no project"
    PRIVATE_FILE = "private or ignored file"
    NO_CODE = "no readable code"


@dataclass(frozen=True)
class Example:
    """A prompt and what should follow its cursor."""

    prompt: Prompt
    """As it is served: outcomes have the one that was, repository and replay the current file's alone."""
    target: str
    """What should follow the cursor; what the engine would have stopped after is cut off."""
    weight: float
    """How much it counts, above 0 and at most 1; from ``learner.labels`` for outcomes."""
    source: Source
    file: str
    """URI (outcomes) or path: examples of one file are no independent evidence."""
    at: float
    """Unix time of the offer (outcomes), of the file's last change (repository), 0 for replay."""
    ends: bool = True
    """The completion ends after ``target``: that is trained too."""
    stop: Stop = Stop.LINE
    """How it is asked for."""
    indent: int = 0
    """For :attr:`Stop.BLOCK`, as :attr:`models.engine.Request.indent`."""
    offer_id: str = ""
    """Of an outcome, else empty."""
    rejected: str = ""
    """What was offered here and not wanted; empty for none. Where nothing is known to have been wanted
    instead, ``target`` is empty and ``ends`` False."""
    line: int = 0
    """The cursor's line, from 0."""

    @property
    def end(self) -> End:
        """What shows, to one who scores it, that ``target`` is all that should follow."""
        return end_of(self.target, self.stop, ends=self.ends)


@dataclass(frozen=True)
class Lesson:
    """What one night has to learn from."""

    training: tuple[Example, ...]
    """By weight of evidence: outcomes newest first, then practice, repository, replay."""
    exam: tuple[Example, ...]
    """The newest outcomes, oldest first; none is trained on, nor is any text around them."""
    outcomes: int
    """Outcomes that were looked at, whether they teach anything or not."""
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many candidates were left out, by reason."""
    tasks: tuple[Example, ...] = ()
    """For practice, where outcomes are few: those that turn out half mastered are trained on too."""


@dataclass(frozen=True)
class Selection:
    """How a lesson is put together."""

    outcomes: int = 3000
    """At most so many outcomes are trained on, the newest."""
    exam_share: float = 0.2
    """The share of the outcomes, the newest, that is only examined on."""
    exam_least: int = 20
    """At least so many, however few there are."""
    exam_most: int = 200
    repository: int = 1000
    """Examples from the developer's files."""
    practice: int = 300
    """Practice makes up for the outcomes that are missing to so many; 0 for none."""
    replay_share: float = 0.25
    """Of all training examples, the share that is generic code."""
    file_share: float = 0.2
    """No file gives more than this share of the outcomes (with few files, twice an even share), nor of the
    repository's examples; but it may always give ten."""
    since: float = 0.0
    """Outcomes before this unix time are left out."""
    exam_after: float = 0.0
    """Only outcomes after this unix time are examined on: one of the examined has learned from others."""
    projects: tuple[Path, ...] = ()
    """Folders to draw repository examples from, besides the projects of the ledger's outcomes."""
    ignore: tuple[str, ...] = ()
    """Globs of files that are not learned from, as the setting of that name (.gitignore's syntax)."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("exam_share", "replay_share", "file_share"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be from 0 to below 1")
        for name in ("outcomes", "exam_least", "exam_most", "repository", "practice"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must not be negative")
