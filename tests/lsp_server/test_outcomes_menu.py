"""What the ledger says of ghost text that goes on from the item selected in the editor's completion menu."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from in_process import position

from learner.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from fake_engine import FakeEngine
    from in_process import Client


async def outcomes(client: Client, path: Path) -> list[tuple[str, str, str, str]]:
    """End the session and return offered text, label, known by and settled text of each outcome."""
    await client.server.close()
    ledger = Ledger.open(path, on_trouble=pytest.fail)
    for fact in client.facts:
        ledger.record(fact)
    ledger.close()
    with closing(sqlite3.connect(path)) as file:
        return file.execute(
            "SELECT offered_text, label, known_by, settled_text FROM outcomes WHERE label != 'hidden'"
        ).fetchall()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("get", "cwd(x)"), ("gcw", "getcwd(x)")],
    ids=["begins with what is typed", "does not"],
)
@pytest.mark.parametrize(("told", "known_by"), [(True, "explicit"), (False, "inferred")])
async def test_an_accept_of_more_than_the_menus_item(
    client: Client, engine: FakeEngine, tmp_path: Path, typed: str, offered: str, told: bool, known_by: str
) -> None:
    engine.says = lambda request: ["(x)"] if request.prompt.prefix.endswith("os.getcwd") else [""]
    await client.initialize()
    client.open(f"os.{typed}\n")
    span = {"start": position(0, 3), "end": position(0, 6)}
    (item,) = await client.ghost(0, 6, menu={"range": span, "text": "getcwd"})
    client.clock.seconds += 1
    client.edit((0, 3), (0, 6), item["insertText"])
    if told:
        await client.command("nightschool.accepted", *item["command"]["arguments"])
    client.clock.seconds += 700
    assert client.text() == "os.getcwd(x)\n"
    assert await outcomes(client, tmp_path / "ledger.db") == [(offered, "accepted", known_by, offered)]


async def test_the_menus_item_alone_is_no_accept(client: Client, engine: FakeEngine, tmp_path: Path) -> None:
    """The editor inserts its own item; what the model added to it is then written otherwise."""
    engine.says = lambda request: ["(x)"] if request.prompt.prefix.endswith("os.getcwd") else [""]
    await client.initialize()
    client.open("os.get\n")
    span = {"start": position(0, 3), "end": position(0, 6)}
    await client.ghost(0, 6, menu={"range": span, "text": "getcwd"})
    client.clock.seconds += 1
    client.edit((0, 3), (0, 6), "getcwd")
    for column, key in enumerate(".real", 9):
        client.clock.seconds += 0.2
        client.type(0, column, key)
    client.clock.seconds += 700
    ((_, label, _, _),) = await outcomes(client, tmp_path / "ledger.db")
    assert label in ("diverged", "partial")
