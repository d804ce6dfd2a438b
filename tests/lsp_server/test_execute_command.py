"""``workspace/executeCommand``: arguments of any kind get an answer that says what is taken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from learner.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from in_process import Client

FORGET = (
    'nightschool.forget takes an object with "all": true, or with one or more of file, repo, since, matching'
)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("accepted", [], "nightschool.accepted takes an offer's id; it was given nothing"),
        ("accepted", [7, "x"], "nightschool.accepted takes an offer's id; it was given int, str"),
        ("snooze", ["soon"], "nightschool.snooze takes a number of minutes, or nothing; it was given str"),
        ("snooze", [True], "nightschool.snooze takes a number of minutes, or nothing; it was given bool"),
        ("snooze", [-1], "nightschool.snooze takes a number of minutes, or nothing; it was given int"),
        ("train", [{}], "nightschool.train takes a number of minutes, or nothing; it was given dict"),
        ("forget", [], f"{FORGET} as text; it was given nothing"),
        ("forget", [{}], f"{FORGET} as text; it was given dict"),
        ("forget", [{"all": False}], f"{FORGET} as text; it was given dict"),
        ("forget", [{"all": True, "file": "a"}], f"{FORGET} as text; it was given dict"),
        ("forget", [{"file": 1}], f"{FORGET} as text; it was given dict"),
        ("forget", [{"yes": "yes"}], f"{FORGET} as text; it was given dict"),
        ("forget", "all", "arguments are a list, not str"),
    ],
)
async def test_wrong_arguments_are_named(client: Client, command: str, arguments: Any, message: str) -> None:
    await client.initialize()
    asked = client.ask(
        "workspace/executeCommand", {"command": f"nightschool.{command}", "arguments": arguments}
    )
    error = (await client.answer(asked))["error"]
    assert (error["code"], error["message"]) == (-32602, message)


async def test_snooze_takes_the_settings_minutes_for_null(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    await client.command("nightschool.snooze", None)
    assert await client.texts(0, 4) == []
    assert await client.declined() == "snoozed"


async def test_a_file_is_forgotten_from_within_the_editor(client: Client, tmp_path: Path) -> None:
    await client.initialize()
    kept, forgotten = ((tmp_path / name).as_uri() for name in ("kept.py", "forgotten.py"))
    for uri in (kept, forgotten):
        client.open("a = \n", uri)
        assert await client.texts(0, 4, uri=uri) == ["completed()"]
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    ledger = Ledger.open(client.home.ledger, on_trouble=pytest.fail)
    for fact in client.facts:
        ledger.record(fact)
    assert ledger.close()
    assert await client.command("nightschool.forget", {"file": forgotten}) == {"forgotten": 1}
    assert await client.command("nightschool.forget", {"file": forgotten}) == {"forgotten": 0}
    with closing(sqlite3.connect(client.home.ledger)) as connection:
        assert connection.execute("SELECT uri FROM outcomes").fetchall() == [(kept,)]


async def test_what_cannot_be_forgotten_is_answered_with_its_reason(client: Client) -> None:
    await client.initialize()
    asked = client.ask(
        "workspace/executeCommand",
        {"command": "nightschool.forget", "arguments": [{"since": "yesterdayish"}]},
    )
    error = (await client.answer(asked))["error"]
    assert error["code"] == -32803
    assert "'yesterdayish' is no time" in error["message"]
