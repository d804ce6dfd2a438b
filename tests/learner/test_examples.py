"""Examples from outcomes, recorded by the real ledger: what each teaches, and what teaches nothing."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from fact_builders import NOON, event, offered, session, settlement

from learner.examples import Dropped, Example, Source
from learner.facts import EventKind, Horizon, KnownBy
from learner.ledger_file import connect_to_read
from learner.outcome_examples import FromOutcomes, outcome_examples
from models.engine import Candidate, Stop
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.facts import Fact
    from learner.ledger import Ledger


@pytest.fixture
def learned(ledger: Ledger, ledger_path: Path) -> Callable[..., FromOutcomes]:
    """Record facts, and return what is learned from them."""

    def learn(*facts: Fact, most: int = 100, **options: Any) -> FromOutcomes:
        for fact in facts:
            ledger.record(fact)
        assert ledger.flush(10.0)
        connection = connect_to_read(ledger_path)
        try:
            return outcome_examples(connection, most, **options)
        finally:
            connection.close()

    return learn


@pytest.fixture
def only(learned: Callable[..., FromOutcomes]) -> Callable[..., Example]:
    """The one example that the facts make."""

    def learn(*facts: Fact) -> Example:
        found = learned(*facts)
        assert found.dropped == {}
        (example,) = found.examples
        return example

    return learn


Learned = Any


def block_offer(text: str = "x = a\n    return x", **changes: Any) -> Any:
    return offered(
        text=text,
        prompt=Prompt("def f(a):\n    ", "\n\n\ny = 1\n"),
        line=1,
        column=4,
        candidates=(),
        **changes,
    )


def test_accepted_text_that_stood_is_the_target_of_the_prompt_that_was_served(only: Learned) -> None:
    offer = offered()
    example = only(session(), offer, event(EventKind.ACCEPTED), settlement())
    assert example == Example(
        prompt=offer.prompt,
        target="add(1, 2)",
        weight=1.0,
        source=Source.OUTCOME,
        file=offer.uri,
        at=offer.offered_at,
        ends=True,
        stop=Stop.LINE,
        offer_id="o1",
        line=2,
    )


def test_a_correction_is_the_target_and_what_it_corrects_is_not_wanted(only: Learned) -> None:
    example = only(
        offered(),
        event(EventKind.ACCEPTED),
        settlement("add(1, 2)"),
        settlement("add(1, 3)", Horizon.S30, 8, 1),
    )
    assert (example.target, example.rejected, example.weight) == ("add(1, 3)", "add(1, 2)", 1.0)


def test_what_a_formatter_did_is_no_correction(only: Learned) -> None:
    example = only(
        offered(),
        event(EventKind.ACCEPTED),
        settlement("add(1, 2)"),
        settlement("add(1, 2)", Horizon.DISTURBED),
        event(EventKind.DISTURBED),
        settlement("add(\n    1,\n    2,\n)", Horizon.S30, 9, 12),
    )
    assert (example.target, example.rejected) == ("add(1, 2)", "")


def test_what_was_typed_instead_is_the_target(only: Learned) -> None:
    example = only(offered(), event(EventKind.DIVERGED), settlement("sub(2, 1)", Horizon.S30, 4, 5))
    assert (example.target, example.rejected, example.weight) == ("sub(2, 1)", "add(1, 2)", 0.75)
    assert example.ends


def test_a_line_that_may_still_be_in_the_making_has_no_end(only: Learned) -> None:
    example = only(offered(), event(EventKind.DIVERGED), settlement("sub(", Horizon.S10, 1, 6))
    assert (example.target, example.ends) == ("sub(", False)


def test_an_offer_deleted_after_the_accept_is_only_not_wanted(only: Learned) -> None:
    example = only(
        offered(), event(EventKind.ACCEPTED), event(EventKind.UNDONE), settlement("", kept=0, distance=9)
    )
    assert (example.target, example.ends, example.rejected) == ("", False, "add(1, 2)")
    assert example.weight == 0.5


def test_a_line_ended_instead_teaches_silence(only: Learned) -> None:
    example = only(offered(), event(EventKind.DIVERGED), settlement("", Horizon.S30, 0, 9))
    assert (example.target, example.ends, example.rejected) == ("", True, "")


def test_of_an_accepted_part_no_end_is_known(only: Learned) -> None:
    example = only(offered(), event(EventKind.PARTIAL, length=3), settlement("add", kept=3, distance=6))
    assert (example.target, example.ends, example.rejected) == ("add", False, "")


def test_an_accepted_line_that_was_written_on_has_no_end(learned: Learned) -> None:
    """The settled text stops at the accepted text's end; that the line went on shows in a later offer."""
    later = offered(
        "o2",
        offered_at=NOON + 5,
        text="[0]",
        prompt=Prompt("def add(a, b):\n    return a + b\nresult = add(1, 2).real", "\nprint(result)\n"),
    )
    found = learned(offered(), event(EventKind.ACCEPTED), settlement(), later)
    (example,) = found.examples
    assert example.offer_id == "o1"
    assert not example.ends


