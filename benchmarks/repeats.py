"""Places where a block of several lines is written that stands in the project already, and ordinary ones.

A repeat is the body of a statement whose first :data:`ALIKE` lines, apart from their indentation, are those
of a body further up in the same file or in a file before it (by name); what follows them may differ. The body
is taken out of the file as if it were to be typed now, and the cursor stands where it began: there the
product completes a block. Of each file at most :data:`PER_FILE` are drawn, with a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cursors import PASSED_OVER, cursors, readable

from learner.place import indent_of, place_at, split_lines, stop_for
from models.engine import Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

IN_THE_PROMPT, RECALLED, ORDINARY = KINDS = ("in the prompt", "recalled", "ordinary")
ALIKE = 4
LEAST = 60
"""Visible characters of the lines that are alike."""
LONGEST = 900
"""Code points of a body; memory keeps no longer ones."""
SHOWN = 100
"""Lines above the cursor that a prompt is sure to show if they are not long."""
PER_FILE = 2


@dataclass(frozen=True)
class Spot:
    """A cursor in a file without what is to be typed there."""

    file: str
    lines: tuple[str, ...]
    """With their endings, as the file is while the cursor is there."""
    line: int
    column: int
    target: str


@dataclass(frozen=True)
class Site:
    kind: str
    spot: Spot
    first: Spot | None = None
    """Where the same was typed before, for a repeat."""


def sites(folder: Path, each: int, seed: int) -> list[Site]:
    """Return at most ``each`` sites of each kind in a project, file by file from top to bottom."""
    texts = dict(_texts(folder))
    repeats = list(_repeats(texts))
    random.Random(seed).shuffle(repeats)
    found = [
        site
        for kind in (IN_THE_PROMPT, RECALLED)
        for site in islice(_spread(site for site in repeats if site.kind == kind), each)
    ]
    names = sorted(texts)
    random.Random(seed).shuffle(names)
    chosen = [(name, texts[name]) for name in names[:each]]
    found += [
        Site(ORDINARY, _spot(each.file, texts[each.file].split("\n"), each.line, each.line + 1, each.column))
        for each in cursors(chosen, each, seed)
    ]
    return sorted(found, key=lambda site: (site.spot.file, site.spot.line, site.kind))


def bodies(name: str, text: str) -> Iterator[Spot]:
    """Return the places of a file at which a block of at least :data:`ALIKE` lines can be completed."""
    rows = text.split("\n")
    for number in range(1, len(rows)):
        if not rows[number - 1].rstrip().endswith(":"):
            continue
        end = _end(rows, number)
        body = rows[number:end]
        if len(body) < ALIKE or sum(map(len, body)) > LONGEST or not body[0].strip():
            continue
        spot = _spot(name, rows, number, end, len(body[0]) - len(body[0].lstrip()))
        if stop_for(place_at(spot.lines, spot.line, spot.column, "python"))[0] is Stop.BLOCK:
            yield spot


def _repeats(texts: dict[str, str]) -> Iterator[Site]:
    seen: dict[tuple[str, ...], Spot] = {}
    for name in sorted(texts):
        for spot in bodies(name, texts[name]):
            rows = (" " * spot.column + spot.target).split("\n")[:ALIKE]
            alike = tuple(row.removeprefix(" " * spot.column) for row in rows)
            first = seen.setdefault(alike, spot)
            if first is spot or sum(len(row.strip()) for row in alike) < LEAST:
                continue
            seen[alike] = spot
            is_shown = first.file == name and spot.line - first.line < SHOWN and first.column == spot.column
            yield Site(IN_THE_PROMPT if is_shown else RECALLED, spot, first)


def _spread(found: Iterable[Site]) -> Iterator[Site]:
    taken: dict[str, int] = {}
    for site in found:
        taken[site.spot.file] = taken.get(site.spot.file, 0) + 1
        if taken[site.spot.file] <= PER_FILE:
            yield site


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if not PASSED_OVER.search(name) and (text := readable(path)) is not None:
            yield name, text


def _end(rows: Sequence[str], start: int) -> int:
    """Return the row after the body that begins at ``start``."""
    margin = indent_of(rows[start - 1])
    end = last = start
    while end < len(rows) and (not rows[end].strip() or indent_of(rows[end]) > margin):
        end += 1
        if rows[end - 1].strip():
            last = end
    return last


def _spot(name: str, rows: Sequence[str], line: int, end: int, column: int) -> Spot:
    target = "\n".join([rows[line][column:], *rows[line + 1 : end]])
    left = [*rows[:line], rows[line][:column], *rows[end:]]
    return Spot(name, tuple(split_lines("\n".join(left))), line, column, target)
