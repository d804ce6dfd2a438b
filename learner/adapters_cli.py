"""``nightschool adapters``: which adapters there are, what their exams said, and which one serves."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from learner.current import OFF, PRIMER
from learner.registry import AdapterError, NothingToDoError, Registry
from models import primers
from models.catalogue import CATALOGUE
from models.checksum import sha256_of
from models.choice import model_path, remedy
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from learner.current import Change
    from learner.registry import Adapter

NOTHING_TO_DO = 3

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def adapters() -> None:
    """See what was learned, and choose what serves; running editors follow at once."""


@adapters.command("list")
@as_json
def list_adapters(as_json: bool) -> None:
    """List the adapters, newest first: what each came from, how its exam went, which one serves."""
    rows = adapter_rows(Home.find())
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        print_rows(rows)
    else:
        click.echo("no adapters yet; make one: nightschool train", err=True)


@adapters.command()
@click.argument("adapter", metavar="ID|primer")
@as_json
def show(adapter: str, as_json: bool) -> None:
    """Show all that is recorded of one adapter: its data, its exam, when it served."""
    home = Home.find()
    registry = registry_of(home)
    found = registry.find(adapter, base_in_use(home) if adapter == PRIMER else "")
    content = description(home, registry, found)
    if as_json:
        click.echo(json.dumps(content, indent=2))
    else:
        print_description(content)


@adapters.command()
@click.argument("adapter", metavar="ID|primer")
@as_json
def use(adapter: str, as_json: bool) -> None:
    """Let this adapter serve the model in use, or the primer that ships."""
    change(as_json, lambda registry, base: registry.promote(adapter, base, by="user"))


@adapters.command()
@as_json
def off(as_json: bool) -> None:
    """Let the bare base model serve."""
    change(as_json, lambda registry, base: registry.promote(None, base, by="user"))


@adapters.command()
@as_json
def rollback(as_json: bool) -> None:
    """Let what served before serve again."""
    change(as_json, lambda registry, base: registry.rollback(base, by="user"))


def change(as_json: bool, make: Callable[[Registry, str], object]) -> None:
    """Make a change of what serves the model in use, and report it."""
    home = Home.find()
    registry = registry_of(home)
    base = base_in_use(home)
    replaced = registry.choice(base).adapter
    try:
        make(registry, base)
    except NothingToDoError as error:
        if as_json:
            click.echo(json.dumps({"adapter": named(replaced), "replaced": None}, indent=2))
        click.echo(error, err=True)
        click.get_current_context().exit(NOTHING_TO_DO)
    serving = registry.choice(base).adapter
    if as_json:
        click.echo(json.dumps({"adapter": named(serving), "replaced": named(replaced)}, indent=2))
    else:
        click.echo(f"{spoken(serving)} serves now, instead of {spoken(replaced)}")


def registry_of(home: Home) -> Registry:
    return Registry(home, lambda message: click.echo(f"Warning: {message}", err=True))


def base_in_use(home: Home) -> str:
    """Return the SHA-256 of the model in use.

    Raises:
        AdapterError: the model's file is not here.
    """
    path = model_path(home)
    try:
        return sha256_of(path)
    except FileNotFoundError:
        raise AdapterError(f"the model in use is not here ({path}); run: {remedy(home)}") from None


def adapter_rows(home: Home) -> list[dict[str, Any]]:
    """The adapters of all models, newest first; last the primer, where one ships for the model in use."""
    registry = registry_of(home)
    try:
        base = base_in_use(home)
    except AdapterError:
        base = ""  # a list is no reason to ask for the model
    serving = registry.serving(base) if base else None
    found = registry.adapters()
    if base and primers.primer_path(base):
        found.append(registry.find(PRIMER, base))
    return [
        {
            "id": adapter.id,
            "base": adapter.base,
            "base_name": base_name(adapter),
            "in_use": adapter.base == base,
            "created": adapter.created,
            "parent": adapter.parent,
            "serving": serving is not None and adapter.id == serving.id,
            "since": registry.choice(base).since if serving and adapter.id == serving.id else None,
            "examples": adapter.report.get("examples"),
            "verdict": adapter.report.get("verdict"),
            "exam": adapter.report.get("exam"),
        }
        for adapter in found
    ]


def description(home: Home, registry: Registry, adapter: Adapter) -> dict[str, Any]:
    """All that is recorded of the adapter; of the offers that it saw, only how many."""
    try:
        base = base_in_use(home)
        serving = registry.serving(base) == adapter
    except AdapterError:
        serving = False
    report = {name: value for name, value in adapter.report.items() if name != "offers"}
    return {
        **report,
        "id": adapter.id,
        "path": str(adapter.path),
        "bytes": adapter.path.stat().st_size if adapter.path.is_file() else None,
        "base": adapter.base,
        "base_name": base_name(adapter),
        "created": adapter.created,
        "parent": adapter.parent,
        "offers": len(adapter.offers),
        "serving": serving,
        "history": [event for change in registry.history() if (event := event_of(change, adapter))],
    }


def event_of(change: Change, adapter: Adapter) -> dict[str, Any] | None:
    """What a change meant for this adapter; None where it was about others."""
    if change.base != adapter.base or adapter.id not in (change.adapter, change.replaced):
        return None
    began = change.adapter == adapter.id
    other = change.replaced if began else change.adapter
    return {
        "at": change.at,
        "what": "began to serve" if began else "was replaced",
        "other": named(other),
        "by": change.by,
        "reason": change.reason,
    }


def base_name(adapter: Adapter) -> str:
    known = next((model.name for model in CATALOGUE if model.sha256 == adapter.base), None)
    return known or str(adapter.report.get("base_name") or adapter.base[:16])


def named(choice: str) -> str | None:
    """An adapter's id for a program: None is the base alone."""
    return None if choice == OFF else choice


