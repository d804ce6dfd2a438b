"""A line that was written in one definition is meant in another's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from memory_places import Teacher, place

from learner.memory.episode import Kind
from learner.memory.renaming import renamed, renames

if TYPE_CHECKING:
    from learner.memory.store import Memory

SHIP = "def ship_{0}({0}):\n    check({0})\n    entry = |\n"
LINE = 'audit.enter("ship_{0}", subject={0}.id)'


def told(teacher: Teacher, noun: str, offer_id: str = "") -> None:
    teacher.tell(place(SHIP.format(noun), f"file:///p/{noun}.py"), LINE.format(noun), offer_id=offer_id)


@pytest.mark.parametrize(
    ("theirs", "ours", "names"),
    [
        ("def ship(order):", "def send(parcel):", {"ship": "send", "order": "parcel"}),
        ("def ship(order):", "def send(parcel, *, now=False):", {"ship": "send"}),
        ("def swap(a, b):", "def swap(b, a):", {"a": "b", "b": "a"}),
        ("def ship(order):", "def ship(order):", {}),
        ("def order(order):", "def send(parcel):", {"order": "send"}),
        ("def ship(order):", "class Desk(Base):", {}),
        ("def port(x=80):", "def port(y=81):", {}),
        ("", "def ship(order):", {}),
    ],
)
def test_definitions_that_differ_in_names_say_what_is_called_otherwise(
    theirs: str, ours: str, names: dict[str, str]
) -> None:
    assert renames(theirs, ours) == names


def test_only_whole_words_are_replaced() -> None:
    assert renamed("order.orders[reorder] = order", {"order": "parcel"}) == "parcel.orders[reorder] = parcel"


def test_a_memory_is_offered_in_the_names_of_the_place(memory: Memory, teacher: Teacher) -> None:
    told(teacher, "order")
    best = memory.recall(place(SHIP.format("parcel"), "file:///p/parcel.py"))[0]
    assert best.text == LINE.format("parcel")
    assert memory.believes(best)
    begun = SHIP.format("parcel").replace("|", 'audit.enter("ship_p|')
    assert memory.recall(place(begun, "file:///p/parcel.py"))[0].text == 'arcel", subject=parcel.id)'


def test_what_differs_in_names_only_is_one_pattern_with_a_count(memory: Memory, teacher: Teacher) -> None:
    for noun in ("order", "parcel", "book"):
        told(teacher, noun)
    found = memory.recall(place(SHIP.format("loan"), "file:///p/loan.py"))
    assert [(each.text, each.support) for each in found] == [(LINE.format("loan"), 3)]


def test_a_second_look_at_an_offer_counts_once(memory: Memory, teacher: Teacher) -> None:
    told(teacher, "order")
    told(teacher, "parcel", offer_id="again")
    told(teacher, "parcel", offer_id="again")
    assert [each.support for each in memory.recall(place(SHIP.format("loan")))] == [2]


def test_another_line_in_such_a_definition_is_a_pattern_of_its_own(memory: Memory, teacher: Teacher) -> None:
    told(teacher, "order")
    teacher.tell(
        place(SHIP.format("parcel"), "file:///p/parcel.py"),
        'audit.enter("ship_order", subject=parcel.id)',
        kind=Kind.CORRECTION,
    )
    found = memory.recall(place(SHIP.format("loan"), "file:///p/loan.py"))
    assert [each.support for each in found] == [1, 1]
