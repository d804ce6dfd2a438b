"""What a night asks of the training process, and what that answers: files in one directory, lines on a pipe.

Neither side needs the other's libraries: this module imports no torch.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learner.examples import Example, Source
from learner.give_way import Reason
from models.engine import Stop
from models.home import private_directory, private_opener
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable

STOPPED = 4
"""The training process' exit code when it was told to stop; the same job goes on where it stopped.
Others are 0 (done) and 1 (failed, with a reason)."""


class JobError(Exception):
    """A job cannot be done; the message names the thing, the value and the remedy."""


@dataclass(frozen=True)
class TrainingOptions:
    """How an adapter is trained."""

    rank: int = 8
    """Of the LoRA matrices; a job that starts from an adapter keeps that one's rank and layers."""
    alpha: float = 16.0
    """The adapter's output is multiplied by ``alpha / rank``."""
    layers: int = 16
    """Adapt so many of the uppermost layers; 0 for all."""
    epochs: int = 2
    """How often each example is seen."""
    batch: int = 8
    """Examples per step."""
    learning_rate: float = 4e-4
    """The highest, after the warm-up; it falls to a tenth along a cosine."""
    warm_up: float = 0.05
    """The share of the steps in which the learning rate rises from 0."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """The largest norm of a step's gradient."""
    anchor: float = 0.1
    """The coefficient of the KL divergence from the adapter it starts from, or from the base."""
    anchor_to_base: bool = False
    """Stay close to the base also where training starts from an adapter."""
    unlikelihood: float = 0.1
    """The coefficient of the unlikelihood of a rejected offer's first wrong token."""
    distillation: float = 0.0
    """The share of an example's loss by which a teacher who sees what settled corrects the student's own
    completion (:mod:`learner.night.distillation`), instead of what settled itself; 0 has no teacher."""
    replay: float = 0.25
    """At most this share of the examples is generic code; what is beyond it is left out."""
    prompt_tokens: int = 512
    """A longer prompt is shortened to this, as serving shortens one for a small context."""
    target_tokens: int = 96
    """A longer target is cut, and then nothing is said of where it ends."""
    minutes: float = 60.0
    """The time for everything, loading included; fewer examples are taken where more do not fit."""
    memory_mb: int = 5800
    """The process' peak memory; kept prompt states have what the model and its work leave of it. Whoever
    started the process holds some more: 6 GB in all."""
    give_way: tuple[Reason, ...] = tuple(Reason)
    """What makes training pause."""
    patience_minutes: float = 30.0
    """A longer pause ends the training; the same job goes on later."""
    checkpoint_seconds: float = 30.0
    """A kill costs at most so much work."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rank", "epochs", "batch", "prompt_tokens", "target_tokens", "memory_mb"):
            if getattr(self, name) < 1:
                raise JobError(f"{name} is {getattr(self, name)!r}, but must be at least 1")
        for name in ("alpha", "learning_rate", "clip", "minutes", "patience_minutes"):
            if getattr(self, name) <= 0:
                raise JobError(f"{name} is {getattr(self, name)!r}, but must be above 0")
        for name in ("layers", "weight_decay", "anchor", "unlikelihood"):
            if getattr(self, name) < 0:
                raise JobError(f"{name} is {getattr(self, name)!r}, but must not be negative")
        for name in ("warm_up", "replay", "distillation"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise JobError(f"{name} is {getattr(self, name)!r}, but must be from 0 to 1")


@dataclass(frozen=True)
class Job:
    """One training, in its own directory; the same job in the same directory goes on where it was stopped."""

    model: Path
    """The base's GGUF file."""
    base: str
    """Its SHA-256, hexadecimal; the adapter is bound to it."""
    name: str
    """What the adapter is called in its own metadata."""
    start: Path | None = None
    """The GGUF adapter to start from; None starts from nothing."""
    typing: Path | None = None
    """The file whose time of change is the last keystroke's; None where nobody can be typing."""
    options: TrainingOptions = field(default_factory=TrainingOptions)


@dataclass(frozen=True)
class JobFiles:
    """The names in a job's directory; nothing else in the code spells them."""

    root: Path

    @property
    def job(self) -> Path:
        return self.root / "job.json"

    @property
    def examples(self) -> Path:
        return self.root / "examples.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint"

    @property
    def stop(self) -> Path:
        """While this file exists, training stops after the step it is in, as with SIGTERM."""
        return self.root / "stop"

    @property
    def adapter(self) -> Path:
        """The trained adapter; there as soon as training is done."""
        return self.root / "adapter.gguf"


