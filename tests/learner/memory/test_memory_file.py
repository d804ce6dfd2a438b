"""The file: two servers, damage, an older and a newer schema, a full disk, a size."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest
from memory_places import Teacher, place

from learner.memory import keeper, schema
from learner.memory.forgetting import tidy
from learner.memory.memory_file import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memory_places import Clock

    from learner.memory.store import Memory

HERE = "def ship(order):\n    order.check()\n    label = |\n"
TEXT = "printer.label_for(order)"


def test_the_file_is_its_owners_alone(memory: Memory, teacher: Teacher, tmp_path: Path):
    teacher.tell(place(HERE), TEXT)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_two_servers_share_what_is_learned(opened: Callable[..., Memory], clock: Clock):
    one, other = opened(), opened()
    Teacher(one, clock).tell(place(HERE), TEXT)
    assert other.flush(20)
    assert other.recall(place(HERE, "file:///p/b.py"))[0].text == TEXT


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""], ids=["junk", "pages"])
def test_a_damaged_file_is_set_aside_and_told_once(
    opened: Callable[..., Memory], clock: Clock, troubles: list[str], tmp_path: Path, damage: bytes
):
    memory = opened()
    for number in range(40):
        Teacher(memory, clock).tell(
            place(HERE, f"file:///p/{number}.py"), f"{TEXT} + {number}", offer_id=str(number)
        )
    memory.close()
    path = tmp_path / "memory.db"
    if damage:
        path.write_bytes(damage)
    else:
        whole = bytearray(path.read_bytes())
        whole[8192:40960] = b"\xff" * 32768
        path.write_bytes(whole)
    memory = opened()
    Teacher(memory, clock).tell(place(HERE), TEXT, offer_id="new")
    assert memory.recall(place(HERE, "file:///p/b.py"))[0].text == TEXT
    assert len(troubles) == 1
    assert "is damaged" in troubles[0]
    assert [file.name for file in tmp_path.iterdir() if ".corrupt-" in file.name]


def test_an_older_file_is_migrated_with_what_it_holds(
    opened: Callable[..., Memory], clock: Clock, tmp_path: Path
):
    path = tmp_path / "memory.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in schema.MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 1")
    connection.execute(
        "INSERT INTO patterns VALUES (1, '/p', 'python', ?, 'file:///p/a.py', '    label = ', '', '', '',"
        " 'label order', '', 2, 0, ?, ?, 1)",
        (f"label = {TEXT}", clock.now, clock.now),
    )
    connection.close()
    memory = opened()
    assert memory.recall(place(HERE, "file:///p/b.py"))[0].support == 2
    Teacher(memory, clock).tell(place(HERE, "file:///p/b.py"), TEXT)
    assert memory.recall(place(HERE, "file:///p/c.py"))[0].support == 3


def test_a_newer_file_is_left_untouched(
    opened: Callable[..., Memory], clock: Clock, troubles: list[str], tmp_path: Path
):
    connection = connect(tmp_path / "memory.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "memory.db").read_bytes()
    memory = opened()
    Teacher(memory, clock).tell(place(HERE), TEXT)
    assert memory.recall(place(HERE, "file:///p/b.py"))[0].text == TEXT
    assert len(troubles) == 1
    assert "newer Nightschool" in troubles[0]
    assert (tmp_path / "memory.db").read_bytes() == before


def test_what_a_full_disk_refuses_is_in_force_and_is_written_when_there_is_room(
    opened: Callable[..., Memory],
    clock: Clock,
    troubles: list[str],
    monkeypatch: pytest.MonkeyPatch,
):
    memory = opened()

    def full(connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(keeper, "transaction", full)
        teacher = Teacher(memory, clock)
        teacher.tell(place(HERE), TEXT)
        teacher.tell(place(HERE, "file:///p/b.py"), TEXT)
        assert memory.recall(place(HERE, "file:///p/c.py"))[0].support == 2
    assert len(troubles) == 1
    assert "no space" in troubles[0]
    assert memory.flush(20)
    memory.close()
    assert opened().recall(place(HERE, "file:///p/c.py"))[0].support == 2


def test_beyond_its_size_the_weakest_memories_go(
    memory: Memory, teacher: Teacher, clock: Clock, tmp_path: Path
):
    for number in range(6):
        teacher.tell(place(HERE, f"file:///p/{number}.py"), f"{TEXT} + {number}")
    teacher.tell(place(HERE, "file:///p/x.py"), f"{TEXT} + 0")
    connection = connect(tmp_path / "memory.db")
    tidy(connection, clock.now, most=2)
    kept = {line for (line,) in connection.execute("SELECT line FROM patterns")}
    connection.close()
    assert kept == {f"label = {TEXT} + 0", f"label = {TEXT} + 5"}
