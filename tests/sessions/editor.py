"""An editor that a script drives: it keeps its own text, tells the server what an editor would tell, and
knows nothing of the code under test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


WALL = 1_700_000_000.0
"""Unix time at the clock's zero."""


class Clock:
    """Seconds that pass when the script says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL + self.now


@dataclass(frozen=True)
class Ghost:
    """Ghost text as a client gets it: ``text`` replaces what stands from ``start`` to ``end``."""

    offer_id: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Replacement:
    """``text`` in place of the code points from ``start`` to ``end``."""

    start: int
    end: int
    text: str


class Wire(Protocol):
    """How an editor reaches the server. Each change applies to the text after those before it."""

    def change(self, before: str, changes: Sequence[Replacement]) -> None: ...
    def request(self, text: str, cursor: int, answer: str | None, *, hidden: bool) -> Ghost | None: ...
    def command(self, offer_id: str) -> None: ...
    def shown(self, offer_id: str) -> None: ...
    def partially_accepted(self, offer_id: str, length: int) -> None: ...
    def rejected(self, offer_id: str) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...
    def last_id(self) -> str: ...


@dataclass
class Editor:
    """Text, cursor, undo history and a clock; ``reports`` is our client's manner, else the stock client's."""

    wire: Wire
    clock: Clock
    text: str
    reports: bool
    cursor: int = 0
    history: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Let time pass; the server hears the clock each second."""
        end = self.clock.now + seconds
        while int(self.clock.now) < int(end):
            self.clock.now = float(int(self.clock.now) + 1)
            self.wire.tick()
        self.clock.now = max(self.clock.now, end)

    def apply(self, *changes: Replacement, cursor: int | None = None) -> None:
        """Make one edit of one or more changes, given in the coordinates of the text before each."""
        before = self.text
        self.history.append(before)
        self.future.clear()
        for change in changes:
            self.text = self.text[: change.start] + change.text + self.text[change.end :]
        last = changes[-1]
        self.cursor = last.start + len(last.text) if cursor is None else cursor
        self.wire.change(before, changes)

    def type(self, text: str, pace: float = 0.15) -> None:
        """Press keys; Enter keeps the line's indentation, as editors do."""
        for key in text:
            self.wait(pace)
            self.apply(Replacement(self.cursor, self.cursor, key))

    def insert(self, text: str) -> None:
        self.apply(Replacement(self.cursor, self.cursor, text))

    def backspace(self, count: int = 1, pace: float = 0.12) -> None:
        for _ in range(count):
            self.wait(pace)
            self.apply(Replacement(self.cursor - 1, self.cursor, ""))

    def undo(self, edits: int = 1) -> None:
        """Take back some edits with one change, as an editor's undo does."""
        before = self.text
        self.future.append(before)
        target = self.history[-edits]
        del self.history[-edits:]
        self._become(target)

    def redo(self) -> None:
        target = self.future.pop()
        self.history.append(self.text)
        self._become(target)

    def _become(self, target: str) -> None:
        before = self.text
        head = 0
        while head < min(len(before), len(target)) and before[head] == target[head]:
            head += 1
        tail = 0
        while tail < min(len(before), len(target)) - head and before[-1 - tail] == target[-1 - tail]:
            tail += 1
        self.text = target
        change = Replacement(head, len(before) - tail, target[head : len(target) - tail])
        self.cursor = head + len(change.text)
        self.wire.change(before, [change])

    def ask(self, answer: str | None, *, hidden: bool = False) -> Ghost | None:
        """Request ghost text at the cursor; the engine will say ``answer``."""
        ghost = self.wire.request(self.text, self.cursor, answer, hidden=hidden)
        if ghost and self.reports:
            self.wire.shown(ghost.offer_id)
        return ghost

    def accept(self, ghost: Ghost, *, command: bool = True, command_first: bool = False) -> None:
        if command and command_first:
            self.wire.command(ghost.offer_id)
        self.apply(Replacement(ghost.start, ghost.end, ghost.text))
        if command and not command_first:
            self.wait(0.01)
            self.wire.command(ghost.offer_id)

    def accept_part(self, ghost: Ghost, length: int) -> None:
        self.insert(ghost.text[:length])
        if self.reports:
            self.wire.partially_accepted(ghost.offer_id, length)

    def escape(self, ghost: Ghost) -> None:
        if self.reports:
            self.wire.rejected(ghost.offer_id)
