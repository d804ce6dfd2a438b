"""Trim: what is offered of a model's text, and why sometimes nothing is. A ``|`` marks the cursor."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from learner.declined import Declined
from learner.place import Place
from learner.trim import trim


def place(text: str, language: str = "python") -> Place:
    head, tail = text.split("|")
    above, below = head.split("\n"), tail.split("\n")
    return Place(above[-1], below[0], above[:-1], below[1:], language)


@pytest.mark.parametrize(
    ("text", "candidate", "offered"),
    [
        # One line, and the body of a block up to its dedent.
        ("x = |\n", "1\ny = 2", "1"),
        ("x = |\n", "1   \n", "1"),
        ("x = |\r", "1\r\ny", "1"),
        ("def f():\n    |\n", "x = 1\n    return x\n\n\ndef g():\n    pass", "x = 1\n    return x"),
        ("class A:\n    def f(self):\n        |", "if a:\n            b\n    c", "if a:\n            b"),
        ("def f():\n\t|\n", "x\n\ty\n        z", "x\n\ty"),
        # Brackets and quotes that stand right of the cursor already.
        ("foo(|)", "x)", "x"),
        ("foo(|)", "bar(x)", "bar(x)"),
        ("foo(|)", "bar(x))", "bar(x)"),
        ("foo(bar(|)", "x)", "x)"),
        ("foo(bar(|)", "x))", "x)"),
        ("foo(bar(|", "x))", "x))"),
        ('print("|")', 'hello")', "hello"),
        ('print("|', 'hello")', 'hello")'),
        ("x = a[|]", "i]", "i"),
        ("x = {'a': |}", "{'b': 1}}", "{'b': 1}"),
        ("foo(\n    a,|\n)", " b)", " b"),
        ("foo([|", "x)", "x"),
        ("f(|)", "a, g(b", "a, g"),
        ("x = |\n", "foo(", "foo("),
        ("x = |\n", '"""Text', '"""Text'),
        ('x = f"{|}"', 'a}"', "a"),
        # What follows on the line.
        ("x = |, c", "b, c", "b"),
        ("foo(a|, b=1)", ".x, b=1)", ".x"),
        ("bar(|);", "foo(x);", "foo(x)"),
        ("bar(|);", "x);", "x"),
        ("if |:", "x > 1:", "x > 1"),
        ("return |if x else y", "a if x else y", "a "),
        ("x = |b", "a + b", "a + "),
        # Lines that repeat.
        ("def f():\n    |\n", "a = bbb\n    a = bbb\n    a = bbb", "a = bbb"),
        (
            "def f():\n    |\n",
            "a(1, 2)\n    b(1, 2)\n    a(1, 2)\n    b(1, 2)",
            "a(1, 2)\n    b(1, 2)\n    a(1, 2)",
        ),
    ],
)
def test_the_offer_is_what_the_place_lacks(text: str, candidate: str, offered: str) -> None:
    assert trim(candidate, place(text)) == offered


@pytest.mark.parametrize(
    ("text", "candidate", "reason"),
    [
        ("x = |", "", Declined.EMPTY),
        ("x = |", "\ny = 1", Declined.EMPTY),
        ("x = |", "  \n", Declined.WHITESPACE),
        ("foo(|)", ")", Declined.UNBALANCED),
        ("x = |\n", "'it", Declined.UNBALANCED),
        ("x = |", ")", Declined.UNBALANCED),
        ("foo(|, b)", ", b)", Declined.REPEATS_SUFFIX),
        ("foo(|bar)", "bar", Declined.REPEATS_SUFFIX),
        ("|\nreturn x\n", "return x", Declined.REPEATS_SUFFIX),
        ("x = |\nx = foo()\n", "foo()", Declined.REPEATS_SUFFIX),
        ("a = foo(1)\n|\n", "a = foo(1)", Declined.REPEATS_PREFIX),
        ("a(11)\nb(22)\na(11)\n|\n", "b(22)", Declined.REPEATS_PREFIX),
        ("import numpy|", "import numpy as np", Declined.ALREADY_TYPED),
    ],
)
def test_each_silence_has_its_reason(text: str, candidate: str, reason: Declined) -> None:
    assert trim(candidate, place(text)) is reason


def test_a_brace_that_closes_the_block_below_is_not_offered_again() -> None:
    assert trim("return 1;\n}", place("function f() {\n  |\n}\n", "javascript")) == "return 1;"
    assert trim("})", place("it('a', () => {\n  a();\n|\n});\n", "javascript")) is Declined.UNBALANCED


def test_a_missing_brace_is_offered() -> None:
    assert trim("})", place("it('a', () => {\n  a();\n|\n", "javascript")) == "})"


def test_short_closing_words_may_repeat() -> None:
    assert trim("end", place("if a\n  if b\n    x()\n  end\n|\n", "ruby")) == "end"


def test_an_apostrophe_is_no_quote_in_prose_and_in_rust_lifetimes() -> None:
    assert trim("it's", place("Well, |", "markdown")) == "it's"
    assert trim("&'a str,", place("x: |\n", "rust")) == "&'a str,"


def test_brackets_in_strings_and_comments_do_not_count() -> None:
    assert trim('")"', place("x = |\n")) == '")"'
    assert trim("y  # see :)", place("x = |\n")) == "y  # see :)"


def test_a_text_that_was_stopped_by_length_ends_before_its_last_word() -> None:
    assert trim("foo(configurat", place("x = |\n"), truncated=True) == "foo("
    assert trim("configurat", place("x = |\n"), truncated=True) is Declined.EMPTY
    body = "a = 1\n    return config"
    assert trim(body, place("def f():\n    |\n"), truncated=True) == "a = 1"


code = st.text(st.sampled_from(list("ab ()[]{}\"'`,:;.=#\n\t/*é")), max_size=30)
line = st.text(st.sampled_from(list("ab ()[]{}\"'`,:;.=#\t/*é")), max_size=20)
places = st.builds(
    Place,
    before=line,
    after=line,
    above=st.lists(line | st.sampled_from(["def f():", "  x {"]), max_size=4),
    below=st.lists(line, max_size=4),
    language=st.sampled_from(["python", "javascript", "rust", "lua", "markdown", "shellscript"]),
)


@given(code, places, st.booleans())
def test_an_offer_is_the_visible_beginning_of_the_candidate(text: str, where: Place, truncated: bool) -> None:
    offered = trim(text, where, truncated=truncated)
    if not isinstance(offered, Declined):
        assert text.startswith(offered)
        assert offered.strip()


@given(code, places)
@example("a)a)", Place("(", ")a)", [], [], "python"))
def test_trimming_again_changes_nothing(text: str, where: Place) -> None:
    offered = trim(text, where)
    if not isinstance(offered, Declined):
        assert trim(offered, where) == offered


@given(code, places, line)
def test_accepting_never_doubles_the_rest_of_the_line(text: str, where: Place, rest: str) -> None:
    where = Place(where.before, "b" + rest + "a", where.above, where.below, where.language)
    for candidate in (text, text + where.after):
        offered = trim(candidate, where)
        assert isinstance(offered, Declined) or not offered.rstrip().endswith(where.after)


@given(code, places)
def test_within_a_line_accepting_leaves_no_bracket_open_that_was_not(text: str, where: Place) -> None:
    where = Place("f(", ")", [], [], "python")
    offered = trim(text, where)
    if not isinstance(offered, Declined) and not set(offered) & set("#\"'`"):
        assert all(offered.count(a) == offered.count(b) for a, b in ("()", "[]", "{}"))
