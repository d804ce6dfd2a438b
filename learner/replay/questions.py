"""What is asked of every arm: each cursor of a plan with its situation and truth, and whether that is new."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.replay.history import HistoryError
from learner.replay.project_tree import Walk
from learner.replay.situation import situation_of

if TYPE_CHECKING:
    from learner.replay.history import Change, History
    from learner.replay.sampling import FrozenCursor, Plan
    from learner.replay.situation import Situation, Truth


@dataclass(frozen=True)
class Question:
    cursor: FrozenCursor
    situation: Situation
    truth: Truth
    duplicate: bool
    """Whether the line stands elsewhere in what was visible: the project at that moment, and this file."""


def questions_of(history: History, plan: Plan) -> list[Question]:
    """Return the plan's questions in their order.

    Raises:
        HistoryError: the history is not the one that the plan was drawn from.
    """
    lines = _Lines()
    for path, text in history.start().items():
        lines.add(path, text)
    walk = Walk(history)
    found: list[Question] = []
    for number, cursor in enumerate(plan.cursors):
        for change in walk.until(cursor):
            lines.apply(change)
        change, step = walk.at(cursor), walk.step
        if change is None or step is None:
            raise HistoryError(
                f"{history.project} has no change of {cursor.path} in {cursor.name}, where a place was "
                "drawn; replay it anew with --restart"
            )
        situation, truth = situation_of(cursor, number, change, history.project, step.at)
        here = {line.strip() for row, line in enumerate(situation.lines) if row != situation.line}
        found.append(Question(cursor, situation, truth, truth.line in here or lines.says(truth.line)))
    return found


class _Lines:
    """How many lines of the project say the same, but for their indentation."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, path: str, text: str) -> None:
        self.remove(path)
        self._texts[path] = text
        self._counts.update(line.strip() for line in text.split("\n"))

    def remove(self, path: str) -> None:
        old = self._texts.pop(path, None)
        if old is not None:
            self._counts.subtract(line.strip() for line in old.split("\n"))

    def apply(self, change: Change) -> None:
        if change.was:
            self.remove(change.was)
        if change.after is None:
            self.remove(change.path)
        else:
            self.add(change.path, change.after)

    def says(self, line: str) -> bool:
        return self._counts[line] > 0
