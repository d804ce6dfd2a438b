"""``python -m learner.night.primer``: the primer, from the list of projects to the file that ships.

What was downloaded, drawn or trained so far is not done again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from learner.give_way import Reason
from learner.job import Job, JobError, JobFiles, TrainingOptions, read_examples, write_examples, write_job
from learner.night.primer.examples import draw_examples, statistics
from learner.night.primer.fetch import Fetcher
from learner.night.primer.files import code_files
from learner.night.primer.projects import Part, PrimerError, read_projects
from learner.night.primer.shipping import ship
from learner.night.primer.validation import validate
from learner.privacy import PrivacyFilter
from learner.training_process import TrainingStoppedError, run_training
from models.catalogue import ModelError
from models.checksum import sha256_of
from models.choice import model_path
from models.engine import EngineError
from models.home import Home
from models.primers import PRIMERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from learner.examples import Example
    from learner.job import Progress

PAUSED = 4
FOLDER = click.Path(file_okay=False, path_type=Path)


@dataclass(frozen=True)
class Sample:
    """Which examples are drawn."""

    cache: Path
    count: int
    validation: int
    seed: int

    @property
    def archives(self) -> Path:
        return self.cache / "archives"

    def folder(self, part: Part) -> Path:
        count = self.count if part is Part.TRAINING else self.validation
        return self.cache / f"{part}-{count}-{self.seed}"


def sampling(command: Any) -> Any:
    """Add the options that say which examples are drawn."""
    options = [
        click.option("--cache", type=FOLDER, default=Path(".bench/primer"), show_default=True,
                     help="Where downloads, examples and the training are kept."),
        click.option("--count", type=click.IntRange(1), default=6000, show_default=True,
                     help="Examples to train on."),
        click.option("--validation", type=click.IntRange(1), default=600, show_default=True,
                     help="Examples of other projects, never trained on."),
        click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of all drawing."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def primer() -> None:
    """Make the primer that ships for the model in use."""


@primer.command("fetch")
@sampling
def fetch_command(**chosen: Any) -> None:
    """Download the listed projects, each by its registry's client, and check their licences."""
    with _told():
        fetcher = Fetcher(Sample(**chosen).archives)
        for project in read_projects():
            files = list(code_files(project, fetcher.fetch(project)))
            click.echo(f"{project.label}: {len(files)} files of {project.language}, {project.licence}")


@primer.command("examples")
@sampling
def examples_command(**chosen: Any) -> None:
    """Draw the examples, and print what they are made of."""
    with _told():
        sample = Sample(**chosen)
        for part in Part:
            click.echo(
                json.dumps({str(part): statistics(_examples(sample, part), read_projects())}, indent=2)
            )


@primer.command("train")
@sampling
@click.option("--model", metavar="NAME|PATH", help="The base model; by default the one in use.")
@click.option("--minutes", type=click.FloatRange(1), default=480.0, show_default=True,
              help="The time for all of the training; only as many examples are taken.")  # fmt: skip
@click.option("--stop-after", type=click.FloatRange(1), metavar="MINUTES",
              help="End this run then (exit 4); the same command goes on.")  # fmt: skip
@click.option("--rank", type=click.IntRange(1), default=8, show_default=True)
@click.option("--layers", type=click.IntRange(0), default=16, show_default=True,
              help="The uppermost so many; 0 for all.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=4e-4, show_default=True)
@click.option("--anchor", type=click.FloatRange(0), default=0.0, show_default=True,
              help="The weight of the KL divergence from the base.")  # fmt: skip
@click.option("--prompt-tokens", type=click.IntRange(64), default=1024, show_default=True,
              help="Longer prompts are shortened to this.")  # fmt: skip
@click.option("--to", type=FOLDER, default=PRIMERS, show_default="models/primers",
              help="Where the primer is put.")  # fmt: skip
def train_command(
    cache: Path,
    count: int,
    validation: int,
    seed: int,
    model: str | None,
    minutes: float,
    stop_after: float | None,
    to: Path,
    **options: Any,
) -> None:
    """Train the primer, and put it where it ships, with the record of how it was made."""
    sample = Sample(cache, count, validation, seed)
    with _told():
        base = model_path(Home.find(), model)
        job = Job(
            model=base.absolute(),
            base=sha256_of(base),
            name="primer",
            options=TrainingOptions(minutes=minutes, seed=seed, give_way=(Reason.MEMORY,), **options),
        )
        files = _begin(job, sample)
        result = run_training(files, _Watch(stop_after))
        drawn = {str(part): statistics(_examples(sample, part), read_projects()) for part in Part}
        command = shlex.join(["python", "-m", "learner.night.primer", *sys.argv[1:]])
        click.echo(ship(job, files, result, drawn, command, to))


@primer.command("validate")
@sampling
@click.option("--model", metavar="NAME|PATH", help="The base model; by default the one in use.")
@click.option("--to", type=FOLDER, default=PRIMERS, show_default="models/primers",
              help="Where the primer was put.")  # fmt: skip
def validate_command(model: str | None, to: Path, **chosen: Any) -> None:
    """Compare the primer with the bare base on the validation examples; put the figures into its record."""
    sample = Sample(**chosen)
    with _told():
        base = model_path(Home.find(), model)
        path = to / f"{sha256_of(base)[:16]}.gguf"
        if not path.is_file():
            raise PrimerError(f"{path} is not there; run: python -m learner.night.primer train")
        examples = _examples(sample, Part.VALIDATION)

        def tell(number: int) -> None:
            if number % 50 == 0:
                click.echo(f"validated {number}/{len(examples)}", err=True)

        figures = validate(base, path, examples, tell)
    record = path.with_suffix(".json")
    content = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(content | {"validation": figures}, indent=2) + "\n", encoding="utf-8")
    click.echo(json.dumps(figures, indent=2))


def _examples(sample: Sample, part: Part) -> list[Example]:
    """Return the examples of one part, drawn where that was not done before."""
    files = JobFiles(sample.folder(part))
    if not files.examples.exists():
        projects = [project for project in read_projects() if project.part is part]
        fetcher = Fetcher(sample.archives)
        count = sample.count if part is Part.TRAINING else sample.validation
        drawn = draw_examples(
            projects,
            lambda project: list(code_files(project, fetcher.fetch(project))),
            count,
            sample.seed,
            PrivacyFilter([]),
        )
        write_examples(files, drawn)
    return read_examples(files)


def _begin(job: Job, sample: Sample) -> JobFiles:
    """Return the directory of the job, in which an earlier run may have come some way."""
    files = JobFiles(sample.cache / "training")
    examples = _examples(sample, Part.TRAINING)
    write_job(files, job, examples)
    return files


class _Watch:
    """Shows how far training is; stops it when this run's time is over."""

    def __init__(self, minutes: float | None) -> None:
        self._until = time.monotonic() + 60 * minutes if minutes else float("inf")
        self._told_at = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at >= 30:
            self._told_at = now
            loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
            left = "" if progress.seconds_left is None else f", {progress.seconds_left / 60:.0f} min left"
            click.echo(
                f"{progress.phase} {progress.done}/{progress.total}{loss}{left} {progress.note}", err=True
            )
        if now >= self._until:
            raise TrainingStoppedError("this run's time is over")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except TrainingStoppedError as error:
        click.echo(f"stopped ({error}); the same command goes on", err=True)
        click.get_current_context().exit(PAUSED)
    except (PrimerError, JobError, ModelError, EngineError, OSError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    primer()
