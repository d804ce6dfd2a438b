"""Outcomes at the edges: replaced text, candidates, many offers, and clocks that jump."""

from __future__ import annotations

import pytest

from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Settlement
from lsp_server.documents import Document, Point
from lsp_server.outcomes import MOST, Outcomes
from models.prompt import Prompt


class Scene:
    def __init__(self, text: str) -> None:
        self.now, self.wall = 100.0, 1_700_000_000.0
        self.facts: list[object] = []
        self.outcomes = Outcomes(self.facts.append, lambda: self.now, lambda: self.wall)
        self.document = Document("file:///a.py", text, language_id="python")

    def pass_time(self, seconds: float) -> None:
        self.now, self.wall = self.now + seconds, self.wall + seconds
        self.outcomes.tick()

    def offer(
        self, offer_id: str, text: str, column: int, prompt: Prompt, *, line: int = 0, replaced: int = 0
    ) -> None:
        place = (self.wall, "file:///a.py", "", "python", line, column, text, replaced)
        fact = Offered(offer_id, "s", *place, prompt, "", "m", None, (), None, False, Served.MODEL, 1.0)
        self.outcomes.offered(fact, self.document)

    def insert(self, column: int, text: str, *, line: int = 0, over: int = 0) -> None:
        change = self.document.replace(Point(line, column), Point(line, column + over), text)
        self.outcomes.changed(self.document, [change])

    def events(self, offer_id: str) -> list[tuple[EventKind, KnownBy]]:
        told = [fact for fact in self.facts if isinstance(fact, Event) and fact.offer_id == offer_id]
        return [(event.kind, event.known_by) for event in told]

    def texts(self, offer_id: str) -> dict[Horizon, str]:
        told = [fact for fact in self.facts if isinstance(fact, Settlement) and fact.offer_id == offer_id]
        return {look.horizon: look.text for look in told}


@pytest.mark.parametrize("told", [True, False], ids=["with its command", "without"])
def test_an_accept_that_replaces_text_right_of_the_cursor_is_an_accept(told: bool):
    scene = Scene("total = ol)\n")
    scene.offer("a", "sum(rows)", 8, Prompt("", ""), replaced=3)
    scene.pass_time(1)
    scene.insert(8, "sum(rows)", over=3)
    if told:
        scene.outcomes.accepted("a")
    scene.pass_time(700)
    assert scene.events("a") == [(EventKind.ACCEPTED, KnownBy.EXPLICIT if told else KnownBy.INFERRED)]
    assert set(scene.texts("a").values()) == {"sum(rows)"}


def test_a_candidate_taken_beside_the_one_on_display_supersedes_it():
    scene, prompt = Scene("x = \n"), Prompt("", "")
    scene.offer("second", "beta(one)", 4, prompt)
    scene.offer("first", "alpha(one)", 4, prompt)
    scene.pass_time(1)
    scene.insert(4, "alpha(one)")
    scene.outcomes.accepted("first")
    scene.pass_time(20)
    assert (EventKind.ACCEPTED, KnownBy.EXPLICIT) in scene.events("first")
    assert (EventKind.ACCEPTED, KnownBy.EXPLICIT) not in scene.events("second")


def test_the_candidates_beside_the_one_that_is_taken_were_not_written_against():
    scene, prompt = Scene("x = \n"), Prompt("", "")
    scene.offer("third", "gamma(one)", 4, prompt)
    scene.offer("second", "beta(one)", 4, prompt)
    scene.offer("first", "alpha(one)", 4, prompt)
    scene.pass_time(1)
    scene.insert(4, "beta(one)")
    scene.outcomes.accepted("second")
    scene.pass_time(700)
    assert scene.events("second") == [(EventKind.ACCEPTED, KnownBy.EXPLICIT)]
    for other in ("first", "third"):
        assert scene.events(other) == [(EventKind.SUPERSEDED, KnownBy.INFERRED)]


@pytest.mark.parametrize("clock", ["now", "wall"])
def test_a_clock_that_jumps_back_loses_no_outcome(clock: str):
    scene = Scene("x = \n")
    scene.offer("a", "alpha(one)", 4, Prompt("", ""))
    scene.pass_time(1)
    setattr(scene, clock, getattr(scene, clock) - 5000)
    scene.insert(4, "alpha(one)")
    scene.outcomes.accepted("a")
    scene.pass_time(1)
    scene.outcomes.shutdown()
    assert scene.events("a") == [(EventKind.ACCEPTED, KnownBy.EXPLICIT)]
    assert scene.texts("a")[Horizon.CLOSE] == "alpha(one)"


