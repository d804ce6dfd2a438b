"""Prompts with completions, for what does not care about their meaning."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def random_pairs(sizes: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Return prompts and completions of so many tokens, from the ordinary part of every vocabulary."""
    rng = random.Random(4)
    return [
        (
            [rng.randrange(1000, 20_000) for _ in range(prompt)],
            [rng.randrange(1000, 20_000) for _ in range(middle)],
        )
        for prompt, middle in sizes
    ]
