"""How long training will take: measured on this machine with this model, before and while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.job import TrainingOptions
    from learner.night.encoding import EncodedExample

_MARGIN = 0.9
"""So much of the time is planned for; the rest is for what turns out slower."""


@dataclass
class Pace:
    """Costs as measured so far, in all."""

    evaluated_tokens: int = 0
    evaluated_s: float = 0.0
    trained_rows: int = 0
    trained_s: float = 0.0

    def note(self, seconds: float, *, tokens: int, rows: int) -> None:
        """Take note of the time that evaluating ``tokens``, or training on ``rows``, has taken."""
        if tokens:
            self.evaluated_tokens += tokens
            self.evaluated_s += seconds
        else:
            self.trained_rows += rows
            self.trained_s += seconds

    def seconds(self, tokens: int, rows: int) -> float:
        """Return how long it takes to evaluate so many tokens and to train on so many rows."""
        return tokens * self.evaluated_s / max(1, self.evaluated_tokens) + rows * self.trained_s / max(
            1, self.trained_rows
        )


@dataclass(frozen=True)
class Plan:
    """What there is time for."""

    examples: list[int]
    """Indices, in the order given."""
    epochs: int


def plan(
    examples: Sequence[EncodedExample],
    options: TrainingOptions,
    pace: Pace,
    seconds: float,
    kept_share: float,
) -> Plan:
    """Return as many epochs, and then as many of the first examples, as ``seconds`` are enough for.

    Fewer epochs before fewer examples: a second pass teaches less than what was never seen. Replay keeps its
    share. ``kept_share`` of the evaluated prompts is not evaluated again in a later epoch.
    """
    room = seconds * _MARGIN

    def cost(chosen: Sequence[EncodedExample], epochs: int) -> float:
        tokens = sum(example.size for example in chosen)
        rows = sum(len(example.middle) for example in chosen)
        return pace.seconds(int(tokens * (1 + (epochs - 1) * (1.0 - kept_share))), epochs * rows)

    for epochs in range(options.epochs, 0, -1):
        if cost(examples, epochs) <= room:
            return Plan(list(range(len(examples))), epochs)
    least, most = 1, len(examples)
    while least < most:
        count = (least + most + 1) // 2
        fits = cost([examples[index] for index in _first(examples, count, options.replay)], 1) <= room
        least, most = (count, most) if fits else (least, count - 1)
    return Plan(_first(examples, least, options.replay), 1)


def _first(examples: Sequence[EncodedExample], count: int, replay: float) -> list[int]:
    """Return the indices of the first ``count`` examples, with replay at its share of them."""
    replays = [index for index, example in enumerate(examples) if example.is_replay]
    others = [index for index, example in enumerate(examples) if not example.is_replay]
    if not others:
        return replays[:count]
    share = min(len(replays), int(count * replay), count - 1)
    return sorted([*others[: count - share], *replays[:share]])
