"""The order of training: a function of the seed, so that a resumed run repeats it without any state.

Examples are dealt into windows once. A window's prompts are evaluated together, always the same ones in the
same order, so that keeping them or evaluating them again gives the same numbers to the last bit; its steps
follow each other, so that at most one window has to be held.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

WINDOW_STEPS = 8
"""A window has the examples of so many steps: enough of a mixture within a step, little to hold in memory."""


@dataclass(frozen=True)
class Step:
    """One update of the adapter."""

    window: tuple[int, ...]
    """The examples that are evaluated together, by index."""
    examples: tuple[int, ...]
    """The ones of them that this step learns from."""


def windows(examples: int, batch: int, seed: int) -> list[tuple[int, ...]]:
    """Deal the indices of ``examples`` into windows of nearly equal size."""
    order = list(range(examples))
    random.Random(f"windows {seed}").shuffle(order)
    return evenly(order, WINDOW_STEPS * batch)


def steps(examples: int, batch: int, epochs: int, seed: int) -> list[Step]:
    """Return every step of ``epochs`` passes; each shuffles the windows, and each window anew."""
    dealt = windows(examples, batch, seed)
    found = []
    for epoch in range(epochs):
        rng = random.Random(f"epoch {epoch} {seed}")
        for window in rng.sample(dealt, len(dealt)):
            mixed = rng.sample(window, len(window))
            found += [Step(window, part) for part in evenly(mixed, batch)]
    return found


def evenly(items: list[int], most: int) -> list[tuple[int, ...]]:
    """Split ``items`` into as few parts as there can be of at most ``most``, which differ by one at most."""
    parts = -(-len(items) // most)
    bounds = [len(items) * part // parts for part in range(parts + 1)] if parts else [0]
    return [tuple(items[start:stop]) for start, stop in pairwise(bounds)]
