"""An episode: what settled at one place, and what had been offered there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from learner.memory.place import MemoryPlace


class Kind(StrEnum):
    """Why an episode is told; the first three are written, the others only strengthen what is known."""

    MISS = "miss"
    """Something else was typed than what was offered, or nothing was offered."""
    CORRECTION = "correction"
    """What was accepted was changed."""
    SURPRISE = "surprise"
    """What was taken was a lucky guess."""
    KEPT = "kept"
    """What was taken stayed, as could be expected."""
    REFUSAL = "refusal"
    """What was offered was rejected or deleted, and nothing was written instead."""


WRITTEN = (Kind.MISS, Kind.CORRECTION, Kind.SURPRISE)


@dataclass(frozen=True)
class Episode:
    """What settled at one place, and what had been offered there."""

    offer_id: str
    at: float
    """Unix time of the offer."""
    place: MemoryPlace
    kind: Kind
    right: str = ""
    """What stands there now, from the cursor on; empty for a refusal."""
    offered: str = ""
    """What was offered; empty where nothing was."""
    refused: bool = False
    """Whether the offered text is not to be offered at this place again."""
    by_memory: bool = False
    """Whether memory made the offer."""

    @property
    def line(self) -> str:
        """The completed line (or the beginning of a block), without its indentation."""
        return (self.place.begun + self.right).rstrip()

    @property
    def was_right(self) -> bool:
        """Whether the first line of what was offered is what settled."""
        return is_right(self.offered, self.right)


def is_right(text: str, settled: str) -> bool:
    """Return whether the first visible line of ``text`` is the one that settled."""
    ours, theirs = text.strip().partition("\n")[0].rstrip(), settled.strip().partition("\n")[0].rstrip()
    return bool(ours) and ours == theirs
