"""``nightschool schedule``: training by itself, at night or every so often."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from learner.last_run import last_run
from learner.registry import Registry
from learner.schedule.plan import MIN_OUTCOMES, Clock, Plan, ScheduleError, parse_minutes
from learner.schedule.platforms import find_schedulers
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from learner.last_run import LastRun
    from learner.schedule.plan import Entry, Scheduler

NOTHING_TO_DO = 3
AT = "03:00"

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def schedule() -> None:
    """Train by itself: at night, or whenever enough has come together."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ScheduleError as error:
        raise click.ClickException(str(error)) from None


def _parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


@schedule.command()
@click.option("--at", metavar="HH:MM", callback=_parsed(Clock.parse),
              help=f"Once a day, at this local time.  [default: {AT}]")  # fmt: skip
@click.option("--every", metavar="TIME", callback=_parsed(parse_minutes),
              help="So often instead, e.g. 90m or 2h.")  # fmt: skip
@click.option("--min-outcomes", type=click.IntRange(1),
              help=f"Only where so many are new.  [default with --every: {MIN_OUTCOMES}]")  # fmt: skip
@as_json
def install(at: Clock | None, every: int | None, min_outcomes: int | None, as_json: bool) -> None:
    """Let the system train from now on; a schedule that is there already is replaced."""
    if at and every:
        raise click.UsageError("give --at or --every, not both")
    with _told():
        plan = Plan(
            program=program(),
            home=Home.find().root.absolute(),
            at=None if every else at or Clock.parse(AT),
            every=every,
            min_outcomes=min_outcomes or (MIN_OUTCOMES if every else None),
        )
        best, *others = find_schedulers()
        best.install(plan)
        for other in others:
            other.remove()
        entry = best.entry()
    assert entry
    lines = [f"training is scheduled {plan.when} by {best.name}: {entry.where}"]
    if not best.catches_up:
        lines.append(f"{best.name} does not make up for what it missed while the machine slept")
    _print(as_json, described(best, entry), lines)


@schedule.command()
@as_json
def remove(as_json: bool) -> None:
    """Let the system train no more."""
    with _told():
        removed = [scheduler.name for scheduler in find_schedulers() if scheduler.remove()]
    _print(
        as_json,
        {"removed": removed},
        [f"removed from {name}" for name in removed] or ["nothing was scheduled"],
    )
    if not removed:
        click.get_current_context().exit(NOTHING_TO_DO)


@schedule.command()
@as_json
def status(as_json: bool) -> None:
    """Tell what is scheduled, when it runs next, and how the last run ended."""
    with _told():
        found = [(each, entry) for each in find_schedulers() if (entry := each.entry())]
    home = Home.find()
    night, run = last_night(home), last_run(home)
    came = {"last_night": night, "last_run": asdict(run) if run else None}
    told = [f"last night {told_night(night)}", f"last run   {told_run(run)}"]
    if not found:
        lines = ["nothing is scheduled; run: nightschool schedule install", *told]
        _print(as_json, {"installed": False, **came}, lines)
        click.get_current_context().exit(NOTHING_TO_DO)
    scheduler, entry = found[0]
    lines = [
        f"scheduler  {entry.scheduler}, {entry.where}",
        f"when       {entry.when}",
        f"next run   {entry.next_run or 'not told by ' + entry.scheduler}",
        f"command    {entry.command}",
        *told,
    ]
    _print(as_json, described(scheduler, entry) | came, lines)


def last_night(home: Home) -> dict[str, Any] | None:
    """Return what came of the last night that made an adapter; None where there was none."""
    registry = Registry(home, warn=lambda text: click.echo(text, err=True))
    newest = next(iter(registry.adapters()), None)
    if newest is None:
        return None
    return {
        "adapter": newest.id,
        "created": newest.created,
        "verdict": newest.report.get("verdict"),
        "reasons": newest.report.get("reasons", []),
    }


def told_night(night: dict[str, Any] | None) -> str:
    if night is None:
        return "none yet"
    at = datetime.fromtimestamp(night["created"]).strftime("%Y-%m-%d %H:%M")
    return ", ".join([f"{at}, {night['adapter']} {night['verdict']}", *night["reasons"]])


def told_run(run: LastRun | None) -> str:
    """Return how the last training ended, one that had nothing to do too."""
    if run is None:
        return "none yet"
    at = datetime.fromtimestamp(run.ended_at).strftime("%Y-%m-%d %H:%M")
    by = "scheduled" if run.scheduled else "by hand"
    return f"{at}, {by}, {run.outcome} (exit {run.exit_code}): {run.reason}"


def program() -> Path:
    """Return the path of this installation's ``nightschool``.

    Raises:
        ScheduleError: there is none.
    """
    name = "nightschool.exe" if sys.platform == "win32" else "nightschool"
    beside = Path(sys.executable).with_name(name)
    if beside.is_file():
        return beside.absolute()
    if found := shutil.which(name):
        return Path(found).absolute()
    raise ScheduleError(f"{beside} is not there, nor {name} on the PATH; install nightschool with pip")


def described(scheduler: Scheduler, entry: Entry) -> dict[str, Any]:
    return {"installed": True, "catches_up": scheduler.catches_up, **asdict(entry)}


def _print(as_json: bool, found: dict[str, Any], lines: list[str]) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))
