"""``nightschool model``: which models there are, getting one, and choosing the one in use."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from models.catalogue import CATALOGUE, DEFAULT, ModelError, find, known
from models.choice import choose, chosen, model_path
from models.gguf_file import read_header
from models.home import Home

NOTHING_TO_DO = 3

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def model() -> None:
    """Get and choose the language model."""


@model.command("list")
@as_json
def list_models(as_json: bool) -> None:
    """List the models: which are here, which is in use, what each needs."""
    rows = model_rows(Home.find())
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows)


def model_rows(home: Home) -> list[dict[str, Any]]:
    """The catalogue, and the model in use where it is a file of the user's own."""
    in_use = model_path(home)
    rows = [
        {
            "name": entry.name,
            "installed": (home.models / entry.file).is_file(),
            "in_use": home.models / entry.file == in_use,
            "size": entry.size,
            "memory": entry.memory,
            "licence": entry.licence,
            "fim": entry.fim,
            "sha256": entry.sha256,
            "path": str(home.models / entry.file),
            "sources": [str(source) for source in entry.sources],
        }
        for entry in CATALOGUE
    ]
    if not any(row["in_use"] for row in rows):
        rows.append(own_row(in_use))
    return rows


def own_row(path: Path) -> dict[str, Any]:
    installed = path.is_file()
    size = path.stat().st_size if installed else None
    unknown = dict.fromkeys(("memory", "licence", "fim", "sha256"))
    return {
        "name": str(path),
        "installed": installed,
        "in_use": True,
        "size": size,
        "path": str(path),
    } | unknown


def print_table(rows: list[dict[str, Any]]) -> None:
    # rich is imported where something is drawn: `model path` is called by editors and scripts.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("MODEL", "HERE", "IN USE", "SIZE", "MEMORY", "FIM"):
        table.add_column(heading, justify="right" if heading in ("SIZE", "MEMORY") else "left", no_wrap=True)
    table.add_column("LICENCE")
    for row in rows:
        table.add_row(
            row["name"],
            "yes" if row["installed"] else "-",
            "yes" if row["in_use"] else "-",
            gigabytes(row["size"]),
            gigabytes(row["memory"]),
            {True: "yes", False: "no", None: "?"}[row["fim"]],
            row["licence"] or "?",
        )
    # Piped into another program, a row is not folded at eighty columns.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def gigabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e9:.1f} GB"


@model.command()
@click.argument("name", default="")
@click.option("--from", "local", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Take it from this file instead of the network.")  # fmt: skip
@as_json
@click.pass_context
def get(context: click.Context, name: str, local: Path | None, as_json: bool) -> None:
    """Download model NAME (the one in use, if none is named).

    Goes on where an earlier run stopped, checks the file, and needs no network where it is already here.
    """
    # The download's imports (rich, urllib) are of no use to the other commands.
    from models.download import get as download
    from models.progress import DownloadView

    home = Home.find()
    entry = find(name or wanted(home))
    with DownloadView(entry) as view:
        downloaded = download(entry, home, view, local)
    path = home.models / entry.file
    if as_json:
        size = path.stat().st_size
        click.echo(
            json.dumps({"model": entry.name, "path": str(path), "downloaded": downloaded, "size": size})
        )
    else:
        click.echo(f"{entry.name} is {'' if downloaded else 'already '}here: {path}")
    if not downloaded:
        context.exit(NOTHING_TO_DO)


def wanted(home: Home) -> str:
    """The model in use where the catalogue has it, else the default."""
    name = chosen(home)
    return name if known(name) else DEFAULT


@model.command()
@click.argument("name", metavar="NAME|PATH")
@as_json
def use(name: str, as_json: bool) -> None:
    """Use model NAME, or the GGUF file at PATH."""
    home = Home.find()
    path = present(home, name)
    header = read_header(path)
    choose(home, name)
    if as_json:
        click.echo(
            json.dumps({"model": chosen(home), "path": str(path), "architecture": header.architecture})
        )
    else:
        click.echo(f"in use: {chosen(home)} ({header.architecture})")


@model.command()
@click.argument("name", default="", metavar="[NAME|PATH]")
def path(name: str) -> None:
    """Print the path of model NAME (of the one in use, if none is named), and nothing else."""
    click.echo(present(Home.find(), name or None))


def present(home: Home, name: str | None) -> Path:
    """The path of a model that is here."""
    path = model_path(home, name)
    if path.is_file():
        return path
    name = name or chosen(home)
    remedy = f"run: nightschool model get {name}" if known(name) else "check the path"
    raise ModelError(f"{path} is not here; {remedy}")