def test_of_very_many_offers_in_a_document_the_oldest_settle_early():
    scene = Scene("x = \n" * (MOST + 20))
    for n in range(MOST + 20):
        scene.offer(f"offer {n}", "alpha(one)", 4, Prompt("", ""), line=n)
    scene.pass_time(1)
    settled = [fact.offer_id for fact in scene.facts if isinstance(fact, Settlement)]
    assert settled == [f"offer {n}" for n in range(20)]


def test_an_offer_that_is_gone_at_once_counts_as_unseen_though_the_client_drew_it():
    scene = Scene("x = \n")
    scene.offer("a", "alpha(one)", 4, Prompt("", ""))
    scene.outcomes.shown("a")
    scene.now += 0.1
    scene.insert(4, "%")
    scene.pass_time(10)
    assert scene.events("a") == [(EventKind.UNSEEN, KnownBy.INFERRED)]


def test_lines_read_in_and_those_above_deleted_are_one_replacement():
    scene = Scene("x = \nprint(x)\n")
    scene.offer("a", "one+two", 4, Prompt("", ""))
    scene.pass_time(1)
    scene.insert(4, "one+two")
    scene.outcomes.accepted("a")
    scene.pass_time(2)
    scene.insert(0, "x = one + two\n", line=1)
    change = scene.document.replace(Point(0, 0), Point(1, 0), "")
    scene.outcomes.changed(scene.document, [change])
    scene.outcomes.shutdown()
    assert scene.texts("a")[Horizon.CLOSE] == "one + two"
    assert (EventKind.DISTURBED, KnownBy.INFERRED) in scene.events("a")


@pytest.mark.parametrize(
    ("text", "taken"),
    [("sum(rows)", "sum(rows"), ("load()", "load"), ("a =\n    b", "a =\n    "), ("sum(rows)", "sum")],
    ids=["one character is left", "a pair of brackets is left", "a word is left", "several are left"],
)
@pytest.mark.parametrize("reports", [True, False], ids=["its client reports parts", "its client does not"])
@pytest.mark.parametrize("command_first", [False, True], ids=["text first", "command first"])
def test_an_offer_taken_in_part_and_then_in_full_is_accepted(
    text: str, taken: str, reports: bool, command_first: bool
):
    """The last character alone looks like a key press, and the command says that it was none."""
    scene = Scene("x = \n")
    scene.offer("a", text, 4, Prompt("", ""))
    scene.pass_time(1)
    scene.insert(4, taken)
    if reports:
        scene.outcomes.partially_accepted("a", len(taken))
    scene.pass_time(2)
    scene.outcomes.repeated("a", text[len(taken) :])
    line, column = taken.count("\n"), len(taken.rpartition("\n")[2]) + (0 if "\n" in taken else 4)
    if command_first:
        scene.outcomes.accepted("a")
    scene.insert(column, text[len(taken) :], line=line)
    if not command_first:
        scene.outcomes.accepted("a")
    scene.pass_time(700)
    assert scene.events("a")[-1] == (EventKind.ACCEPTED, KnownBy.EXPLICIT)


def test_what_is_written_after_deleting_all_of_it_is_its_correction():
    scene = Scene("x = \n")
    scene.offer("a", "abc", 4, Prompt("", ""))
    scene.pass_time(1)
    scene.insert(4, "abc")
    scene.outcomes.accepted("a")
    for column in (6, 5, 4):
        scene.insert(column, "", over=1)
    for column, key in enumerate("other()", 4):
        scene.insert(column, key)
    scene.pass_time(700)
    assert scene.texts("a")[Horizon.MIN10] == "other()"


def test_a_rest_that_is_typed_adds_nothing_to_what_was_taken_in_part():
    scene = Scene("x = \n")
    scene.offer("a", "sum(rows)", 4, Prompt("", ""))
    scene.pass_time(1)
    scene.insert(4, "sum(rows")
    scene.outcomes.partially_accepted("a", 8)
    scene.pass_time(2)
    scene.insert(12, ")")
    scene.pass_time(2)
    scene.outcomes.accepted("a")
    scene.pass_time(700)
    assert scene.events("a") == [(EventKind.PARTIAL, KnownBy.EXPLICIT)]
