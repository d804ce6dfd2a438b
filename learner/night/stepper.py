"""One step: the gradient of some examples' loss, and the update of the adapter by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.utils import clip_grad_norm_

from learner.night import NightError
from learner.night.distillation import loss as distillation_loss
from learner.night.lora import parameters
from learner.night.losses import pack, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from learner.job import TrainingOptions
    from learner.night.encoding import EncodedExample
    from learner.night.network import Network
    from learner.night.prompts import Prepared

_ROWS = 256
"""Completion tokens whose activations are held at once; a step with more goes through in parts."""
_LEAST_ROWS = 64
_LEAST_RATE = 0.1
"""The share of the learning rate that is left at the end."""


class Ready(NamedTuple):
    """An example with its evaluated prompt."""

    example: EncodedExample
    prepared: Prepared


@dataclass(frozen=True)
class Outcome:
    """What a step's examples showed before they changed the adapter."""

    log_loss: float
    """The weighted mean over the wanted tokens, in nats."""
    weight: float
    """The sum of the tokens' weights."""


class Stepper:
    """The adapter's matrices and their optimiser."""

    def __init__(
        self,
        network: Network,
        options: TrainingOptions,
        *,
        mean_rows: float,
        on_short_memory: Callable[[int], None],
    ) -> None:
        """
        Args:
            mean_rows: a typical example's tokens. It scales every step alike, so that an example counts as
                much beside long ones as beside short ones.
            on_short_memory: told how many tokens are held at once from now on; frees what it can.
        """
        self._network, self._options = network, options
        self._matrices = parameters(network)
        self._scale = 1.0 / (mean_rows * options.batch)
        self._rows, self._on_short_memory = _ROWS, on_short_memory
        self.optimizer = torch.optim.AdamW(
            self._matrices, lr=options.learning_rate, weight_decay=options.weight_decay
        )

    def gradient(self, batch: Sequence[Ready]) -> Outcome:
        """Set the matrices' gradients; with less held at once from the moment memory runs out.

        Raises:
            NightError: it runs out all the same.
        """
        while True:
            self.optimizer.zero_grad()
            try:
                return self._accumulate(batch)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
            # Not in the handler, which keeps what the failed attempt had allocated.
            self._halve()

    def update(self, rate: float) -> bool:
        """Change the adapter along its gradient; False, and no change, where that is no number."""
        norm = clip_grad_norm_(self._matrices, self._options.clip)
        if not math.isfinite(float(norm)):
            return False
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return True

    def _accumulate(self, batch: Sequence[Ready]) -> Outcome:
        total, weight = 0.0, 0.0
        for part in parts(batch, self._rows):
            rows = pack(
                [one.example for one in part], [one.prepared.view for one in part], self._settled_share(part)
            )
            taught = [(one, one.prepared.guided) for one in part if one.prepared.guided]
            hidden = self._network.middles(
                [one.prepared.state for one in part] + [guided.state for _, guided in taught]
            )
            found = terms(self._network, hidden[: len(rows.target)], rows)
            minimised = found.total(self._options)
            if taught:
                guided = [guided for _, guided in taught]
                weights = [self._options.distillation * one.example.weight for one, _ in taught]
                own = hidden[len(rows.target) :]
                minimised = minimised + distillation_loss(self._network, own, guided, weights)
            (self._scale * minimised).backward()
            total += found.log_loss
            weight += float(rows.target_weight.sum())
        return Outcome(total / weight if weight else 0.0, weight)

    def _settled_share(self, part: Sequence[Ready]) -> list[float]:
        """Return by how much of its loss each example learns what settled itself, and not from a teacher."""
        return [1.0 - self._options.distillation if one.prepared.guided else 1.0 for one in part]

    def _halve(self) -> None:
        if self._rows <= _LEAST_ROWS:
            raise NightError(
                "there is not enough memory for a training step; close other programs, or use a smaller model"
            )
        self._rows //= 2
        self._on_short_memory(self._rows)


def parts(batch: Sequence[Ready], most_rows: int) -> Iterator[list[Ready]]:
    """Split a batch so that no part has more than ``most_rows`` tokens, unless one example has."""
    part: list[Ready] = []
    rows = 0
    for one in batch:
        size = one.prepared.rows
        if part and rows + size > most_rows:
            yield part
            part, rows = [], 0
        part.append(one)
        rows += size
    if part:
        yield part


def learning_rate(step: int, steps: int, options: TrainingOptions) -> float:
    """Return the rate of step number ``step``: a linear rise, then half a cosine down to a tenth."""
    warm_up = math.ceil(options.warm_up * steps)
    if step < warm_up:
        return options.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    share = _LEAST_RATE + (1.0 - _LEAST_RATE) * (1.0 + math.cos(math.pi * done)) / 2.0
    return options.learning_rate * share


def _is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # The CPU's and Apple's allocators raise plain RuntimeErrors.
    return any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
