"""What an adapter writes by itself rests while it serves, and is there again when it does not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from memory_places import Teacher, place

from learner.memory import schema
from learner.memory.chunk import chunk_of
from learner.memory.episode import Kind
from learner.memory.known import ADAPTERS, note_known, patterns_by_offer
from learner.memory.memory_file import connect

if TYPE_CHECKING:
    from pathlib import Path

    from learner.memory.store import Memory

HERE = "def ship(order):\n    order.check()\n    label = |\n"
THERE = "def ship(parcel):\n    parcel.check()\n    label = |\n"
TEXT = "printer.label_for(order)"
ADAPTER = "20261121-0300-abcd"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def taught(memory: Memory, teacher: Teacher) -> Memory:
    teacher.tell(place(HERE), TEXT)
    teacher.tell(place(HERE, "file:///p/b.py"), TEXT)
    return memory


def known(memory: Memory) -> bool:
    """Whether what is remembered rests; it is recalled in either case."""
    memory.look()
    assert memory.flush(20)
    (found,) = memory.recall(place(THERE))
    assert (chunk_of([found], ()) is None) == found.known
    return found.known


def test_what_the_adapter_knows_rests_while_it_serves_and_comes_back_with_a_rollback(
    taught: Memory, file: Path
) -> None:
    taught.serve(ADAPTER)
    assert not known(taught)
    assert note_known(file, ADAPTER, {"offer 1": True, "offer 2": True}) == 1
    assert known(taught)
    assert not any(map(taught.believes, taught.recall(place(THERE))))
    taught.serve("primer")
    assert not known(taught)
    taught.serve(None)
    assert not known(taught)


def test_one_occasion_that_it_does_not_write_keeps_the_memory_awake(taught: Memory, file: Path) -> None:
    taught.serve(ADAPTER)
    assert note_known(file, ADAPTER, {"offer 1": True, "offer 2": False, "unknown": True}) == 0
    assert not known(taught)


def test_a_miss_wakes_what_rested_but_a_later_look_at_an_old_offer_does_not(
    taught: Memory, teacher: Teacher, file: Path
) -> None:
    taught.serve(ADAPTER)
    note_known(file, ADAPTER, {"offer 1": True})
    teacher.tell(place(HERE), TEXT, offer_id="offer 1")
    teacher.tell(place(HERE, "file:///p/c.py"), TEXT, kind=Kind.KEPT)
    assert known(taught)
    teacher.tell(place(HERE, "file:///p/d.py"), TEXT, offered="printer.label(order)")
    assert not known(taught)


def test_the_last_adapters_that_know_it_are_noted(taught: Memory, file: Path) -> None:
    for number in range(ADAPTERS + 2):
        note_known(file, f"20261121-03{number:02}-abcd", {"offer 1": True})
    taught.serve("20261121-0301-abcd")
    assert not known(taught)
    taught.serve(f"20261121-03{ADAPTERS + 1:02}-abcd")
    assert known(taught)


def test_offers_are_found_by_what_they_went_into(taught: Memory, file: Path) -> None:
    found = patterns_by_offer(file)
    assert set(found) == {"offer 1", "offer 2"}
    assert len(set(found.values())) == 1
    assert patterns_by_offer(file.with_name("absent.db")) == {}


def test_a_memory_of_the_version_before_is_known_to_no_adapter(file: Path) -> None:
    with closing(sqlite3.connect(file)) as old:
        for statement in [each for migration in schema.MIGRATIONS[:2] for each in migration]:
            old.execute(statement)
        old.execute(
            "INSERT INTO patterns VALUES (1, '/p', 'python', 'x = 1', 'file:///p/a.py', '', '', '', '', 'x',"
            " '', 1, 0, 0, 0, 1)"
        )
        old.execute("PRAGMA user_version = 2")
        old.commit()
    with closing(connect(file)) as new:
        assert new.execute("SELECT line, known_to FROM patterns").fetchall() == [("x = 1", "")]
