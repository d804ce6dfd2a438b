"""A recorded client against a fresh server in the recording's own time, and what the ledger then says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.sessions.editor import Clock
from tests.sessions.neovim_scenes import ANSWERS
from tests.sessions.scripted_server import answer_from
from tests.sessions.served import ServedSession

if TYPE_CHECKING:
    from pathlib import Path

Outcome = tuple[str, str, str]
"""File, label and settled text."""


def replay(recording: Path, home: Path) -> Path:
    """Send what the client sent, when it did; return the ledger's path.

    Offers have new ids each time: those of the recorded answers become those of the answers given now.
    """
    clock = Clock()
    began = clock.now
    session = ServedSession(clock, home, answer_from(ANSWERS))
    ids: dict[str, str] = {}
    for line in _lines(recording):
        if "truth" in line:
            continue
        message = line["message"]
        if line["from"] == "server":
            _pair(message.get("result"), session.answers.get(message.get("id")), ids)
        elif message["method"] != "exit":
            session.wait_until(began + line["at"])
            session.send(_with_ids(message, ids))
    session.close()
    return session.ledger_path


def outcomes_of(ledger: Path) -> list[Outcome]:
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("SELECT uri, label, settled_text FROM outcomes").fetchall()
    return sorted((uri.rpartition("/")[2], label, text) for uri, label, text in rows)


def truths_of(recording: Path) -> list[Outcome]:
    truths = [line["truth"] for line in _lines(recording) if "truth" in line]
    return sorted((truth["file"], truth["label"], truth["text"]) for truth in truths)


def _lines(recording: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]


def _pair(recorded: object, given: object, ids: dict[str, str]) -> None:
    """Note which offer of an answer given now is which recorded one."""
    if isinstance(recorded, list) and isinstance(given, list):
        for old, new in zip(recorded, given, strict=True):
            ids[old["command"]["arguments"][0]] = new["command"]["arguments"][0]


def _with_ids(message: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(message)
    for old, new in ids.items():
        text = text.replace(old, new)
    return json.loads(text)
