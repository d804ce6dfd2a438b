"""``nightschool data``: what the ledger holds, and forgetting it."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from learner import export as exporting
from learner import forget as forgetting
from learner.ledger_file import connect_to_read, connect_to_write, set_aside_files
from learner.memory import forgetting as memory_forgetting
from learner.memory.schema import NewerMemoryError
from learner.night_lock import discard_unfinished
from learner.registry import Registry
from learner.retention import used_bytes
from learner.schema import NewerLedgerError
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from learner.registry import Adapter

NOTHING_TO_DO = 3

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def data() -> None:
    """See, take away or delete what was recorded."""


@contextmanager
def opened(connect: Callable[[Path], sqlite3.Connection], path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger, if there is one; what can go wrong becomes one line that says what to do."""
    try:
        connection = connect(path)
        try:
            yield connection
        finally:
            connection.close()
    except FileNotFoundError as error:
        click.echo(error, err=True)
        click.get_current_context().exit(NOTHING_TO_DO)
    except NewerLedgerError as error:
        raise click.ClickException(f"{path} is of a newer Nightschool ({error}); update this one") from None
    except sqlite3.OperationalError as error:
        raise click.ClickException(f"{path}: {error}; try again when no other program uses it") from None
    except sqlite3.DatabaseError as error:
        raise click.ClickException(f"{path}: {error}; run: nightschool doctor") from None


@data.command()
@click.argument("offer_id", default="")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many, newest first."
)
@click.option("--training", is_flag=True, help="What tonight would learn from, and be examined on.")
@as_json
def show(offer_id: str, limit: int, training: bool, as_json: bool) -> None:
    """Show what is stored: the newest offers, or all of one offer, with its context."""
    if training and offer_id:
        raise click.UsageError("--training is about all offers; leave the offer's id out")
    home = Home.find()
    with opened(connect_to_read, home.ledger) as connection:
        if training:
            # Imported here: no other command needs what knows cursors and the engine's stops.
            from learner.lesson_cli import show_training

            show_training(connection, home, limit=limit, as_json=as_json)
            return
        if offer_id:
            found = connection.execute("SELECT id FROM offers WHERE offer_id = ?", (offer_id,)).fetchall()
        else:
            found = connection.execute(
                "SELECT id FROM offers ORDER BY offered_at DESC, id DESC LIMIT ?", (limit,)
            ).fetchall()
        offers = [offer for (row,) in found if (offer := exporting.export_offer(connection, row))]
    if not offers:
        click.echo(f"no offer {offer_id} is stored" if offer_id else "nothing is stored yet", err=True)
        click.get_current_context().exit(NOTHING_TO_DO)
    if as_json:
        click.echo(json.dumps(offers, indent=2))
    elif offer_id:
        click.echo(describe(offers[0]))
    else:
        print_offers(offers)


def print_offers(offers: list[dict[str, Any]]) -> None:
    rows = [
        (
            offer["offer_id"],
            local_time(offer["offered_at"]),
            f"{Path(unquote(urlsplit(offer['uri']).path)).name}:{offer['line'] + 1}",
            offer["label"] or f"not offered: {offer['declined']}",
            offer["known_by"] or "",
            one_line(offer["text"]),
            one_line(offer["settlements"][-1]["text"]) if offer["settlements"] else "",
        )
        for offer in offers
    ]
    print_table(("OFFER", "AT", "PLACE", "LABEL", "KNOWN BY", "OFFERED", "BECAME"), rows)


def describe(offer: dict[str, Any]) -> str:
    """All that is stored of one offer, as text."""
    prompt = offer["prompt"]
    lines = [
        f"offer    {offer['offer_id']}, {local_time(offer['offered_at'])}",
        f"place    {offer['uri']} line {offer['line'] + 1}, column {offer['column'] + 1}",
        f"project  {offer['project'] or '-'}",
        f"model    {offer['model']}, adapter {offer['adapter'] or '-'}, prompt layout {offer['layout']}",
        f"answer   from {offer['served']} after {offer['latency_ms']:.0f} ms",
        f"label    {offer['label'] or 'none: ' + offer['declined']} ({offer['known_by'] or '-'})",
        f"offered  {offer['text']}",
    ]
    lines += [f"candidate {c['text']}  log-probability {sum(c['logprobs']):.2f}" for c in offer["candidates"]]
    lines += [
        f"event    {local_time(e['at'])} {e['kind']} ({e['known_by']}) {e['detail']}".rstrip()
        for e in offer["events"]
    ]
    lines += [
        f"settled  after {s['horizon']}: {s['text']} (kept {s['kept_chars']} characters)"
        for s in offer["settlements"]
    ]
    for chunk in prompt["chunks"]:
        lines += [f"--- context from {chunk['path']}", chunk["text"]]
    return "\n".join(
        [*lines, f"--- context in {prompt['path']}", f"{prompt['prefix']}⟨cursor⟩{prompt['suffix']}"]
    )


@data.command()
@click.option("--output", "-o", type=click.File("w", encoding="utf-8", lazy=True), default="-",
              help="Write to this file instead of the terminal.")  # fmt: skip
def export(output: Any) -> None:
    """Write every offer as one line of JSON: facts, context, label."""
    count = 0
    with opened(connect_to_read, Home.find().ledger) as connection:
        for offer in exporting.export(connection):
            output.write(json.dumps(offer) + "\n")
            count += 1
    if not count:
        click.get_current_context().exit(NOTHING_TO_DO)