def spoken(choice: str | None) -> str:
    return {PRIMER: "the primer", OFF: "the bare base model", None: "the bare base model"}.get(
        choice, f"adapter {choice}"
    )


# What a terminal shows


def print_rows(rows: list[dict[str, Any]]) -> None:
    print_table(
        ("ADAPTER", "CREATED", "PARENT", "EXAMPLES", "EXACT MATCH", "LOG-LOSS", "SERVES"),
        [
            (
                row["id"],
                "ships" if row["id"] == PRIMER else local_time(row["created"]),
                row["parent"] or "-",
                "-" if row["examples"] is None else str(row["examples"]),
                progress(row["exam"], "exact_match", lambda share: f"{100 * share:.1f} %"),
                progress(row["exam"], "log_loss", lambda loss: f"{loss:.3f}"),
                serves(row),
            )
            for row in rows
        ],
        bold=[row["serving"] for row in rows],
    )


def serves(row: Mapping[str, Any]) -> str:
    if row["serving"]:
        return f"since {local_time(row['since'])}" if row["since"] else "yes"
    return "" if row["in_use"] else f"only with {row['base_name']}"


def progress(exam: object, figure: str, shown: Callable[[float], str]) -> str:
    """What the exam said of the adapter, after what served then; a dash where it did not say."""
    before, after = (exam_figure(exam, arm, "outcomes", figure) for arm in ("serving", "candidate"))
    if after is None:
        return "-"
    return shown(after) if before is None else f"{shown(before)} → {shown(after)}"


def exam_figure(exam: object, arm: str, paper: str, figure: str) -> float | None:
    found: object = exam
    for key in (arm, paper, figure):
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


FIGURES = (
    ("outcomes", "exact_match", "exact match, newest outcomes", "{:.3f}"),
    ("outcomes", "log_loss", "log-loss, newest outcomes", "{:.3f}"),
    ("outcomes", "net_saved", "net saved characters, newest outcomes", "{:.2f}"),
    ("generic", "exact_match", "exact match, generic code", "{:.3f}"),
    ("generic", "log_loss", "log-loss, generic code", "{:.3f}"),
)
ARMS = ("candidate", "serving", "primer", "base")


def print_description(content: Mapping[str, Any]) -> None:
    lines = [
        f"adapter   {content['id']}{', serves' if content['serving'] else ''}",
        f"file      {content['path']}, {(content['bytes'] or 0) / 1e6:.1f} MB",
        f"for       {content['base_name']} ({content['base'][:16]}…)",
    ]
    if content["id"] != PRIMER:
        lines.append(f"made      {local_time(content['created'])} from {spoken(content['parent'])}")
    if content.get("examples") is not None:
        taken = f" in {content['seconds'] / 60:.0f} min" if content.get("seconds") is not None else ""
        whose = "none of them yours" if content["id"] == PRIMER else f"{content['offers']} of your outcomes"
        lines.append(f"trained   on {content['examples']} examples{taken}, {whose}")
    if content.get("data_from") and content.get("data_until"):
        lines.append(f"outcomes  {local_time(content['data_from'])} to {local_time(content['data_until'])}")
    if content.get("verdict"):
        lines.append(f"exam      {content['verdict']}")
    lines += [f"          {reason}" for reason in content.get("reasons") or ()]
    for event in content["history"]:
        other = f"{'replacing' if event['what'].startswith('began') else 'by'} {spoken(event['other'])}"
        why = f": {event['reason']}" if event["reason"] else ""
        lines.append(f"{local_time(event['at'])}  {event['what']}, {other} ({event['by']}{why})")
    click.echo("\n".join(lines))
    arms = [arm for arm in ARMS if isinstance(content.get("exam"), dict) and arm in content["exam"]]
    if arms:
        click.echo()
        rows = [
            (label, *(cell(content["exam"], arm, paper, figure, shape) for arm in arms))
            for paper, figure, label, shape in FIGURES
        ]
        print_table(("EXAM", *(arm.upper() for arm in arms)), rows, bold=[False] * len(rows))


def cell(exam: object, arm: str, paper: str, figure: str, shape: str) -> str:
    value = exam_figure(exam, arm, paper, figure)
    return "-" if value is None else shape.format(value)


def print_table(headings: tuple[str, ...], rows: list[tuple[str, ...]], bold: list[bool]) -> None:
    # rich is imported where something is drawn: --json has no use for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading, justify="right" if heading in ("EXAMPLES", *map(str.upper, ARMS)) else "left"
        )
    for row, is_bold in zip(rows, bold, strict=True):
        table.add_row(*map(Text, row), style="bold" if is_bold else "")
    # Piped into another program, a row is not folded at eighty columns.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def local_time(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
