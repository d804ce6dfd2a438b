"""Places written as text with a cursor, a clock that the test turns, and who tells episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.memory.episode import Episode, Kind
from learner.memory.place import place_of

if TYPE_CHECKING:
    from learner.memory.place import MemoryPlace
    from learner.memory.store import Memory

DAY = 86_400.0


def place(
    text: str, uri: str = "file:///p/a.py", project: str = "/p", language: str = "python"
) -> MemoryPlace:
    """Return the place where ``text`` has its ``|``."""
    before, _, after = text.partition("|")
    line, column = before.count("\n"), len(before.rpartition("\n")[2])
    lines = (before + after).splitlines(keepends=True)
    return place_of(lines, line, column, uri=uri, project=project, language=language)


class Clock:
    """Unix time, as the test says."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Teacher:
    """Tells episodes, each of its own offer, ten minutes apart."""

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self.memory, self.clock = memory, clock
        self._count = 0

    def tell(
        self,
        at: MemoryPlace,
        right: str,
        *,
        offered: str = "",
        kind: Kind = Kind.MISS,
        refused: bool = False,
        offer_id: str = "",
    ) -> None:
        if not offer_id:
            self._count += 1
            self.clock.now += 600
        episode = Episode(
            offer_id or f"offer {self._count}", self.clock.now, at, kind, right, offered, refused=refused
        )
        self.memory.learn(episode)
        assert self.memory.flush(20)
