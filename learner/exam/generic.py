"""The generic set: code that no night trains on, against forgetting how to write any other.

Its snippets, in seventeen languages, were written for this purpose (same licence as the program) and ship
with it, so that the figure means the same on every machine. A test notices when a question changes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from learner.examples import Example, Source
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

SNIPPETS = Path(__file__).parent.parent / "generic"
PER_SNIPPET = 4
LEAST, MOST = 4, 48
"""Code points that a question asks for: the rest of a line."""
_TITLE = re.compile(r"^=== (.+)\n", re.MULTILINE)
_PLACE = re.compile(r"\b(?=\w)|(?<=[(\[{.,=] )|(?<=[(\[{.])")
"""Where people pause and ghost text comes: before words, and after what opens something."""


def generic_questions() -> list[Example]:
    """Return the questions: the rest of a line, in each snippet at :data:`PER_SNIPPET` places far apart."""
    return [question for path, text in snippets() for question in _questions(path, text)]


def snippets() -> Iterator[tuple[str, str]]:
    """Yield each snippet's path and text."""
    for file in sorted(SNIPPETS.glob("*.txt")):
        _, *parts = _TITLE.split(file.read_text("utf-8"))
        yield from zip(parts[::2], parts[1::2], strict=True)


def _questions(path: str, text: str) -> Iterator[Example]:
    cursors = list(_cursors(text))
    for part in range(PER_SNIPPET):
        at, end = cursors[(2 * part + 1) * len(cursors) // (2 * PER_SNIPPET)]
        yield Example(
            Prompt(text[:at], text[end:], path), text[at:end], 1.0, Source.REPLAY, f"generic:{path}", 0.0
        )


def _cursors(text: str) -> Iterator[tuple[int, int]]:
    """Yield a cursor in each line that has one, by turns far left, amid and far right, and the line's end."""
    start = 0
    for number, line in enumerate(text.split("\n")):
        places = [
            place.start()
            for place in _PLACE.finditer(line)
            if LEAST <= len(line) - place.start() <= MOST and number > 0
        ]
        if places:
            yield start + places[number % 3 * (len(places) - 1) // 2], start + len(line)
        start += len(line) + 1
