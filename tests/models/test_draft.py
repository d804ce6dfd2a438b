"""Where drafts come from, in a vocabulary whose tokens are the code points of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.draft import Drafter
from models.draft_length import BatchCosts, BatchTimer
from models.engine import Request
from models.prompt import Encoded, Prompt, Sentinels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.draft import Draft

PREFIX, SUFFIX, MIDDLE, FILE = 1, 2, 3, 4


class Letters:
    """A vocabulary of code points with fill-in-the-middle tokens."""

    sentinels = Sentinels(PREFIX, SUFFIX, MIDDLE, separator=FILE)
    end = 5

    @property
    def start(self) -> list[int]:
        return []

    def tokenize(self, text: str) -> list[int]:
        return [*map(ord, text)]

    def piece(self, token: int) -> bytes:
        return chr(token).encode()


def idle(rows: int) -> None:
    """Nothing is measured here: a batch costs what the test says."""


@pytest.fixture
def timer() -> BatchTimer:
    timer = BatchTimer(idle)
    # So cheap that whatever is found is drafted.
    timer.costs = BatchCosts({1: 1.0, 16: 1.0})
    return timer


@pytest.fixture
def drafter(timer: BatchTimer) -> Drafter:
    return Drafter(Letters(), timer)


def begun(
    drafter: Drafter, before: str, after: str = "", *, recalled: str = "", most: int = 64, heal: str = ""
) -> Draft:
    """Return the draft at a cursor between ``before``, where a bar begins another file, and ``after``."""
    tokens = [FILE if letter == "|" else ord(letter) for letter in before]
    prompt = Encoded([*tokens, SUFFIX], [*map(ord, after)], MIDDLE, "psm-1", heal.encode())
    draft = drafter.draft(prompt, Request(Prompt("", ""), max_tokens=most, draft=recalled))
    assert draft is not None
    return draft


def all_of(pieces: Iterable[bytes]) -> int:
    """Nothing ends the completion."""
    return len(list(pieces))


def drafted(draft: Draft, generated: str) -> str:
    """Return what is drafted once ``generated`` came token by token."""
    found: list[int] = []
    for letter in generated:
        found = draft.after(ord(letter), all_of)
    return "".join(map(chr, found))


def test_what_followed_the_last_tokens_before_may_follow_again(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "x = one(two)\nx = "), "o") == "ne(two)\nx = o"


def test_the_longest_copy_counts_and_of_equal_ones_the_nearest(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "abcX bcY cZ "), "abc") == "X bcY cZ abc"
    assert drafted(begun(drafter, "abX abY "), "ab") == "Y ab"


def test_a_copy_may_stand_after_the_cursor(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "", "one(two)"), "on") == "e(two)"


def test_no_copy_goes_from_one_file_into_another(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "one(|two|"), "on") == "e("
    assert drafted(begun(drafter, "one|"), "one") == ""


def test_nothing_is_drafted_where_nothing_is_copied(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "abc"), "x") == ""


def test_what_is_recalled_may_follow_at_once(drafter: Drafter) -> None:
    draft = begun(drafter, "total = ", recalled="count(rows)")
    assert drafted(draft, "c") == "ount(rows)"
    assert drafted(draft, "o") == "unt(rows)"


def test_a_word_that_has_begun_is_recalled_from_its_beginning(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "total = ", recalled="unt(rows)", heal="co"), "co") == "unt(rows)"


def test_after_another_token_than_the_recalled_one_the_copy_is_found_again(drafter: Drafter) -> None:
    assert drafted(begun(drafter, "total = ", recalled="count(rows)"), "x(r") == "ows)"


def test_no_more_is_drafted_than_is_to_be_generated(drafter: Drafter) -> None:
    draft = begun(drafter, "", recalled="abcdefgh", most=5)
    assert drafted(draft, "a") == "bcd"  # the batch's last row gives the fifth
    assert drafted(draft, "bcd") == ""


def test_no_more_is_drafted_than_comes_before_the_end(drafter: Drafter) -> None:
    draft = begun(drafter, "", recalled="abcdefgh")
    assert draft.after(ord("a"), lambda pieces: 3) == [*map(ord, "bcd")]


def test_no_batch_is_larger_than_those_measured(drafter: Drafter) -> None:
    assert len(drafted(begun(drafter, "", recalled="x" * 40), "x")) == 15


def test_drafts_that_do_not_come_true_are_given_up(drafter: Drafter, timer: BatchTimer) -> None:
    timer.costs = BatchCosts({1: 1.0, 16: 6.0})
    assert drafted(begun(drafter, "", recalled="abcdefgh"), "abc")
    for _ in range(40):
        drafted(begun(drafter, "", recalled="abcdefgh"), "a1")
        drafted(begun(drafter, "", recalled="abcdefgh"), "ab2")
        drafted(begun(drafter, "", recalled="abcdefgh"), "abc3")
    assert not drafted(begun(drafter, "", recalled="abcdefgh"), "abc")


def test_without_measured_costs_there_is_no_draft() -> None:
    drafter = Drafter(Letters(), BatchTimer(idle))
    assert drafter.draft(Encoded([65], [], MIDDLE, "ltr-1"), Request(Prompt("", ""))) is None


def test_what_came_true_is_counted(drafter: Drafter) -> None:
    draft = begun(drafter, "", recalled="abcd")
    draft.after(ord("a"), all_of)
    draft.accept(ord("b"))
    assert (draft.evaluated, draft.accepted) == (3, 1)
    assert [*map(chr, draft.after(ord("c"), all_of))] == ["d"]


def test_left_to_right_the_trigger_is_part_of_the_text(drafter: Drafter) -> None:
    prompt = Encoded([*map(ord, "xy=1;x")], [], ord("y"), "ltr-1")
    draft = drafter.draft(prompt, Request(Prompt("", "")))
    assert draft is not None
    assert drafted(draft, "=").startswith("1;xy")
