"""What was typed between two texts: nothing newer than the cursor is seen, nothing old is typed again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.replay.typed import truth, typed_lines, view

OLD = ["def f(a):\n", "    return a\n", "\n", "def g(b):\n", "    return b\n"]


def only(before: list[str], after: list[str]) -> tuple[int, int, int]:
    (typed,) = typed_lines(before, after)
    return typed.row, typed.first, typed.last


def test_a_new_line_is_typed_from_its_indentation_on() -> None:
    after = [*OLD[:1], "    check(a)\n", *OLD[1:]]

    assert only(OLD, after) == (1, 4, 12)


def test_of_a_changed_line_only_the_new_part_is_typed() -> None:
    after = [OLD[0], "    return a + 1\n", *OLD[2:]]
    before = ["    total = compute(first, last)\n"]
    changed = ["    total = compute(first, middle, last)\n"]

    assert only(OLD, after) == (1, 12, 16)
    row, first, last = only(before, changed)
    assert changed[row][first:last] == "middle, "


def test_a_line_that_only_moved_in_is_not_typed() -> None:
    assert typed_lines(["    a = 1\n"], ["        a = 1\n"]) == []


def test_changed_lines_below_the_cursor_keep_their_old_text() -> None:
    before = ["one_old = 1\n", "two_old = 2\n", "three = 3\n"]
    after = ["first_new_name = 'a'\n", "second_new_name = 'b'\n", "three = 3\n"]
    first, second = typed_lines(before, after)

    assert view(before, after, first, 5).lines == ("first\n", "two_old = 2\n", "three = 3\n")
    assert view(before, after, second, 0).lines == ("first_new_name = 'a'\n", "\n", "three = 3\n")


def test_the_truth_goes_on_into_the_lines_typed_below() -> None:
    after = [*OLD, "\n", "def h(c):\n", "    d = c\n", "    return d\n"]
    opening = next(line for line in typed_lines(OLD, after) if line.row == 6)

    assert truth(after, opening, 4) == "h(c):\n    d = c\n    return d"


def test_the_truth_ends_where_the_line_goes_on_as_it_was() -> None:
    before, after = ["f(first, last)\n", "x\n"], ["f(first, middle, last)\n", "y_is_new\n"]
    typed = typed_lines(before, after)[0]

    assert truth(after, typed, typed.first) == "middle, "


def test_a_last_line_without_an_ending_gets_one_while_others_stand_below() -> None:
    before, after = ["a = 1\n", "b = 2"], ["a = 1\n", "c_is_new = 3\n", "b = 2"]
    (typed,) = typed_lines(before, after)

    assert "".join(view(before, after, typed, 4).lines) == "a = 1\nc_is\nb = 2"


LINES = st.lists(st.sampled_from(["a\n", "bb = 1\n", "  ccc(d)\n", "\n", "eee = fff\n", "x"]), max_size=8)


@given(LINES, LINES, st.data())
def test_a_view_is_new_text_above_and_old_text_below(
    before: list[str], after: list[str], data: st.DataObject
) -> None:
    """Whatever was typed: nothing right of the cursor or below it is newer than what stood there before."""
    for typed in typed_lines(before, after):
        column = data.draw(st.integers(typed.first, typed.last))
        seen = view(before, after, typed, column)

        assert seen.lines[: seen.line] == tuple(after[: typed.row])
        below = seen.lines[seen.line + 1 :]
        assert below == tuple(before[len(before) - len(below) :])
        rest = seen.lines[seen.line][column:].rstrip("\n")
        assert rest == "" or any(line.rstrip("\n").endswith(rest) for line in before)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_are_kept(ending: str) -> None:
    before, after = [f"a = 1{ending}"], [f"a = 1{ending}", f"b_is_new = 2{ending}"]
    (typed,) = typed_lines(before, after)

    assert view(before, after, typed, 3).lines[-1] == f"b_i{ending}"
