"""What must not be offered, kept or found: refusals, secrets, forgotten outcomes, gone names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from memory_places import Clock, Teacher, place

from learner.forget import Choice
from learner.memory.episode import Kind
from learner.memory.forgetting import forget
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from learner.memory.store import Memory

HERE = "def ship(order):\n    order.check()\n    label = |\n"
THERE = "def ship(parcel):\n    parcel.check()\n    label = |\n"
TEXT = "printer.label_for(order)"


def test_what_was_rejected_is_refused_there_after_a_restart(opened: Callable[..., Memory], clock: Clock):
    memory = opened()
    Teacher(memory, clock).tell(place(HERE), "", offered="foo(order)", kind=Kind.REFUSAL, refused=True)
    memory.close()
    memory = opened()
    assert memory.refuses(place("\n\n" + HERE), "foo(order)")
    assert memory.refuses(place(HERE.replace("|", "foo|")), "(order)")
    assert not memory.refuses(place(HERE), "foo(order, 1)")
    assert not memory.refuses(place(HERE, "file:///p/other.py"), "foo(order)")


def test_what_the_developer_writes_after_all_is_refused_no_longer(memory: Memory, teacher: Teacher):
    teacher.tell(place(HERE), "", offered=TEXT, kind=Kind.REFUSAL, refused=True)
    teacher.tell(place(HERE), TEXT)
    assert not memory.refuses(place(HERE), TEXT)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("def f():\n    password = |\n", "'hunter2-Xk29fQz8Lw0'"),
        ("client = |\n", "Client('ghp_abcdefghijklmnopqrstuvwxyz0123456789')"),
    ],
)
def test_a_secret_is_not_remembered(memory: Memory, teacher: Teacher, tmp_path: Path, text: str, right: str):
    teacher.tell(place(text), right)
    assert memory.recall(place(text, "file:///p/b.py")) == []
    memory.close()
    assert b"hunter2" not in (tmp_path / "memory.db").read_bytes()


def test_a_secret_near_the_place_is_left_out_of_what_is_kept(
    memory: Memory, teacher: Teacher, tmp_path: Path
):
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    teacher.tell(place(f"token = '{token}'\nlabel = |\n"), TEXT)
    assert [each.text for each in memory.recall(place("label = |"))] == [TEXT]
    memory.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"label_for" in kept
    assert b"abcdefghijkl" not in kept


def test_a_private_file_is_not_remembered(opened: Callable[..., Memory], clock: Clock):
    memory = opened(privacy=PrivacyFilter([Path("/p")], ["*.gen.py"]))
    Teacher(memory, clock).tell(place(HERE, "file:///p/x.gen.py"), TEXT)
    assert memory.recall(place(THERE)) == []


@pytest.mark.parametrize(
    "choice",
    [
        Choice(file="file:///p/a.py"),
        Choice(repository=Path("/p")),
        Choice(since=1_700_000_000.0),
        Choice(matching="label ="),
        Choice(everything=True),
    ],
    ids=["file", "repository", "since", "matching", "everything"],
)
def test_forgetting_takes_memories_along(memory: Memory, teacher: Teacher, tmp_path: Path, choice: Choice):
    teacher.tell(place(HERE), TEXT, offered="nothing", refused=True)
    assert forget(tmp_path / "memory.db", choice, []) == 2
    assert memory.flush(20)
    assert memory.recall(place(THERE)) == []
    assert not memory.refuses(place(HERE), "nothing")
    # A later look at the same offer brings nothing back.
    teacher.tell(place(HERE), TEXT + ".print()", offer_id="offer 1")
    assert memory.recall(place(THERE)) == []
    memory.close()
    assert b"label_for" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_forgetting_offers_takes_what_they_taught_and_leaves_the_rest(
    memory: Memory, teacher: Teacher, tmp_path: Path
):
    teacher.tell(place(HERE), TEXT, offer_id="one")
    teacher.tell(place("def f(order):\n    weight = |\n"), "scale.weigh(order)", offer_id="two")
    assert forget(tmp_path / "memory.db", Choice(file="file:///elsewhere.py"), ["one"]) == 1
    assert memory.flush(20)
    assert memory.recall(place(THERE)) == []
    assert memory.recall(place("def f(parcel):\n    weight = |\n"))[0].text == "scale.weigh(parcel)"


def test_a_memory_of_a_name_that_is_gone_is_forgotten(opened: Callable[..., Memory], clock: Clock):
    names: set[str] | None = {"label_for"}

    def defines(project: str, asked: Collection[str]) -> Collection[str] | None:
        return None if names is None else names & set(asked)

    memory = opened(defines=defines)
    Teacher(memory, clock).tell(place(HERE), TEXT)
    names = None
    memory.look(symbols=True)
    assert memory.flush(20)
    assert memory.recall(place(THERE)) != []
    names = set()
    memory.look(symbols=True)
    assert memory.flush(20)
    assert memory.recall(place(THERE)) == []