@pytest.mark.parametrize(
    ("kind", "why"), [(EventKind.UNSEEN, Dropped.UNSEEN), (EventKind.SUPERSEDED, Dropped.SUPERSEDED)]
)
def test_what_was_not_seen_teaches_nothing(learned: Learned, kind: EventKind, why: Dropped) -> None:
    found = learned(offered(), event(kind), settlement("something else", kept=3, distance=9))
    assert (found.examples, found.dropped, found.looked_at) == ([], {why: 1}, 1)


def test_what_was_never_looked_at_again_teaches_only_what_was_taken(learned: Learned) -> None:
    found = learned(
        offered("o1"), event(EventKind.ACCEPTED, offer_id="o1"),
        offered("o2"), event(EventKind.DIVERGED, offer_id="o2"),
    )  # fmt: skip
    assert [(example.offer_id, example.target, example.weight) for example in found.examples] == [
        ("o1", "add(1, 2)", 0.5)
    ]
    assert found.dropped == {Dropped.UNSETTLED: 1}


def test_ignored_without_anything_written_teaches_nothing(learned: Learned) -> None:
    found = learned(offered(), event(EventKind.IGNORED, KnownBy.TIMEOUT), settlement("", kept=0, distance=9))
    assert found.dropped == {Dropped.NOTHING_WRITTEN: 1}


def test_a_block_is_cut_where_the_engine_would_have_stopped(only: Learned) -> None:
    settled = "x = a\n    return x\n\n\ndef g():\n    pass"
    example = only(block_offer(), event(EventKind.ACCEPTED), settlement(settled, kept=20, distance=20))
    assert (example.stop, example.indent) == (Stop.BLOCK, 0)
    assert (example.target, example.ends) == ("x = a\n    return x", True)


def test_of_a_block_typed_instead_no_end_is_known(only: Learned) -> None:
    example = only(
        block_offer(), event(EventKind.DIVERGED), settlement("y = a\n    y += 1", Horizon.MIN10, 5, 9)
    )
    assert (example.stop, example.target, example.ends) == (Stop.BLOCK, "y = a\n    y += 1", False)


def test_where_only_lines_were_asked_for_one_line_is_the_target(only: Learned) -> None:
    offer = offered(
        text="x = a",
        prompt=Prompt("def f(a):\n    ", "\n"),
        candidates=(Candidate("x = a", (-0.1,), "newline"),),
    )
    example = only(offer, event(EventKind.ACCEPTED), settlement("x = a\n    return x", kept=5, distance=13))
    assert (example.stop, example.target) == (Stop.LINE, "x = a")


def test_an_accepted_text_that_was_cut_by_length_has_no_end(only: Learned) -> None:
    offer = offered(candidates=(Candidate("add(1, 2)", (-0.1,), "length"),))
    assert not only(offer, event(EventKind.ACCEPTED), settlement()).ends


