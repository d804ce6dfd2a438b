"""Places: what may be completed at a cursor. A ``|`` marks the cursor."""

from __future__ import annotations

import pytest

from learner.place import ABOVE, BELOW, WIDTH, Place, in_comment, place_at, stop_for
from models.engine import Stop


def place(text: str, language: str = "python") -> Place:
    head, tail = text.split("|")
    lines = (head + tail).splitlines(keepends=True) or [""]
    return place_at(lines, head.count("\n"), len(head) - head.rfind("\n") - 1, language)


@pytest.mark.parametrize(
    ("text", "language", "indent"),
    [
        ("def f():\n    |", "python", 0),
        ("class A:\n    def f(self):\n        |\n\n    def g(self):\n        pass", "python", 4),
        ("class A:\n    def f(\n        self,\n        b: int,\n    ) -> int:\n        |", "python", 4),
        ("def f(a,\n      b):\n    |\n", "python", 0),
        ("if x:  # why: not\n    |\n", "python", 0),
        ('def f():\n    """Do it."""\n    |\n', "python", 0),
        ('def f():\n    """Do it.\n\n    Well.\n    """\n    # Now:\n    |\n', "python", 0),
        ("def f():\n\t|\n", "python", 0),
        ("function f() {\n  |\n}\n", "javascript", 0),
        ("  if (a) {\n    |\n  }\n", "typescript", 2),
        ("fn f<'a>(x: &'a str) -> char {\n    |\n}\n", "rust", 0),
        ("if [ -f x ]; then\n  |\nfi\n", "shellscript", 0),
    ],
)
def test_a_block_is_completed_below_the_line_that_opens_it(text: str, language: str, indent: int) -> None:
    assert stop_for(place(text, language)) == (Stop.BLOCK, indent)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("def f():|", "python"),
        ("def f():\n    x|", "python"),
        ("def f():\n    |x", "python"),
        ("def f():\n|", "python"),
        ("def f():\n    |\n    return 1", "python"),
        ("def f():\n    |\n\n\n    return 1", "python"),
        ("def f():\n    x = 1\n    |", "python"),
        ("x = {\n    |\n}", "python"),
        ("x = 'a:'\n    |", "python"),
        ("# note:\n    |", "python"),
        ('def f():\n    """Do it:\n    |', "python"),
        ("function f() {\n  |\n  return 1\n}\n", "javascript"),
        ("x = 1;\n  |\n", "javascript"),
        ("Title:\n  |\n", "markdown"),
        ("|", "python"),
    ],
)
def test_elsewhere_one_line_is_completed(text: str, language: str) -> None:
    assert stop_for(place(text, language)) == (Stop.LINE, 0)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("x = 1  # wh|", "python"),
        ("#|", "python"),
        ('def f():\n    """Do i|', "python"),
        ('def f():\n    r"""Do\n\n    mo|re"""\n', "python"),
        ("// wh|", "javascript"),
        ("/* a\n * b|\n */", "c"),
        ("<!-- a|", "html"),
        ("-- a|", "lua"),
        ("--[[ a\n b|", "lua"),
        ("echo a # b|", "shellscript"),
    ],
)
def test_a_cursor_in_a_comment_or_docstring_is_recognised(text: str, language: str) -> None:
    assert in_comment(place(text, language))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("x = '# no|", "python"),
        ('x = """no|', "python"),
        ("# a\nx|", "python"),
        ('"""Doc."""\nx|', "python"),
        ("x = 'it\\'s' |", "python"),
        ("const a = `//|", "javascript"),
        ("/* a */ b|", "c"),
        ("let c = '\"'; // a\nb|", "rust"),
        ("echo $#|", "shellscript"),
        ("x = 'broken\ny|", "python"),
    ],
)
def test_a_cursor_in_code_or_in_an_ordinary_string_is_no_comment(text: str, language: str) -> None:
    assert not in_comment(place(text, language))


def test_a_window_that_begins_within_a_docstring_begins_at_the_next_line_at_the_margin() -> None:
    inner = "    words in a docstring\n" * (ABOVE - 60)
    code = "def g():\n" + "    x = 1\n" * 70
    found = place('def f():\n    """Do.\n' + inner + '    """\n' + code + "    |")
    assert not in_comment(found)
    assert found.above[0] == "def g():"


def test_a_place_is_bounded_whatever_the_file() -> None:
    lines = ["x" * 100_000 + "\n", *["y" * 100_000 + "\n"] * 500]
    found = place_at(lines, 300, 50_000, "python")
    assert len(found.before) == len(found.after) == WIDTH
    assert len(found.above) == ABOVE and len(found.below) == BELOW
    assert max(map(len, [*found.above, *found.below])) <= WIDTH


def test_lines_have_no_endings() -> None:
    found = place_at(["a\r\n", "b\r\n", "c\r\n", ""], 1, 1, "python")
    assert found == Place("b", "", ["a"], ["c", ""], "python")
