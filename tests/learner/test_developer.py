"""The simulated developer: what is taken, what it saves and costs."""

from __future__ import annotations

import pytest

from learner.developer import Taken, respond
from learner.facts import Event, EventKind, Settlement
from learner.replay.facts_left import facts_of

TARGET = "return compute(first, second)"


@pytest.mark.parametrize(
    ("offered", "target", "taken", "saved", "corrections", "net"),
    [
        ("", TARGET, Taken.NOTHING_OFFERED, 0, 0, 0),
        (TARGET, TARGET, Taken.WHOLE, len(TARGET), 0, len(TARGET) - 1),
        # A whole line is enough, however short it is; a beginning needs eight characters.
        ("x)", "x)", Taken.WHOLE, 2, 0, 1),
        ("return ", TARGET, Taken.IGNORED, 0, 0, -1),
        ("return c", TARGET, Taken.WHOLE, 8, 0, 7),
        ("raise ValueError", TARGET, Taken.IGNORED, 0, 0, -1),
        # Wrong at its end: the words before are four keys, of which the first is free; mending costs three.
        ("return compute(first, last)", TARGET, Taken.EDITED, 24, 3, 20),
        ("return compute(zzzzzzzzzzzzzzzzzzzz)", TARGET, Taken.PART, 15, 1, 13),
        # Two lines, of which the first is right.
        ("a = b.c.d\nwrong_altogether = 12", "a = b.c.d\nnext()", Taken.PART, 10, 0, 9),
    ],
)
def test_what_an_offer_saves_and_costs(
    offered: str, target: str, taken: Taken, saved: int, corrections: int, net: int
) -> None:
    response = respond(offered, target)

    assert (response.taken, response.saved, response.corrections, response.net) == (
        taken, saved, corrections, net,
    )  # fmt: skip


def test_no_offer_costs_more_than_the_look_at_it() -> None:
    for offered in ("return compute(" + "z" * 300, "x" * 9, "return compute(\n\n\n\nz"):
        assert respond(offered, TARGET).net >= -1


def test_the_facts_say_what_was_done_and_what_settled() -> None:
    event, settlement = facts_of("1", TARGET, respond(TARGET, TARGET), TARGET, 5.0)
    other, _ = facts_of("2", "raise X", respond("raise X", TARGET), TARGET, 5.0)
    (silent,) = facts_of("3", "", respond("", TARGET), TARGET, 5.0)

    assert isinstance(event, Event) and event.kind is EventKind.ACCEPTED
    assert isinstance(settlement, Settlement) and settlement.text == TARGET and settlement.at > event.at
    assert isinstance(other, Event) and (other.kind, other.length) == (EventKind.DIVERGED, 1)
    assert isinstance(silent, Settlement)
