"""Where to ask: keystrokes replayed in real files, and single cursors; everything drawn with a seed."""

from __future__ import annotations

import random
import re
import sysconfig
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE_START, MID_LINE, MID_WORD = KINDS = ("line start", "mid-line", "mid-word")
LEAST_TARGET = 3
"""A cursor's target has at least this many characters that are not blank."""
PASSED_OVER = re.compile(
    r"(^|/)(tests?|testing|_vendor|vendor|vendored|migrations|node_modules)(/|$)|_pb2|_version\.py"
)
OWN = {"lsp_server", "learner", "models", "pip", "setuptools", "pkg_resources"}


@dataclass(frozen=True)
class Cursor:
    """A place in a file as it stands; the target is the rest of the line."""

    file: str
    line: int
    column: int
    target: str
    kind: str


@dataclass(frozen=True)
class Key:
    """One key and where it leaves the cursor; ``target`` is what the file has there, up to the line's end."""

    text: str
    """What the key inserts: a character, or a newline with the indentation that an editor adds."""
    line: int
    column: int
    target: str
    kind: str


@dataclass(frozen=True)
class Typing:
    """A file out of whose middle whole ends of lines were taken, and the keys that type them again."""

    file: str
    """Relative to the folder it was taken from."""
    source: str
    line: int
    column: int
    keys: tuple[Key, ...]


def installed_files(count: int, seed: int) -> list[tuple[str, str]]:
    """Return ``(name, text)`` of modules of installed packages, from as many packages as there are."""
    root = Path(sysconfig.get_paths()["purelib"])
    by_package: dict[str, list[Path]] = {}
    for path in sorted(root.glob("*/**/*.py")):
        package = path.relative_to(root).parts[0]
        if package not in OWN and not PASSED_OVER.search(path.relative_to(root).as_posix()):
            by_package.setdefault(package, []).append(path)
    draw = random.Random(seed)
    packages = sorted(by_package)
    draw.shuffle(packages)
    found: list[tuple[str, str]] = []
    while packages and len(found) < count:
        package = packages.pop(0)
        paths = by_package[package]
        draw.shuffle(paths)
        text = next((text for text in map(readable, paths) if text), None)
        if text is not None:
            name = next(path for path in paths if readable(path) == text)
            found.append((name.relative_to(root).as_posix(), text))
    return found


def readable(path: Path, lines: tuple[int, int] = (150, 3000)) -> str | None:
    """Return the text of a file of a usual size, in which code is neither generated nor data; else None."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    rows = text.split("\n")
    usual = lines[0] <= len(rows) <= lines[1] and max(map(len, rows)) <= 300 and "\r" not in text
    return text if usual and text.isascii() else None


def typings(files: Sequence[tuple[str, str]], keys: int, seed: int) -> list[Typing]:
    """Return one typing of at least ``keys`` keys per file; the places' kinds take turns."""
    draw = random.Random(seed)
    return [
        _typing(name, text, keys, KINDS[number % len(KINDS)], draw)
        for number, (name, text) in enumerate(files)
    ]


def cursors(
    files: Sequence[tuple[str, str]], count: int, seed: int, kinds: Sequence[str] = (LINE_START, MID_LINE)
) -> list[Cursor]:
    """Return ``count`` cursors of these kinds (by turns), spread evenly over the files.

    They come file by file from top to bottom, so that an engine may keep what it has evaluated.
    """
    draw = random.Random(seed)
    each = [count // len(files) + (number < count % len(files)) for number in range(len(files))]
    found: list[Cursor] = []
    for (name, text), wanted in zip(files, each, strict=True):
        rows = text.split("\n")
        places = [n for n in range(len(rows) // 10, len(rows)) if _is_code(rows[n])]
        chosen = sorted(draw.sample(places, min(wanted, len(places))))
        for number, line in enumerate(chosen):
            column = _column(rows[line], kinds[number % len(kinds)], draw)
            found.append(Cursor(name, line, column, rows[line][column:], kind_of(rows[line], column)))
    return found


def kind_of(line: str, column: int) -> str:
    """Name the place: nothing but indentation before it, a word's inside or end, or anything else."""
    if not line[:column].strip():
        return LINE_START
    return MID_WORD if _is_word(line[column - 1]) else MID_LINE


def _typing(name: str, text: str, keys: int, kind: str, draw: random.Random) -> Typing:
    rows = text.split("\n")
    middle = range(len(rows) // 4, 3 * len(rows) // 4)
    line = draw.choice([n for n in middle if _is_code(rows[n]) and len(rows[n].strip()) >= 12])
    column = _column(rows[line], kind, draw)
    last, typed = line, len(rows[line]) - column
    while typed < keys:
        last += 1
        typed += 1 + len(rows[last].lstrip())
    left = [*rows[:line], rows[line][:column], *rows[last + 1 :]]
    return Typing(name, "\n".join(left), line, column, tuple(islice(_keys(rows, line, column, last), keys)))


def _keys(rows: Sequence[str], line: int, column: int, last: int) -> Iterator[Key]:
    while True:
        for at in range(column, len(rows[line])):
            yield _key(rows[line][at], rows, line, at + 1)
        if line == last:
            return
        line += 1
        column = len(rows[line]) - len(rows[line].lstrip())
        yield _key("\n" + rows[line][:column], rows, line, column)


def _key(text: str, rows: Sequence[str], line: int, column: int) -> Key:
    return Key(text, line, column, rows[line][column:], kind_of(rows[line], column))


def _column(row: str, kind: str, draw: random.Random) -> int:
    """Return a column of the kind in ``row`` which leaves a target; the line's start where there is none."""
    start = len(row) - len(row.lstrip())
    inside = range(start + 1, len(row.rstrip()) - LEAST_TARGET + 1)
    places = {
        LINE_START: [start],
        MID_LINE: [at for at in inside if not _is_word(row[at - 1])],
        MID_WORD: [at for at in inside if _is_word(row[at - 1]) and _is_word(row[at])],
    }[kind]
    return draw.choice(places or [start])


def _is_code(row: str) -> bool:
    stripped = row.strip()
    return len(stripped.replace(" ", "")) >= LEAST_TARGET and not stripped.startswith("#")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
