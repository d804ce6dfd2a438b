"""``nightschool train``: the night, now."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from learner import micro_night
from learner.examples import Selection
from learner.give_way import Reason, lower_priority
from learner.job import JobError, TrainingOptions
from learner.last_run import noted
from learner.night_lock import NothingToLearnError
from learner.night_needs import NightFailedError
from learner.nightly import Night, NightOptions, Verdict
from learner.phases import PHASES
from learner.training_process import TrainingStoppedError
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from learner.job import Progress
    from learner.nightly import NightResult

NOTHING_TO_DO = 3
RESUMES = "the next `nightschool train` goes on from here"


@click.command()
@click.option("--minutes", type=click.FloatRange(1),
              help="The whole night's, the exam's included.  [default: 60, with --micro 30]")  # fmt: skip
@click.option("--micro", "is_micro", is_flag=True,
              help="A short training between two nights: what serves learns what is new.")  # fmt: skip
@click.option("--distillation", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE",
              help="Let a teacher who sees what settled correct the model's own completions.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of everything that is drawn.")  # fmt: skip
@click.option("--now/--give-way", "at_once", default=False,
              help="Do not pause while somebody types, on battery, or when hot.")  # fmt: skip
@click.option(
    "--scheduled",
    is_flag=True,
    hidden=True,
    help="As the schedule runs it: silently, and only where something is new.",
)
@click.option("--min-outcomes", type=click.IntRange(1), help="Only where so many outcomes are new.")
@click.option("--progress", "as_lines", is_flag=True, help="With --json: a line for each step.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def train(
    minutes: float | None,
    is_micro: bool,
    distillation: float,
    seed: int,
    at_once: bool,
    scheduled: bool,
    min_outcomes: int | None,
    as_lines: bool,
    as_json: bool,
) -> None:
    """Learn from what was recorded; the new adapter serves at once if it passes its exam."""
    # Without memory nothing can go on: that reason counts always.
    reasons = (Reason.MEMORY,) if at_once else tuple(Reason)
    usual = TrainingOptions(seed=seed, give_way=reasons, distillation=distillation)
    if is_micro:
        usual = replace(usual, minutes=micro_night.MINUTES, patience_minutes=micro_night.PATIENCE_MINUTES)
    options = NightOptions(
        Selection(seed=seed),
        replace(usual, minutes=minutes or usual.minutes),
        min_outcomes or int(scheduled),
        is_micro,
    )
    lower_priority()
    with _display(as_json, as_lines, quiet=scheduled) as show, _ended_by_term():
        try:
            home = Home.find()
            # A short training between two nights is no night of the schedule's.
            with nullcontext(str) if is_micro else noted(home, scheduled=scheduled) as note:
                result = Night(home, options, show).run()
                note(f"{result.adapter} {result.verdict}")
        except NothingToLearnError as error:
            _nothing(str(error), as_json)
        except TrainingStoppedError as error:
            raise click.ClickException(f"training stopped ({error}); {RESUMES}") from None
        except (NightFailedError, JobError) as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            raise click.ClickException(f"stopped; {RESUMES}") from None
    click.echo(json.dumps(result.as_json(), indent=None if as_lines else 2) if as_json else described(result))


def _nothing(reason: str, as_json: bool) -> NoReturn:
    if as_json:
        nothing: dict[str, Any] = {
            "verdict": str(Verdict.NOTHING), "adapter": None, "reasons": [reason], "exam": {}, "seconds": 0.0,
            "examples": 0, "known": 0,
        }  # fmt: skip
        click.echo(json.dumps(nothing))
    click.echo(f"nothing to do: {reason}", err=True)
    click.get_current_context().exit(NOTHING_TO_DO)


@contextmanager
def _ended_by_term() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: whoever handles that leaves everything in order."""

    def interrupt(*_: object) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # As a shell starts what it runs in the background.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _display(
    as_json: bool, as_lines: bool, *, quiet: bool
) -> AbstractContextManager[Callable[[Progress], None]]:
    if as_json and as_lines:
        return nullcontext(_print_line)
    if as_json or quiet:
        return nullcontext(lambda _: None)
    return bar()


def _print_line(progress: Progress) -> None:
    line = {
        "phase": progress.phase,
        "done": progress.done,
        "total": progress.total,
        "loss": progress.loss,
        "seconds_left": progress.seconds_left,
        "message": progress.note,
    }
    click.echo(json.dumps({"progress": line}))
    sys.stdout.flush()


@contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """Show progress as one line that changes: the phase, how far, the loss, the time that is left."""
    # rich is imported where something is drawn.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", told="")

        def show(progress: Progress) -> None:
            bars.update(
                task,
                description=PHASES.get(progress.phase, progress.phase),
                completed=progress.done,
                total=progress.total or None,
                told=told(progress),
            )

        yield show


def told(progress: Progress) -> str:
    """What a line of progress says besides its bar."""
    parts = [f"{progress.done}/{progress.total}"] if progress.total else []
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)


def described(result: NightResult) -> str:
    """The verdict in words, with the figures that it rests on."""
    candidate, serving = result.exam["candidate"], result.exam["serving"]
    lines = [
        f"adapter {result.adapter}: {result.verdict} after {result.seconds / 60:.1f} min, "
        f"{result.examples} examples",
        *(f"  {reason}" for reason in result.reasons),
    ]
    for paper, name in (("outcomes", "your newest outcomes"), ("generic", "generic code")):
        before, after = serving[paper], candidate[paper]
        lines.append(
            f"{name}: exact match {100 * before['exact_match']:.1f} % → {100 * after['exact_match']:.1f} %, "
            f"log-loss {before['log_loss']:.3f} → {after['log_loss']:.3f}, "
            f"net characters saved {before['net_saved']:.2f} → {after['net_saved']:.2f}"
        )
    if result.known:
        lines.append(f"memories that it writes by itself, and that rest while it serves: {result.known}")
    if result.verdict is Verdict.REFUSED:
        lines.append("what served before serves on")
    return "\n".join(lines)
