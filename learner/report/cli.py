"""``nightschool report``: the page, written and perhaps opened."""

from __future__ import annotations

import json
import os
import tempfile
import time
import webbrowser
from pathlib import Path

import click

from learner.cli import as_json, opened
from learner.ledger_file import connect_to_read
from learner.report.contents import Contents, gather
from learner.report.page import render
from models.home import Home, private_directory


@click.command()
@click.option("--open", "is_opened", is_flag=True, help="Show it in the browser.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path),
              help="Write it here.  [default: report.html among Nightschool's files]")  # fmt: skip
@as_json
def report(is_opened: bool, output: Path | None, as_json: bool) -> None:
    """Write one page on what was offered, kept and learned; it needs no network and holds your code."""
    home = Home.find()
    contents = read(home, time.time())
    path = (output or home.root / "report.html").absolute()
    if not output:
        private_directory(path.parent)
    write_whole(path, render(contents))
    for warning in contents.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps({"page": str(path), **contents.as_json()}, indent=2))
    else:
        click.echo(path)
    if is_opened and not webbrowser.open(path.as_uri()):
        raise click.ClickException(f"no browser could be started; open {path} yourself")


def read(home: Home, now: float) -> Contents:
    """Return the report's contents; a home without a ledger has an empty one, and gets none."""
    if not home.ledger.exists():
        return gather(home, None, now)
    with opened(connect_to_read, home.ledger) as connection:
        return gather(home, connection, now)
    raise AssertionError("unreachable")


def write_whole(path: Path, text: str) -> None:
    """Write the file, readable by its owner alone, so that nobody ever sees half of it.

    Raises:
        OSError: the directory is missing or cannot be written; what was there is still there.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise click.ClickException(f"{path} is no regular file; name another with --output")
    # mkstemp makes it 0600.
    descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            # A lone surrogate in a result by hand is no reason to write nothing.
            file.write(text.encode("utf-8", "replace"))
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
