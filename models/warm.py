"""Keeps prompts warm: KV slots for several files, prefix reuse, and the carried suffix.

A slot has two sequences of one unified cache. ``live`` holds the prefix and the sentinel that opens the
suffix; ``carry`` holds the suffix as it was evaluated some keystrokes ago. A prompt is completed by
evaluating the prefix's new tokens on ``live`` and letting it share the carried cells for the time of one
completion. The sentinel itself is never carried: it tells the model where the prefix ends. Nothing from the
trigger on stays in the cache, so that every cell is base-model state of some prompt, whatever adapter
generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from models.engine import EngineError
from models.llama import NoRoomError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.llama import Context
    from models.prompt import Encoded

STALE_LIMIT = 1024
"""Prefix tokens that may change before a carried suffix is evaluated afresh on the keystroke path."""
_CARRY_AT_LEAST = 8
"""Suffix tokens below which evaluating costs no more than carrying."""


@dataclass
class Slot:
    live: int
    carry: int
    tokens: list[int] = field(default_factory=list)
    """What ``live`` holds, from position 0 on."""
    suffix: list[int] = field(default_factory=list)
    """What ``carry`` holds, from position ``origin`` on."""
    origin: int = 0
    stale: int = 0
    """Prefix tokens that changed since ``carry`` was evaluated."""
    used: int = 0


@dataclass
class Place:
    """A prompt that is evaluated but for ``pending``, which goes to ``slot.live`` at ``position``."""

    slot: Slot
    prompt: Encoded
    pending: list[int]
    position: int
    evaluated: int
    carried: int
    fresh: bool
    is_complete: bool = False
    """Whether all of ``pending`` was evaluated; set by who does."""


class Warm:
    """The slots of one context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        count = context.shape.sequences // 2
        self._slots = [Slot(live=2 * index, carry=2 * index + 1) for index in range(count)]
        self._clock = 0

    def open(self, prompt: Encoded, *, fresh: bool) -> Place:
        """Bring a slot as near to ``prompt`` as can be; ``fresh`` does without the carried suffix.

        Close the place when done with it, also after an exception.

        Raises:
            AbortedError: what was evaluated until then is kept.
        """
        slot = self._choose(prompt)
        self._clock += 1
        slot.used = self._clock
        full = [*prompt.before, *prompt.suffix]
        common = _common(slot.tokens, full)
        block = None if fresh or common > len(prompt.before) else self._carriable(slot, prompt)
        if block is None:
            self._cut(slot, common)
            return Place(slot, prompt, full[common:], common, len(full) - common, 0, fresh=True)
        return self._carry(slot, prompt, *block)

    def close(self, place: Place) -> None:
        """Leave only prompt state in the place's slot, and its suffix ready to be carried."""
        slot, prompt = place.slot, place.prompt
        size, end = len(prompt.before), len(prompt.before) + len(prompt.suffix)
        full = [*prompt.before, *prompt.suffix]
        if place.is_complete and prompt.suffix:
            self._context.remove(slot.carry)
            self._context.copy(slot.live, slot.carry, size, end)
            slot.suffix, slot.origin = list(prompt.suffix), size
            slot.stale = 0 if place.fresh else slot.stale
        if place.fresh:
            slot.tokens = full[: min(end, self._context.end(slot.live))]
        elif place.is_complete:
            slot.tokens = list(prompt.before)
        self._cut(slot, len(slot.tokens))

    def make_room(self, keep: Slot) -> None:
        """Forget the slot used longest ago, other than ``keep``.

        Raises:
            EngineError: there is none.
        """
        others = [slot for slot in self._slots if slot is not keep and (slot.tokens or slot.suffix)]
        if not others:
            raise EngineError(
                f"the prompt does not fit the engine's {self._context.shape.cells} cells; raise the cells"
            )
        self._forget(min(others, key=lambda slot: slot.used))

    def _forget(self, slot: Slot) -> None:
        self._context.remove(slot.live)
        self._context.remove(slot.carry)
        slot.tokens, slot.suffix, slot.used, slot.stale = [], [], 0, 0

    def _choose(self, prompt: Encoded) -> Slot:
        """Return the slot with the longest common beginning, or a fresh one that shares what there is."""
        best = max(self._slots, key=lambda slot: (_common(slot.tokens, prompt.before), slot.used))
        common = _common(best.tokens, prompt.before)
        if 2 * common >= len(prompt.before) or 2 * common >= len(best.tokens) > 0:
            return best
        oldest = min(self._slots, key=lambda slot: slot.used)
        if oldest is not best:
            self._forget(oldest)
            self._context.copy(best.live, oldest.live, 0, common)
            oldest.tokens = best.tokens[:common]
        return oldest

    def _carriable(self, slot: Slot, prompt: Encoded) -> tuple[int, int, int] | None:
        """Return (start in the carried suffix, start in the new one, length) of what can be carried."""
        old, new = slot.suffix, prompt.suffix
        if len(new) < _CARRY_AT_LEAST or slot.stale > STALE_LIMIT:
            return None
        if old == new:
            return 0, 0, len(new)
        match = SequenceMatcher(None, old, new, autojunk=False).find_longest_match()
        return (match.a, match.b, match.size) if 2 * match.size >= len(new) else None

    def _carry(self, slot: Slot, prompt: Encoded, old: int, new: int, length: int) -> Place:
        """Evaluate up to the carried block and let ``live`` share it."""
        target = [*prompt.before, *prompt.suffix[:new]]
        common = min(_common(slot.tokens, target), len(target) - 1)
        self._cut(slot, common)
        self._trim(slot, old, length)
        self._shift(slot, len(target))
        slot.stale += len(prompt.before) - min(common, len(prompt.before))
        try:
            self.decode(slot, target[common:], common)
        finally:
            slot.tokens = target[: self._context.end(slot.live)]
        self._context.copy(slot.carry, slot.live)
        pending = prompt.suffix[new + length :]
        position = len(target) + length
        evaluated = len(target) - common + len(pending)
        return Place(slot, prompt, pending, position, evaluated, length, fresh=False)

    def decode(self, slot: Slot, tokens: Sequence[int], position: int, *, logits: bool = False) -> None:
        """Evaluate on the slot's live sequence, forgetting other slots where the cache is full."""
        while True:
            try:
                self._context.decode(tokens, position, slot.live, logits=logits)
                return
            except NoRoomError:
                self.make_room(slot)
                done = max(0, self._context.end(slot.live) - position)
                tokens, position = tokens[done:], position + done

    def _cut(self, slot: Slot, length: int) -> None:
        self._context.remove(slot.live, length)
        slot.tokens = slot.tokens[:length]

    def _trim(self, slot: Slot, start: int, length: int) -> None:
        """Keep only ``length`` tokens of the carried suffix, from ``start`` on."""
        if start:
            self._context.remove(slot.carry, slot.origin, slot.origin + start)
        if start + length < len(slot.suffix):
            self._context.remove(slot.carry, slot.origin + start + length)
        slot.suffix = slot.suffix[start : start + length]
        slot.origin += start

    def _shift(self, slot: Slot, origin: int) -> None:
        """Move the carried suffix so that it begins at position ``origin``."""
        if origin != slot.origin:
            self._context.shift(slot.carry, origin - slot.origin)
            slot.origin = origin


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens two prompts share."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(index for index in range(size) if one[index] != other[index])
