"""Cursors in files: what is taken out is what serving would complete. A ``|`` marks the cursor."""

from __future__ import annotations

import random
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from learner.cursors import (
    MOST_CHARS,
    MOST_LINES,
    SHARES,
    Cursor,
    Kind,
    draw_cursors,
    first_lines,
    until_stop,
)
from learner.languages import language_of
from learner.place import place_at, split_lines, stop_for
from models.engine import Stop

STDLIB = Path(sysconfig.get_paths()["stdlib"])

SCRIPT = """\
// A shop's cart: total(items) comes first.
export class Cart {
  constructor(items) {
    this.items = items;
    this.discount = discounts.find((one) => one.name === 'all');
  }

  total() {
    let sum = 0;
    for (const item of this.items) {
      sum += item.price * item.count;
    }
    return sum;
  }
}
"""


def cursors_of(
    text: str, language: str = "python", count: int = 40, seed: int = 0, **options: Any
) -> list[Cursor]:
    return draw_cursors(split_lines(text), language, count, random.Random(seed), **options)


def marked(text: str, cursor: Cursor) -> str:
    """Spell out the text around a cursor with its target in brackets."""
    rest = cursor.remaining(split_lines(text))
    rest[cursor.line] = f"{rest[cursor.line][: cursor.column]}|{rest[cursor.line][cursor.column :]}"
    return "".join(rest)


