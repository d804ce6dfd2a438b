"""One interaction as an arm meets it: a place, and what it may know there. The truth is kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from learner.cursors import first_lines, until_stop
from learner.languages import language_of
from learner.place import place_at, split_lines, stop_for
from learner.replay.history import HistoryError
from learner.replay.typed import truth, typed_lines, view

if TYPE_CHECKING:
    from learner.place import Place
    from learner.replay.history import Change
    from learner.replay.sampling import FrozenCursor
    from models.engine import Stop


@dataclass(frozen=True)
class Situation:
    """A cursor at its moment; nothing newer than that is in it."""

    number: int
    """Of the interaction, in the plan's order."""
    project: str
    path: str
    """Relative to the project, with forward slashes."""
    lines: tuple[str, ...]
    """The current file's at that moment, with their endings."""
    line: int
    column: int
    """In code points."""
    at: float
    """Unix time."""

    @property
    def language(self) -> str:
        return language_of(self.path)

    @cached_property
    def place(self) -> Place:
        return place_at(self.lines, self.line, self.column, self.language)

    @cached_property
    def stop(self) -> tuple[Stop, int]:
        """Where a completion ends here, and the indentation that it goes by."""
        return stop_for(self.place)


@dataclass(frozen=True)
class Truth:
    """What the developer typed next."""

    target: str
    """What one completion could have written of it."""
    ends: bool
    """Whether a completion would have ended there."""
    line: str
    """The whole line that the cursor was on, as it became; stripped."""


def situation_of(
    cursor: FrozenCursor, number: int, change: Change, project: str, at: float
) -> tuple[Situation, Truth]:
    """Return what is seen at the cursor, and what follows.

    Raises:
        HistoryError: the history is not the one that the cursor was drawn from.
    """
    before, after = split_lines(change.before or ""), split_lines(change.after or "")
    typed = next((line for line in typed_lines(before, after) if line.row == cursor.row), None)
    if typed is None or not typed.first <= cursor.column < typed.last:
        raise HistoryError(
            f"{cursor.path} in {cursor.name} has nothing typed in line {cursor.row + 1}, where a place was "
            "drawn; replay it anew with --restart"
        )
    seen = view(before, after, typed, cursor.column)
    situation = Situation(number, project, cursor.path, seen.lines, seen.line, seen.column, at)
    whole = truth(after, typed, cursor.column)
    stop, indent = situation.stop
    written = until_stop(whole, _suffix(situation), stop, indent)
    target = first_lines(written)
    return situation, Truth(target, target == written.rstrip(), after[cursor.row].strip())


def _suffix(situation: Situation) -> str:
    here = situation.lines[situation.line][situation.column :]
    return here + "".join(situation.lines[situation.line + 1 :])
