"""Where a completion ends, whatever pieces its text arrives in."""

from __future__ import annotations

import pytest

from models.decode import Stopper
from models.engine import Request, Stop
from models.prompt import Prompt


def generate(text: str, stop: Stop = Stop.LINE, *, indent: int = 0, suffix: str = "") -> tuple[str, str]:
    """Feed ``text`` byte by byte, as the worst tokenizer would."""
    stopper = Stopper(Request(Prompt("", suffix), stop=stop, indent=indent))
    for byte in text.encode():
        if stopper.feed(bytes([byte])):
            break
    return stopper.text, stopper.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return x\n    y", ("return x", "newline")),
        ("\n    return x\n    y", ("\n    return x", "newline")),
        ("\n\n\treturn x\n", ("\n\n\treturn x", "newline")),
        ("return x", ("return x", "")),
        ("   \n  a\n", ("   \n  a", "newline")),
    ],
)
def test_a_line_ends_after_the_first_line_with_something_on_it(text: str, expected: tuple[str, str]) -> None:
    assert generate(text) == expected


@pytest.mark.parametrize(
    ("text", "indent", "expected"),
    [
        ("\n    a\n    b\nc", 0, ("\n    a\n    b", "dedent")),
        ("\n        a\n\n        b\n\n\n    c", 4, ("\n        a\n\n        b", "dedent")),
        ("a\n    b\n", 0, ("a\n    b\n", "")),
        ("\n\ta\n}", 0, ("\n\ta", "dedent")),
        ("\n\t\ta\n\tb", 8, ("\n\t\ta", "dedent")),
    ],
)
def test_a_block_ends_before_a_line_that_leaves_it(text: str, indent: int, expected: tuple[str, str]) -> None:
    assert generate(text, Stop.BLOCK, indent=indent) == expected


def test_a_completion_ends_before_it_repeats_the_suffix() -> None:
    suffix = "\n\n    return total\n"
    assert generate("\n    total += 1\n    return total\n", Stop.BLOCK, suffix=suffix) == (
        "\n    total += 1",
        "suffix",
    )
    assert generate("\n    return total\n", suffix=suffix) == ("", "suffix")


def test_the_first_line_may_equal_the_suffix_line() -> None:
    assert generate(")\n", suffix=")\n") == (")", "newline")


def test_characters_of_several_bytes_arrive_whole() -> None:
    assert generate("naïve = '🌙'\n") == ("naïve = '🌙'", "newline")
