"""Would it have been accepted? One definition for the prior's rows, hidden offers and replays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.gate.shadow import would_accept


@pytest.mark.parametrize(
    ("offered", "written", "expected"),
    [
        ("add(1, 2)", "add(1, 2)", True),
        ("add(1, 2)", "add(1, 2)\nreturn", True),
        ("add(1, 2)", "add(2, 1)", False),
        ("configuration.load()", "configuration.save()", True),  # the first eight characters are right
        (")", ") + 1", True),
        ("x", "xylophone", False),
        ("configuration", "configurations", True),
        ("\n    return x\n    pass", "\n    return x\nelse", True),
        ("a = 1\nb = 2", "a = 1\nc = 3", True),
        ("add(1, 2)", "", False),
        ("", "anything", False),
    ],
)
def test_an_offer_is_right_by_its_first_line_or_its_first_eight_characters(
    offered: str, written: str, expected: bool
):
    assert would_accept(offered, written) is expected


def test_where_the_writing_breaks_off_nobody_knows_yet():
    assert would_accept("add(1, 2)", "add(", ends=False) is None
    assert would_accept("add(1, 2)", "", ends=False) is None
    assert would_accept("add(1, 2)", "app", ends=False) is False


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_what_was_typed_in_full_was_right_whatever_follows_on_the_next_line(offered: str, rest: str):
    assert would_accept(offered, offered + "\n" + rest) is True


@given(st.text(), st.text(), st.integers(0, 50))
def test_a_verdict_stands_however_much_more_is_written(offered: str, written: str, cut: int):
    """What is refused early is refused in the end; acceptance may need the character behind the offer."""
    if would_accept(offered, written[:cut], ends=False) is False:
        assert would_accept(offered, written) is False