def test_a_target_as_long_as_no_completion_is_cut_at_a_line(only: Learned) -> None:
    settled = "\n    ".join(f"value_{number} = {number}" for number in range(100))
    example = only(block_offer(), event(EventKind.ACCEPTED), settlement(settled, kept=18, distance=2000))
    assert settled.startswith(example.target + "\n")
    assert len(example.target) <= 400 and not example.ends


def test_a_blank_that_parts_the_target_from_a_word_is_part_of_it(only: Learned) -> None:
    offer = offered(text="a and ", prompt=Prompt("if ", "b:\n"))
    assert only(offer, event(EventKind.ACCEPTED), settlement("a and ")).target == "a and "


def test_what_the_gate_kept_back_teaches_what_was_typed(only: Learned) -> None:
    example = only(offered(declined="hidden"), settlement("sub(2, 1)", Horizon.S30, 4, 5))
    assert (example.target, example.rejected) == ("sub(2, 1)", "")


def test_a_secret_is_no_target(learned: Learned) -> None:
    token = "ghp_" + "Zk3" * 12
    found = learned(
        offered(prompt=Prompt("token = ", "\n")),
        event(EventKind.DIVERGED),
        settlement(f"'{token}'", Horizon.S30, 0, 40),
    )
    assert (found.examples, found.dropped) == ([], {Dropped.SECRET: 1})


def test_a_file_that_is_ignored_by_now_is_left_out(learned: Learned, tmp_path: Path) -> None:
    offer = offered(uri=(tmp_path / "a.py").as_uri(), project=str(tmp_path))
    facts = (offer, event(EventKind.ACCEPTED), settlement())
    assert len(learned(*facts).examples) == 1
    assert learned(ignore=["a.py"]).dropped == {Dropped.PRIVATE_FILE: 1}
    (tmp_path / ".gitignore").write_text("a.py\n", "utf-8")
    assert learned().dropped == {Dropped.PRIVATE_FILE: 1}


def test_the_newest_are_read_and_no_more_than_asked_for(learned: Learned) -> None:
    facts: list[Any] = [
        fact
        for number in range(10)
        for fact in (
            offered(f"o{number}", offered_at=NOON + number),
            event(EventKind.ACCEPTED, offer_id=f"o{number}"),
        )
    ]
    found = learned(*facts, most=3)
    assert [example.offer_id for example in found.examples] == ["o9", "o8", "o7"]
    assert found.looked_at == 3
    assert [each.offer_id for each in learned(since=NOON + 8).examples] == ["o9", "o8"]


def test_offers_without_an_outcome_are_not_looked_at(learned: Learned) -> None:
    found = learned(offered(declined="empty", text=""), settlement("x", Horizon.S30))
    assert (found.looked_at, found.examples) == (0, [])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE pieces SET body = x'00'",
        "DELETE FROM pieces",
        "UPDATE contexts SET pieces = 'no json'",
        "UPDATE events SET kind = 'future kind'",
        "UPDATE settlements SET horizon = '1 year'",
        "UPDATE verdicts SET label = 'future label'",
        "UPDATE candidates SET logprobs = '['",
    ],
)
def test_a_row_that_makes_no_sense_costs_itself_alone(
    learned: Learned, ledger_path: Path, damage: str
) -> None:
    learned(session(), offered(), event(EventKind.ACCEPTED), settlement())
    connection = sqlite3.connect(ledger_path)
    connection.execute("PRAGMA foreign_keys = off")
    connection.execute(damage)
    connection.commit()
    connection.close()
    sound = offered("o2", prompt=Prompt("other = ", "\n"), candidates=())
    found = learned(sound, event(EventKind.ACCEPTED, offer_id="o2"))
    assert [example.offer_id for example in found.examples] == ["o2"]
    assert found.dropped == {Dropped.UNREADABLE: 1}
