"""Which prompts go through the network together, and what they share.

Completions in one file have prompts that begin alike: what two prompts have in common, up to the first token
that differs, is evaluated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Pair = tuple[Sequence[int], Sequence[int]]
"""A prompt (every token before the trigger), and its completion (the trigger and the target but its last)."""

_ROWS = 1024
"""Tokens that go through the network at once; only a single longer prompt has more."""
_LEAST_SHARED = 16
"""Tokens from which sharing saves more than it costs."""


@dataclass(frozen=True)
class Piece:
    """A prompt with its completion, as a part of a pack."""

    index: int
    """Its place among all the pairs."""
    prompt: Sequence[int]
    middle: Sequence[int]
    shared: int
    """So many first tokens of the prompt are those of the pack's piece before it; 0 where it has none."""

    @property
    def tokens(self) -> list[int]:
        """What is evaluated."""
        return [*self.prompt[self.shared :], *self.middle]


def packs(pairs: Iterable[Pair], rows: int = _ROWS) -> Iterator[list[Piece]]:
    """Gather pairs, those with like prompts next to each other, until they fill a pass."""
    # In this order, no piece shares more with any piece before it than with the last one.
    order = sorted(enumerate(pairs), key=lambda pair: tuple(pair[1][0]))
    pack: list[Piece] = []
    taken = 0
    for index, (prompt, middle) in order:
        shared = _in_common(pack[-1].prompt, prompt) if pack else 0
        if pack and taken + len(prompt) - shared + len(middle) > rows:
            yield pack
            pack, taken, shared = [], 0, 0
        piece = Piece(index, prompt, middle, shared if shared >= _LEAST_SHARED else 0)
        pack.append(piece)
        taken += len(prompt) - piece.shared + len(middle)
    if pack:
        yield pack


def _in_common(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
