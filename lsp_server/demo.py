"""``nightschool demo``: a real server, a small real project, and what an editor would show."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from learner.ledger_file import connect_to_read
from lsp_server.demo_client import Client, ServerError
from lsp_server.demo_scenes import PROJECT, SCENES, play
from models.catalogue import ModelError
from models.choice import choose, model_path, remedy
from models.gguf_file import read_header
from models.home import Home, private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsp_server.demo_client import Json
    from lsp_server.demo_night import Loop, Place
    from lsp_server.demo_scenes import Shown

LINES_ABOVE, LINES_BELOW = 4, 2


@click.command()
@click.option(
    "--night",
    is_flag=True,
    help="Show how it learns instead: a day with house rules, a night, and the like places again (minutes).",
)
@click.option("--model", metavar="NAME|PATH", help="Another model than the one in use.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(night: bool, model: str | None, as_json: bool) -> None:
    """Show ghost text from a real server on a small project, with the latency of each."""
    home = Home.find()
    try:
        path = model_path(home, model)
        read_header(path)
    except ModelError as error:
        raise click.ClickException(f"{error}; run: {remedy(home, model)}") from None
    screen = Screen(Console(highlight=False, quiet=as_json))
    try:
        result = learn(home, path, screen, quiet=as_json) if night else perform(home, path, screen)
    except ServerError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(result, indent=2))


def perform(home: Home, model: Path, screen: Screen) -> Json:
    """Play all scenes in a directory of their own, with a ledger of their own, and return what happened."""
    with own_home(home) as (own, directory):
        project = directory / "library"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
        began = time.perf_counter()
        client = Client(model, project, os.environ | {"NIGHTSCHOOL_HOME": str(own.root)})
        try:
            client.wait_until_ready()
            ready_s = time.perf_counter() - began
            screen.ready(model, ready_s)
            played = [play(scene, client, project, screen.show) for scene in SCENES]
        finally:
            client.close()
        outcomes = read_outcomes(own)
    for shown in played:
        shown.outcome = outcomes.get(shown.offer, {})
    screen.outcomes(played)
    screen.say("\nhow it learns: nightschool demo --night (minutes; less with a small model)")
    return {"model": str(model), "ready_s": round(ready_s, 2), "scenes": [asdict(shown) for shown in played]}


def learn(home: Home, model: Path, screen: Screen, *, quiet: bool) -> Json:
    """Play a day and a night in a directory of their own, and return what was offered before and after."""
    # Training's side is imported where it is wanted.
    from learner.job import JobError
    from learner.night_lock import NothingToLearnError
    from learner.night_needs import NightFailedError, check_machine
    from learner.train_cli import bar, described
    from lsp_server.demo_night import close_the_loop

    with own_home(home) as (own, directory):
        project = directory / "house"
        project.mkdir()
        choose(own, str(model))
        try:
            check_machine(model, own)
            with nullcontext(lambda _: None) if quiet else bar() as show:
                loop = close_the_loop(own, model, project, screen.say, show)
        except (NightFailedError, NothingToLearnError, JobError) as error:
            raise click.ClickException(str(error)) from None
    assert loop.night is not None, "the loop is closed"
    screen.loop(loop, described(loop.night))
    return {"model": str(model), **loop.as_json()}


@contextmanager
def own_home(home: Home) -> Iterator[tuple[Home, Path]]:
    """Yield a home for the demo alone, which knows what was tuned, and the directory that it is in."""
    with tempfile.TemporaryDirectory(prefix="nightschool-demo-") as name:
        own = Home(private_directory(Path(name) / "home"))
        if home.tuning.exists():
            shutil.copy(home.tuning, own.tuning)
        yield own, Path(name)


def read_outcomes(home: Home) -> dict[str, Json]:
    """What the ledger's view says of each offer."""
    columns = ("label", "known_by", "kept_chars", "settled_text")
    with closing(connect_to_read(home.ledger)) as ledger:
        rows = ledger.execute(f"SELECT offer_id, {', '.join(columns)} FROM outcomes").fetchall()
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}


class Screen:
    """Shows scenes as an editor would, with the ghost text in grey."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.print: Callable[..., None] = console.print

    def ready(self, model: Path, seconds: float) -> None:
        self.print(f"[bold]{model.stem}[/] ready after {seconds:.1f} s")

    def show(self, shown: Shown) -> None:
        self.print()
        self.print(
            f"[bold]{shown.title}[/]  {shown.file}:{shown.text.count(chr(10), 0, shown.cursor) + 1}",
            style="cyan",
        )
        self.print(around_cursor(shown))
        if shown.silence:
            self.print(f"silent: {shown.silence}", style="yellow")
        latency = f"{shown.latency_ms:.0f} ms after the keystroke"
        if shown.waited_ms >= 1:
            latency += f", of which {shown.waited_ms:.0f} ms waiting for the next one"
        self.print(f"[green]{latency}[/]; pressed [bold]{shown.pressed}[/]")
        if shown.typed_on_ms:
            each = ", ".join(f"{milliseconds:.1f}" for milliseconds in shown.typed_on_ms)
            self.print(f"typing it on: {each} ms", style="green")

    def outcomes(self, played: list[Shown]) -> None:
        self.print("\n[bold]what the ledger recorded[/]")
        for shown in played:
            if shown.outcome:
                label = f"{shown.outcome['label']} ({shown.outcome['known_by']})"
                kept = f"kept {shown.outcome['kept_chars'] or 0} of {len(shown.ghost)} characters"
                self.print(f"  {shown.title:<22} {label:<24} {kept}")

    def say(self, what: str) -> None:
        self.print(f"[cyan]{what}[/]")

    def loop(self, loop: Loop, verdict: str) -> None:
        """Show what was offered at each like place, what is right in green, and the night's verdict."""
        table = Table(box=None, expand=True)
        for name in ("the house writes", *loop.offered):
            table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
        for number, place in enumerate(loop.places):
            cells = (judged(texts[number], place) for texts in loop.offered.values())
            table.add_row(Text(place.wanted), *cells)
        table.add_row("", *(f"{loop.right(each)} of {len(loop.places)} right" for each in loop.offered))
        table.add_row("served by", *(sources(served) for served in loop.served.values()))
        self.print()
        self.print(table)
        self.print("\nthe day's offers: " + ", ".join(f"{count} {what}" for what, count in loop.day.items()))
        self.print(verdict)
        if loop.is_serving:
            self.print("the server that was running serves it, without a restart")


def sources(served: list[str]) -> str:
    """From where the offers came, the most frequent first."""
    return ", ".join(f"{source} {count}" for source, count in Counter(filter(None, served)).most_common())


def judged(offered: str, place: Place) -> Text:
    """An offer's first line, in green where it is what the house writes."""
    return Text(offered.split("\n")[0], "green" if offered == place.wanted else "bright_black")


def around_cursor(shown: Shown) -> Text:
    """The lines around the cursor in colour, with the ghost text at its place."""
    line = shown.text.count("\n", 0, shown.cursor)
    lines = shown.text.splitlines(keepends=True)
    first = max(0, line - LINES_ABOVE)
    window = "".join(lines[first : line + LINES_BELOW + 1])
    column = shown.cursor - sum(map(len, lines[:first]))
    code = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(window)
    code.rstrip()
    ghost = Text(shown.ghost, style="italic bright_black")
    cursor = Text("▏", style="bold yellow")
    return Text.assemble(code[:column], cursor, ghost, code[column:])
