"""Keeps prompts warm: KV slots for several files, prefix reuse, and the carried suffix.

A slot has two sequences of one unified cache. ``live`` holds the prefix and the sentinel that opens the
suffix; ``carry`` holds the suffix as it was evaluated some keystrokes ago. A prompt is completed by
evaluating the prefix's new tokens on ``live`` and letting it share the carried cells for the time of one
completion. The sentinel itself is never carried: it tells the model where the prefix ends. Nothing from the
trigger on stays in the cache, so that every cell is base-model state of some prompt, whatever adapter
generated from it.

The suffix stands :data:`GAP` positions behind the prefix, so that the prefix can grow without moving it:
moving means rotating the keys of the whole cache (llama.cpp knows no less), which costs as much as several
keystrokes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from models.engine import EngineError
from models.llama import NoRoomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from models.llama import Context
    from models.prompt import Encoded

GAP = 128
"""Positions left free between prefix and suffix."""
STALE_LIMIT = 1024
"""Prefix tokens that may change before a carried suffix is evaluated afresh on the keystroke path."""
_WORTH = 16
"""Tokens that carrying must save: moving cells and a second call to the model cost about as much."""


@dataclass
class Slot:
    live: int
    carry: int
    tokens: list[int] = field(default_factory=list)
    """What ``live`` holds, from position 0 on."""
    suffix: list[int] = field(default_factory=list)
    """What ``carry`` holds."""
    positions: list[int] = field(default_factory=list)
    """Where ``carry`` holds it: ascending, with gaps where the cursor moved back."""
    size: int = 0
    """How many of ``tokens`` come before the suffix."""
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
    suffix_positions: list[int]
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
        slot.size = len(prompt.before)
        block = None if fresh else self._carriable(slot, prompt, len(full) - common)
        if block is None:
            self._cut(slot, common)
            positions = list(range(len(prompt.before), len(full)))
            return Place(slot, prompt, full[common:], common, positions, len(full) - common, 0, fresh=True)
        return self._carry(slot, prompt, *block)

    def missing(self, prompt: Encoded) -> int:
        """Return about how many tokens :meth:`open` would leave to evaluate or evaluate itself."""
        slot = max(self._slots, key=lambda slot: _common(slot.tokens, prompt.before))
        common = _common(slot.tokens, [*prompt.before, *prompt.suffix])
        missing = len(prompt.before) + len(prompt.suffix) - common
        block = self._carriable(slot, prompt, missing)
        return (
            missing if block is None else max(0, len(prompt.before) - common) + len(prompt.suffix) - block[2]
        )

    def close(self, place: Place) -> None:
        """Leave only prompt state in the place's slot, and its suffix ready to be carried."""
        slot, prompt = place.slot, place.prompt
        end = place.position + len(place.pending)
        if place.fresh:
            slot.tokens = [*prompt.before, *prompt.suffix][: min(end, self._context.end(slot.live))]
        self._context.remove(slot.live, end)
        if place.is_complete and prompt.suffix:
            self._context.remove(slot.carry)
            self._context.copy(slot.live, slot.carry, len(prompt.before))
            slot.suffix, slot.positions = list(prompt.suffix), place.suffix_positions
            slot.stale = 0 if place.fresh else slot.stale
        if not place.fresh:
            self._cut(slot, len(slot.tokens))

    def tidy(self) -> None:
        """Give the slot used last its room to grow again, while nobody waits: it can not be aborted."""
        slot = max(self._slots, key=lambda slot: slot.used)
        if len(slot.suffix) <= _WORTH or len(slot.tokens) < slot.size:
            return
        if slot.positions[0] - slot.size < GAP // 2:
            self._cut(slot, slot.size)
            self._shift(slot, slot.size + GAP)
            # The keys are rotated at the next decode: let it be one whose result is known.
            last = slot.tokens[-1]
            self._cut(slot, slot.size - 1)
            self.decode(slot, [last], slot.size - 1)
            slot.tokens.append(last)

    def clear(self) -> None:
        """Forget every slot."""
        for slot in self._slots:
            self._forget(slot)

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
        slot.tokens, slot.suffix, slot.positions, slot.used, slot.stale = [], [], [], 0, 0

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

    def _carriable(self, slot: Slot, prompt: Encoded, missing: int) -> tuple[int, int, int] | None:
        """Return (start in the carried suffix, start in the new one, length) of what can be carried.

        None where that is not worth it; ``missing`` is how many tokens there are to evaluate without.
        """
        old, new = slot.suffix, prompt.suffix
        if not old or slot.stale > STALE_LIMIT:
            return None
        if old == new:
            block = 0, 0, len(new)
        else:
            match = SequenceMatcher(None, old, new, autojunk=False).find_longest_match()
            block = match.a, match.b, match.size
        new_before = len(prompt.before) - _common(slot.tokens, prompt.before)
        return block if missing - (new_before + len(new) - block[2]) > _WORTH else None

    def _carry(self, slot: Slot, prompt: Encoded, old: int, new: int, length: int) -> Place:
        """Evaluate up to the carried block and let ``live`` share it."""
        target = [*prompt.before, *prompt.suffix[:new]]
        common = _common(slot.tokens, target)
        self._cut(slot, common)
        self._trim(slot, old, length)
        if not len(target) <= slot.positions[0] <= len(target) + 4 * GAP:
            self._shift(slot, len(target) + GAP)
        slot.stale += len(prompt.before) - min(common, len(prompt.before))
        try:
            self.decode(slot, target[common:], common)
        finally:
            slot.tokens = target[: self._context.end(slot.live)]
        self._context.copy(slot.carry, slot.live)
        pending = prompt.suffix[new + length :]
        position = slot.positions[-1] + 1
        positions = [
            *range(len(prompt.before), len(target)),
            *slot.positions,
            *range(position, position + len(pending)),
        ]
        evaluated = len(target) - common + len(pending)
        return Place(slot, prompt, pending, position, positions, evaluated, length, fresh=False)

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

    def logits_after_each(
        self, slot: Slot, tokens: Sequence[int], position: int
    ) -> Iterator[NDArray[np.float32]]:
        """Evaluate on the slot's live sequence and yield the logits after each token, (vocabulary,)."""
        size = self._context.shape.outputs
        for start in range(0, len(tokens), size):
            part = tokens[start : start + size]
            while True:
                try:
                    yield from self._context.logits_after_each(part, position + start, slot.live)
                    break
                except NoRoomError:
                    self.make_room(slot)

    def rehearse(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """Evaluate ``rows`` tokens, whichever they are, after the slot used last; keep none of them."""
        slot = max(self._slots, key=lambda slot: slot.used)
        position = self._context.end(slot.live)
        try:
            yield from self.logits_after_each(slot, range(rows), position)
        finally:
            self._context.remove(slot.live, position)

    def _cut(self, slot: Slot, length: int) -> None:
        self._context.remove(slot.live, length)
        slot.tokens = slot.tokens[:length]

    def _trim(self, slot: Slot, start: int, length: int) -> None:
        """Keep only ``length`` tokens of the carried suffix, from ``start`` on."""
        kept = slice(start, start + length)
        slot.suffix, slot.positions = slot.suffix[kept], slot.positions[kept]
        self._context.remove(slot.carry, 0, slot.positions[0])
        self._context.remove(slot.carry, slot.positions[-1] + 1)

    def _shift(self, slot: Slot, origin: int) -> None:
        """Move the carried suffix so that it begins at position ``origin``."""
        by = origin - slot.positions[0]
        self._context.shift(slot.carry, by)
        slot.positions = [position + by for position in slot.positions]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens two prompts share."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(index for index in range(size) if one[index] != other[index])