@dataclass(frozen=True)
class Progress:
    """Where a training is. A message of its own kind: each line on the process' stdout is one."""

    phase: str
    """``load``, ``train``, ``pause`` (``note`` says why) or ``export``."""
    done: int = 0
    total: int = 0
    """Steps; 0 while unknown."""
    loss: float | None = None
    """The weighted log-loss per target token, averaged over the last steps."""
    seconds_left: float | None = None
    note: str = ""


@dataclass(frozen=True)
class TrainingResult:
    """What a training did."""

    examples: int
    """Trained on."""
    left_out: dict[str, int]
    """Of those given, the ones that were not trained on, by reason."""
    epochs: float
    """How often each was seen; a fraction where time ran out."""
    steps: int
    dropped_steps: int
    """Steps whose loss was no number; they changed nothing."""
    first_loss: float
    """The weighted log-loss per target token over the first tenth of the steps, and the last."""
    last_loss: float
    seconds: float
    peak_mb: int
    dtype: str
    """What the multiplications were done in: ``bfloat16`` or ``float32``."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know: shortened, halved, run out of time."""
    prompt_seconds: float = 0.0
    """Of the last process' seconds, what the evaluation of prompts took."""


@dataclass(frozen=True)
class Stopped:
    """Training was interrupted; the same job goes on from here."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """Training cannot go on."""

    message: str


Message = Progress | TrainingResult | Stopped | Failed

_KINDS: dict[str, type[Any]] = {
    "progress": Progress,
    "result": TrainingResult,
    "stopped": Stopped,
    "failed": Failed,
}


def to_line(message: Message) -> str:
    """Return ``message`` as one line of JSON, newline included."""
    (kind,) = (kind for kind, of in _KINDS.items() if isinstance(message, of))
    return json.dumps({"kind": kind, **asdict(message)}) + "\n"


def from_line(line: str) -> Message:
    """Return the message that :func:`to_line` wrote.

    Raises:
        ValueError: ``line`` is none.
    """
    try:
        content = json.loads(line)
        message = _KINDS[content.pop("kind")](**content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the training process said {line[:200]!r}: {error!r}") from None
    return replace(message, notes=tuple(message.notes)) if isinstance(message, TrainingResult) else message


def write_job(files: JobFiles, job: Job, examples: Iterable[Example]) -> None:
    """Write the job and its examples (best evidence first), each file whole or not at all."""
    write_examples(files, examples)
    _write(files.job, [json.dumps(asdict(job), default=str)])


def write_examples(files: JobFiles, examples: Iterable[Example]) -> None:
    """Write the examples alone; no training reads them before there is a job."""
    private_directory(files.root)
    _write(files.examples, (json.dumps(asdict(example)) + "\n" for example in examples))


def read_job(files: JobFiles) -> Job:
    """Return the job in ``files``.

    Raises:
        JobError: there is none, or it cannot be read.
    """
    try:
        content = json.loads(files.job.read_text("utf-8"))
        options = content.pop("options")
        give_way = tuple(Reason(name) for name in options["give_way"])
        paths = {
            name: Path(content[name]) if content[name] else None for name in ("model", "start", "typing")
        }
        return Job(**{**content, **paths, "options": TrainingOptions(**{**options, "give_way": give_way})})
    except FileNotFoundError:
        raise JobError(f"{files.root} holds no job ({files.job.name}); nightschool train makes one") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise JobError(f"cannot read {files.job}: {error}; nightschool train makes a new one") from None


def read_examples(files: JobFiles) -> list[Example]:
    """Return the job's examples in their order.

    Raises:
        JobError: they cannot be read.
    """
    try:
        with files.examples.open(encoding="utf-8") as lines:
            return [_example(json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise JobError(f"cannot read {files.examples}: {error}; nightschool train makes a new one") from None


def _example(content: dict[str, Any]) -> Example:
    prompt = content["prompt"]
    chunks = tuple(Chunk(**chunk) for chunk in prompt["chunks"])
    return Example(
        **{
            **content,
            "prompt": Prompt(**{**prompt, "chunks": chunks}),
            "source": Source(content["source"]),
            "stop": Stop(content["stop"]),
        }
    )


def _write(path: Path, lines: Iterable[str]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(part, "w", encoding="utf-8", opener=private_opener) as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
