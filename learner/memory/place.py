"""A place as memory and gate see it: what stands around the cursor, and which words tell where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from learner.languages import opens_block, syntax_of
from learner.place import indent_of, split_lines
from learner.retrieval.identifiers import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.prompt import Prompt

NEAR = 10
"""Lines above the cursor that tell what the place is about."""
FAR = 200
"""Lines above the cursor among which the enclosing definition is looked for."""
WORDS = 24
WIDTH = 400
"""Of a longer line only the part next to the cursor, or its start, counts."""
_CONTROL = re.compile(
    r"\W*(?:if|elif|else|for|foreach|while|do|try|except|catch|finally|with|switch|case|match|default|loop|"
    r"unless|until|begin|rescue|ensure|select|return|await)\b"
)


@dataclass(frozen=True)
class MemoryPlace:
    """A place in a text; lines are without their endings."""

    uri: str
    project: str
    """The workspace folder's path, or empty."""
    language: str
    before: str
    """The cursor's line, left of the cursor."""
    after: str
    """The cursor's line, right of the cursor."""
    above: tuple[str, ...]
    """The lines above, nearest last; at most :data:`NEAR`."""
    definition: str
    """The line that opens the definition around the cursor, stripped; empty at the top level."""
    words: tuple[str, ...]
    """Parts of the identifiers near the cursor, the nearest first, in lower case, each once."""

    @property
    def begun(self) -> str:
        """What stands on the line already, without its indentation."""
        return self.before.lstrip()

    @property
    def indent(self) -> str:
        return self.before[: len(self.before) - len(self.begun)]

    @cached_property
    def previous(self) -> str:
        """The nearest line above with something on it, stripped."""
        return next((line.strip() for line in reversed(self.above) if line.strip()), "")

    @property
    def spot(self) -> str:
        """What a place is known by when its line's number changes: its file and the line above it."""
        return f"{self.uri}\n{self.previous}"


def place_of(
    lines: Sequence[str], line: int, column: int, *, uri: str, project: str, language: str
) -> MemoryPlace:
    """Return the place before ``column`` (code points) of ``line``; ``lines`` may have their endings."""
    here = lines[line].rstrip("\r\n") if line < len(lines) else ""
    before = storable(here[max(0, column - WIDTH) : column])
    after = storable(here[column : column + WIDTH])
    above = tuple(storable(each[:WIDTH].rstrip("\r\n")) for each in lines[max(0, line - NEAR) : line])
    definition = _definition(lines, line, indent_of(before) if before else None, language)
    return MemoryPlace(
        uri=storable(uri),
        project=storable(project),
        language=storable(language),
        before=before,
        after=after,
        above=above,
        definition=definition,
        words=telling(before, definition, above),
    )


def place_in_prompt(prompt: Prompt, *, uri: str, project: str, language: str) -> MemoryPlace:
    """Return the place around the cursor of ``prompt``, as far as that shows it."""
    above = split_lines(prompt.prefix)
    here = above[-1] + prompt.suffix.partition("\n")[0]
    return place_of(
        [*above[:-1], here], len(above) - 1, len(above[-1]), uri=uri, project=project, language=language
    )


def storable(text: str) -> str:
    """Return the text as SQLite takes it: without halves of surrogate pairs."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def telling(before: str, definition: str, above: Sequence[str]) -> tuple[str, ...]:
    """Return the words near a cursor: of its line, then of the definition, then of the lines upwards."""
    found = list(reversed(words(before)))
    found += words(definition)
    for line in reversed(above):
        found += words(line)
    return tuple(dict.fromkeys(found))[:WORDS]


def _definition(lines: Sequence[str], line: int, margin: int | None, language: str) -> str:
    """Return the nearest line above that opens a block around the margin and is no control statement."""
    syntax = syntax_of(language)
    for row in range(min(line, len(lines)) - 1, max(-1, line - FAR), -1):
        text = lines[row][:WIDTH].rstrip()
        if not text:
            continue
        indent = indent_of(text)
        if margin is not None and indent >= margin:
            continue
        if margin is None and not opens_block(text, syntax):
            # On an empty line nobody knows how far it will be indented: as the line above is.
            margin = indent
            continue
        margin = indent
        if opens_block(text, syntax) and not _CONTROL.match(text):
            return storable(text.strip()[:120])
        if not indent:
            break
    return ""