class Since(click.ParamType):
    """A date, a time, or how long ago: ``2026-11-21``, ``2026-11-21T14:00``, ``90m``, ``2h``, ``3d``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        ago = re.fullmatch(r"(\d+)([mhdw])", value)
        try:
            if ago:
                return (datetime.now() - timedelta(**{units[ago[2]]: int(ago[1])})).timestamp()
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 2026-11-21, 2026-11-21T14:00, 90m, 2h or 3d", param, ctx)


@data.command()
@click.option("--file", "file", metavar="PATH|URI", help="What was offered in this file.")
@click.option("--repo", "repository", type=click.Path(path_type=Path), help="… in this folder.")
@click.option("--since", type=Since(), help="… at this time or later: a date, or 90m, 2h, 3d ago.")
@click.option("--matching", metavar="TEXT", help="… or recorded around it, with this text in it.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget(
    file: str | None,
    repository: Path | None,
    since: float | None,
    matching: str | None,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete facts and everything derived from them, for good. Conditions add up; servers may be running."""
    try:
        choice = forgetting.Choice(file, repository, since, matching, everything)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    home = Home.find()
    path = home.ledger
    aside = set_aside_files(path)
    replayed = forgetting.replays(home)
    if replayed and not path.exists():
        # Nobody has worked here yet, but histories were gone through.
        confirmed(0, 0, len(replayed), yes)
        report(as_json, {"forgotten": 0, **discarded(home, choice)}, "forgot the records of replays")
        return
    with opened(connect_to_write, path) as connection:
        offers = forgetting.chosen_offers(connection, choice)
        ids = forgetting.ids_of(connection, offers)
        memories = memory_of(home, lambda path: memory_forgetting.count(path, choice, ids))
        if not offers and not memories and not replayed and not (everything and aside):
            report(as_json, {"forgotten": 0}, "nothing of that is stored")
            click.get_current_context().exit(NOTHING_TO_DO)
        confirmed(len(offers), memories, len(replayed), yes)
        learned = Registry(home).learned_from(ids, choice.means_file)
        forgetting.forget(connection, offers)
        memories = memory_of(home, lambda path: memory_forgetting.forget(path, choice, ids))
    if not discard_unfinished(home):
        click.echo("a night is under way that may have read it: end it, and run this again", err=True)
    if everything:
        forgetting.remove_set_aside(path)
    elif aside:
        click.echo(f"damaged ledgers are not searched: delete {', '.join(map(str, aside))} by hand", err=True)
    found: dict[str, Any] = {"forgotten": len(offers), **discarded(home, choice)}
    if memories:
        found["memories"] = memories
    if learned:
        found["adapters"] = [adapter.id for adapter in learned]
    also = f" and {memories} memories" if memories else ""
    report(as_json, found, f"forgot {len(offers)} offers{also}{still_known(learned)}")


def confirmed(offers: int, memories: int, replayed: int, yes: bool) -> None:
    """Ask, unless ``yes``; end the command where the answer is no."""
    also = f" and {memories} memories" if memories else ""
    records = f", and the records of {replayed} replays whole" if replayed else ""
    if not yes:
        click.confirm(f"Forget {offers} offers{also} for good{records}?", abort=True, err=True)


def discarded(home: Home, choice: forgetting.Choice) -> dict[str, int]:
    """Delete what replays have kept; return how many there were, for JSON."""
    gone, under_way = forgetting.discard_replays(home)
    if under_way:
        click.echo(
            f"{under_way} replays are under way and keep their records: end them, and run this again",
            err=True,
        )
    if choice.everything:
        home.replay_result.unlink(missing_ok=True)
    return {"replays": gone} if gone else {}


def memory_of(home: Home, action: Callable[[Path], int]) -> int:
    """Do something to the memory; what can go wrong becomes one line that says what to do."""
    try:
        return action(home.memory)
    except NewerMemoryError as error:
        raise click.ClickException(
            f"{home.memory} is of a newer Nightschool ({error}); update this one"
        ) from None
    except (sqlite3.Error, OSError) as error:
        raise click.ClickException(
            f"{home.memory}: {error}; delete the file, or try again when no other program uses it"
        ) from None


def still_known(adapters: list[Adapter]) -> str:
    """What weights have learned cannot be taken out of them: say which those are, and what can be done."""
    if not adapters:
        return ""
    named = "\n".join(f"  {adapter.id}  {adapter.path.parent}" for adapter in adapters)
    return (
        f"\nthese adapters were trained on some of them; choose another (nightschool adapters use ID, or: "
        f"nightschool adapters off) and delete their directories:\n{named}"
    )


@data.command()
@as_json
def size(as_json: bool) -> None:
    """Tell how much is stored."""
    path = Home.find().ledger
    with opened(connect_to_read, path) as connection:
        tables = ("sessions", "offers", "events", "settlements", "contexts", "pieces")
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
        }
        used = used_bytes(connection)
    on_disk = sum(p.stat().st_size for p in path.parent.glob(f"{path.name}*"))
    per_offer = round(used / counts["offers"]) if counts["offers"] else None
    found = {
        "path": str(path),
        "bytes": used,
        "bytes_on_disk": on_disk,
        "bytes_per_offer": per_offer,
        **counts,
    }
    lines = [f"{name.replace('_', ' '):16} {value}" for name, value in found.items()]
    report(as_json, found, "\n".join(lines))


def report(as_json: bool, found: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else text)


def print_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    # Imported where something is drawn: --json has no use for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    for row in rows:
        # Recorded text is no markup.
        table.add_row(*(Text(cell) for cell in row))
    # Piped into another program, a row is not folded at eighty columns.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


NUMBERS = ("OFFERS", "SHOWN", "ACCEPTED", "PARTLY", "RATE", "KEPT 30 S", "KEPT 10 MIN", "SAVED KEYS",
           "P50 MS", "P95 MS")  # fmt: skip


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def local_time(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def one_line(text: str, width: int = 40) -> str:
    shown = text.replace("\n", "⏎")
    return shown if len(shown) <= width else shown[: width - 1] + "…"
