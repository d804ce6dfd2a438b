"""``nightschool replay``: play a project's history, and see whether anything was learned."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from learner.night_needs import NightFailedError, check_machine
from learner.replay.arms import SCHOOLED, ArmName
from learner.replay.cold_start import Learner, learn_history
from learner.replay.history import HistoryError, NothingToReplayError
from learner.replay.session import Meter, ReplayOptions, replay
from models.checksum import sha256_of
from models.choice import model_path, remedy
from models.engine import EngineError, EngineOptions
from models.home import Home, private_opener
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AsyncExitStack

    from learner.replay.asking import Examinee
    from learner.replay.cold_start import ColdStart

BY_DEFAULT = (ArmName.FROZEN, ArmName.STATIC, ArmName.MEMORY)
"""The arms that need no night; of the others, each night takes up to an hour."""
NOTHING_TO_DO = 3
PHASES = {"history": "reading the history", "ask": "replaying"}
RESUMES = "the same command goes on from here"


class ArmList(click.ParamType[tuple[ArmName, ...]]):
    """Arms by their names, separated by commas."""

    name = "arms"

    def convert(
        self, value: str | tuple[ArmName, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[ArmName, ...]:
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        known = {str(arm): arm for arm in ArmName}
        for name in names:
            if name not in known:
                self.fail(f"{name!r} is no arm; there are {', '.join(known)}", param, ctx)
        if not names:
            self.fail(f"none is named; there are {', '.join(known)}", param, ctx)
        return tuple(dict.fromkeys(known[name] for name in names))


@click.command("replay")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True,
                type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@click.option("--arms", type=ArmList(), default=",".join(BY_DEFAULT), show_default=True,
              help=f"Who is asked, separated by commas: {', '.join(ArmName)}.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=300, show_default=True,
              help="Interactions of each project that are learned from, at most.")  # fmt: skip
@click.option("--seed", "seeds", type=click.IntRange(0), multiple=True, default=(0,), show_default=True,
              help="Of the places that are drawn; may be given several times.")  # fmt: skip
@click.option(
    "--learn",
    is_flag=True,
    help="Measure nothing: let your own memory and ledger learn from these repositories.",
)
@click.option("--restart", is_flag=True, help="Forget what an earlier run of the same replay has asked.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def replay_command(
    paths: tuple[Path, ...],
    arms: tuple[ArmName, ...],
    limit: int,
    seeds: tuple[int, ...],
    learn: bool,
    restart: bool,
    as_json: bool,
) -> None:
    """Play the history of projects as a developer typing it, and measure what was learned.

    PATH is a git repository, or a folder of successive releases (folders or archives named with a version).
    Several projects are replayed one after the other, and the first is asked once more at the end.
    """
    if ArmName.OTHER_PROJECT in arms and len(paths) < 2:
        raise click.UsageError("the arm other_project needs a second PATH, whose adapter it is given")
    home = Home.find()
    model = model_path(home)
    if not model.is_file():
        raise EngineError(f"the model in use is not here ({model}); run: {remedy(home)}")
    if SCHOOLED.intersection(arms):
        try:
            check_machine(model, home)
        except NightFailedError as error:
            raise click.ClickException(str(error)) from None

    async def start_engine(stack: AsyncExitStack, adapter: Path | None) -> Examinee:
        settings = EngineOptions(adapter=adapter, bulk=True)
        engine = ChildEngine(model, settings, lambda status: None)
        stack.push_async_callback(engine.close)
        await engine.start()
        return engine

    if learn:
        learner = Learner(home, sha256_of(model), start_engine, limit, seeds[0])
        with _display(as_json) as meter, _told(seeds, as_json):
            found = [asyncio.run(learn_history(learner, path.resolve(), meter)) for path in paths]
        _print_learned(found, as_json)
        return
    options = ReplayOptions(paths, arms, limit, tuple(dict.fromkeys(seeds)), restart)
    with _display(as_json) as meter, _told(seeds, as_json):
        result = asyncio.run(replay(home.replays, model, options, start_engine, meter))
    _keep(home.replay_result, result)
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    from rich.console import Console

    from learner.replay.table import print_results

    print_results(result, Console())


@contextmanager
def _told(seeds: tuple[int, ...], as_json: bool) -> Iterator[None]:
    """Turn what was foreseen into one line and its exit code."""
    try:
        yield
    except NothingToReplayError as error:
        _nothing(str(error), seeds, as_json)
    except HistoryError as error:
        raise click.ClickException(str(error)) from None
    except EngineError as error:
        raise click.ClickException(f"{error}; {RESUMES}") from None
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; {RESUMES}") from None


def _print_learned(found: Sequence[ColdStart], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"learned": [asdict(each) for each in found]}, indent=2))
        return
    for each in found:
        click.echo(f"{each.project}: learned from {each.interactions} places; the next night trains on them")


def _keep(path: Path, result: dict[str, Any]) -> None:
    """Write the result for the report, whole or not at all."""
    part = path.with_suffix(".new")
    with open(part, "w", encoding="utf-8", opener=private_opener) as file:
        json.dump(result, file)
    part.replace(path)


def _nothing(reason: str, seeds: tuple[int, ...], as_json: bool) -> NoReturn:
    if as_json:
        nothing = {
            "arms": {}, "slope": [], "differences": [], "projects": [], "seeds": list(seeds), "stream": {},
        }  # fmt: skip
        click.echo(json.dumps(nothing))
    click.echo(f"nothing to do: {reason}", err=True)
    click.get_current_context().exit(NOTHING_TO_DO)


@contextmanager
def _display(quiet: bool) -> Iterator[Meter]:
    if quiet:
        yield Meter(lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", told="")
        clock = Clock()

        def show(meter: Meter) -> None:
            description = PHASES.get(meter.phase, meter.phase)
            bars.update(
                task,
                description=description,
                completed=meter.done if meter.total else 0,
                total=meter.total or None,
                told=clock.told(meter, time.monotonic()),
            )

        yield Meter(show)


class Clock:
    """Says how far a replay is and how long it still takes, by what this run has asked."""

    def __init__(self) -> None:
        self._began: float | None = None

    def told(self, meter: Meter, now: float) -> str:
        """Return it at ``now``, seconds of a clock that only goes forward."""
        if not meter.total:
            return f"{meter.done} steps" if meter.done else ""
        if self._began is None or not meter.asked:
            # What an earlier run has asked takes no time, and starting the engine is over with the first.
            self._began = now
            return f"{meter.done}/{meter.total}"
        left = round((now - self._began) / meter.asked * (meter.total - meter.done))
        hours, rest = divmod(left, 3600)
        return f"{meter.done}/{meter.total}, {hours}:{rest // 60:02}:{rest % 60:02} left"
