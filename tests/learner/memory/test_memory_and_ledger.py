"""Memory and ledger: offers from memory are recorded as such, and forgetting reaches both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from memory_places import Teacher, place

from learner.cli import data
from learner.facts import Event, EventKind, KnownBy, Offered, Served, Session
from learner.facts_read import read_offer
from learner.ledger import Ledger
from learner.ledger_file import connect_to_read
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memory_places import Clock

    from learner.memory.store import Memory

HERE = "def ship(order):\n    order.check()\n    label = |\n"
TEXT = "printer.label_for(order)"
URI = "file:///p/a.py"


def record(path: Path, clock: Clock) -> None:
    ledger = Ledger.open(path, on_trouble=pytest.fail, clock=clock)
    ledger.record(Session("s", clock.now, "test", "1", 1))
    here = (clock.now, URI, "/p", "python", 2, 12, TEXT, 0)
    prompt = Prompt("def ship(order):\n    order.check()\n    label = ", "\n")
    ledger.record(
        Offered("one", "s", *here, prompt, "memory-1", "memory", None, (), None, False, Served.MEMORY, 1.5)
    )
    ledger.record(Event("one", clock.now + 1, EventKind.ACCEPTED, KnownBy.EXPLICIT))
    assert ledger.close()


def test_an_offer_of_the_memorys_is_recorded_as_such(tmp_path: Path, clock: Clock):
    record(tmp_path / "ledger.db", clock)
    connection = connect_to_read(tmp_path / "ledger.db")
    row = connection.execute("SELECT label, served, model, adapter FROM outcomes").fetchone()
    offer = read_offer(connection, 1)
    connection.close()
    assert row == ("accepted", "memory", "memory", None)
    assert offer is not None
    assert (offer.served, offer.candidates) == (Served.MEMORY, ())


@pytest.mark.parametrize("words", [("--file", URI), ("--matching", "label_for"), ("--all",)])
def test_data_forget_takes_memories_along(
    opened: Callable[..., Memory],
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
):
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path))
    record(tmp_path / "ledger.db", clock)
    memory = opened()
    Teacher(memory, clock).tell(place(HERE, URI), TEXT, offer_id="one")
    answer = CliRunner().invoke(data, ["forget", *words, "--yes", "--json"])
    assert json.loads(answer.stdout) == {"forgotten": 1, "memories": 1}
    assert memory.flush(20)
    assert memory.recall(place(HERE, "file:///p/b.py")) == []
    memory.close()
    assert b"label_for" not in b"".join(file.read_bytes() for file in tmp_path.glob("memory.db*"))


def test_what_the_ledger_no_longer_has_is_forgotten_as_well(
    opened: Callable[..., Memory], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path))
    record(tmp_path / "ledger.db", clock)
    memory = opened()
    Teacher(memory, clock).tell(place("weight = |", "file:///p/old.py"), "scale.weigh(order)")
    answer = CliRunner().invoke(data, ["forget", "--file", "file:///p/old.py"], input="y\n")
    assert "forgot 0 offers and 1 memories" in answer.stdout
    again = CliRunner().invoke(data, ["forget", "--file", "file:///p/old.py", "--yes"])
    assert again.exit_code == 3