@pytest.fixture(scope="module", params=["shlex.py", "argparse.py", "textwrap.py", "cart.js"])
def source(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A file's text and language."""
    name = request.param
    text = SCRIPT if name == "cart.js" else (STDLIB / name).read_text("utf-8")
    return text, language_of(name)


def test_what_was_taken_out_and_what_remains_are_the_file(source: tuple[str, str]) -> None:
    text, language = source
    found = cursors_of(text, language, count=200)
    assert found
    for cursor in found:
        rest = "".join(cursor.remaining(split_lines(text)))
        at = sum(len(line) for line in split_lines(text)[: cursor.line]) + cursor.column
        assert text.startswith(rest[:at] + cursor.target)
        assert text.endswith(rest[at:])
        if cursor.ends:
            assert (
                text
                == rest[:at] + cursor.target + text[at + len(cursor.target) : -len(rest[at:])] + rest[at:]
            )
            assert not text[at + len(cursor.target) : -len(rest[at:])].strip()


def test_the_engine_would_stop_where_each_target_ends(source: tuple[str, str]) -> None:
    text, language = source
    lines = split_lines(text)
    for cursor in cursors_of(text, language, count=200):
        rest = cursor.remaining(lines)
        suffix = rest[cursor.line][cursor.column :] + "".join(rest[cursor.line + 1 :])
        goes_on = cursor.target if cursor.ends else cursor.target + "\n"
        assert until_stop(goes_on, suffix, cursor.stop, cursor.indent).rstrip("\n") == cursor.target
        if cursor.ends and cursor.stop is Stop.BLOCK and cursor.kind is Kind.BLOCK:
            # What stands below would end it: the next line is indented as its opening line or less.
            after = until_stop(cursor.target + suffix, "", cursor.stop, cursor.indent)
            assert after.rstrip() == cursor.target


def test_a_completion_there_is_asked_for_as_when_serving(source: tuple[str, str]) -> None:
    text, language = source
    for cursor in cursors_of(text, language, count=200):
        if cursor.kind is not Kind.LINES:
            rest = cursor.remaining(split_lines(text))
            assert (cursor.stop, cursor.indent) == stop_for(
                place_at(rest, cursor.line, cursor.column, language)
            )


def test_each_cursor_has_a_line_of_its_own_and_a_target_that_is_worth_it(source: tuple[str, str]) -> None:
    found = cursors_of(*source, count=200)
    assert len({cursor.line for cursor in found}) == len(found)
    for cursor in found:
        assert len("".join(cursor.target.split())) >= 3
        assert len(cursor.target) <= MOST_CHARS and cursor.target.count("\n") < MOST_LINES
        assert cursor.target == cursor.target.rstrip()


def test_kinds_are_mixed_as_stated_where_a_file_has_enough_of_each() -> None:
    found = cursors_of((STDLIB / "argparse.py").read_text("utf-8"), count=200)
    counted = Counter(cursor.kind for cursor in found)
    assert counted == {kind: round(200 * share) for kind, share in SHARES.items()}


def test_the_same_seed_draws_the_same() -> None:
    text = (STDLIB / "shlex.py").read_text("utf-8")
    assert cursors_of(text, seed=1) == cursors_of(text, seed=1) != cursors_of(text, seed=2)


def only(kind: Kind) -> dict[str, Any]:
    return {"shares": {kind: 1.0}}


def test_a_block_is_taken_out_with_all_of_its_body() -> None:
    (cursor,) = cursors_of(
        SCRIPT, "javascript", count=1, seed=3, preferred={"let sum = 0;"}, **only(Kind.BLOCK)
    )
    assert marked(SCRIPT, cursor).endswith("  total() {\n    |\n  }\n}\n")
    assert cursor.target.startswith("let sum = 0;\n    for (const") and cursor.target.endswith("return sum;")
    assert (cursor.kind, cursor.stop, cursor.indent, cursor.ends) == (Kind.BLOCK, Stop.BLOCK, 2, True)


def test_a_docstring_stays_above_the_body() -> None:
    text = 'def area(width, height):\n    """Return it."""\n    return width * height\n\n\nx = 1\n'
    (cursor,) = cursors_of(text, count=1, **only(Kind.BLOCK))
    assert marked(text, cursor) == 'def area(width, height):\n    """Return it."""\n    |\n\n\nx = 1\n'


def test_of_a_long_body_the_first_lines_are_asked_for_and_no_end() -> None:
    body = "".join(f"    value_{number} = compute({number})\n" for number in range(50))
    text = f"def f():\n{body}\nx = 1\n"
    (cursor,) = cursors_of(text, count=1, preferred={"value_0 = compute(0)"}, **only(Kind.BLOCK))
    assert cursor.target.startswith("value_0 = compute(0)\n    value_1") and not cursor.ends
    assert len(cursor.target.split("\n")) <= MOST_LINES
    assert marked(text, cursor) == "def f():\n    |\n\nx = 1\n"


def test_the_closing_bracket_stays_as_editors_put_it_in() -> None:
    text = "total = sum(price * count)\n"
    found = {
        marked(text, cursor)
        for seed in range(20)
        for cursor in cursors_of(text, count=1, seed=seed, **only(Kind.BRACKETS))
    }
    assert "total = sum(|)\n" in found
    assert all(shown.endswith("|)\n") for shown in found)


def test_prose_is_not_completed() -> None:
    text = '"""A module.\n\nIt says a lot about x = 1 here.\n"""\n# And more of it.\nx = compute(1)\n'
    assert {cursor.line for cursor in cursors_of(text)} == {5}


def test_lines_that_changed_come_first() -> None:
    text = "".join(f"name_{number} = {number}\n" for number in range(100))
    changed = {"name_40 = 40", "name_70 = 70"}
    assert {cursor.line for cursor in cursors_of(text, count=2, preferred=changed)} == {40, 70}


@pytest.mark.parametrize(
    "text", ["", "\n\n\n", "x", "   \n", "é\r\n", "\ud800 = 1234\n", "x" * 100_000, "a\tb\n" * 3]
)
def test_no_text_is_too_odd(text: str) -> None:
    cursors_of(text)
    cursors_of(text, "")


def test_first_lines_keep_the_first_whatever_its_length() -> None:
    assert first_lines("x" * 1000 + "\nsecond") == "x" * 1000
    assert first_lines("a\n\nb\n") == "a\n\nb"


def test_carriage_returns_are_in_no_target() -> None:
    text = SCRIPT.replace("\n", "\r\n")
    found = cursors_of(text, "javascript", count=30)
    assert found and all("\r" not in cursor.target for cursor in found)
