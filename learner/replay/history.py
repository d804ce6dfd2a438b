"""What a history is to the replay: the project as it stood at the start, then one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from learner.retrieval.identifiers import similarity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES = 500_000
"""Of a file; a larger one is data, and is not in the replayed project at all."""
RENAMED = 0.5
"""Share of common lines from which a new file is an old one under another name."""
MOST_COMPARED = 40
"""New and deleted files of one step that are compared with each other; more are a reorganisation."""

Files = Mapping[str, str]
"""Texts by their path: relative to the project, with forward slashes."""


class HistoryError(Exception):
    """A history cannot be replayed; the message names the thing, the value and the remedy."""


class NothingToReplayError(HistoryError):
    """The history has nothing in it that somebody typed."""


@dataclass(frozen=True)
class Change:
    """One file before and after a step; None where it is not there."""

    path: str
    before: str | None
    after: str | None
    was: str = ""
    """The path before the step where it was another, else empty."""


@dataclass(frozen=True)
class Step:
    """A commit, or a release."""

    name: str
    at: float
    """Unix time; never before the step before."""
    changes: tuple[Change, ...]
    """Sorted by path."""
    most_typed: int | None = None
    """With more lines than this nobody has typed it; None where a step is many days' work."""


class History(Protocol):
    """A project's past, read as often as asked for and always the same."""

    @property
    def project(self) -> str:
        """The project's name, as prompts say it."""
        ...

    @property
    def identity(self) -> str:
        """What tells this history from any other, a rewritten one included."""
        ...

    def start(self) -> Files:
        """Return the project as it stood before the first step.

        Raises:
            HistoryError: it cannot be read.
        """
        ...

    def steps(self) -> Iterator[Step]:
        """Yield the steps, oldest first.

        Raises:
            HistoryError: they cannot be read.
        """
        ...


def text_of(content: bytes) -> str | None:
    """Return a file's text; None for binary and for large ones."""
    if len(content) > MOST_BYTES or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def is_inside(path: str) -> bool:
    """Whether a path from a tree or an archive stays below the folder that it is written into."""
    parts = path.split("/")
    safe = not any(character in path for character in "\\:\0") and all(map(str.isprintable, path))
    return safe and bool(path) and not any(part in ("", ".", "..", ".git") for part in parts)


def with_renames(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes, sorted, in which a renamed file is one change and not a deletion and a new file.

    A new file that has the same name as, or most of its lines from, a deleted one is that one.
    """
    gone = [change for change in changes if change.after is None and change.before is not None]
    new = [change for change in changes if change.before is None and change.after is not None]
    pairs: dict[str, Change] = {}
    if len(gone) <= MOST_COMPARED and len(new) <= MOST_COMPARED:
        likeness = [
            (similarity((old.before or "").split("\n"), (each.after or "").split("\n")), old, each)
            for old in gone
            for each in new
        ]
        for share, old, each in sorted(likeness, key=lambda found: (-found[0], found[1].path, found[2].path)):
            if share >= RENAMED and each.path not in pairs and old not in pairs.values():
                pairs[each.path] = old
    moved = {old.path for old in pairs.values()}
    kept = [
        replace(change, before=pairs[change.path].before, was=pairs[change.path].path)
        if change.path in pairs
        else change
        for change in changes
        if change.path not in moved
    ]
    return tuple(sorted(kept, key=lambda change: change.path))
