"""Self-distillation: what the model would say if it saw what settled, taught token by token to the one that
does not.

The teacher is the same network, fixed at what training begins from, with the settled code in its context; the
student is the adapter without it. The teacher judges each token of the student's own completion, so that the
signal is dense, and on the student's own mistakes (on-policy distillation, arXiv 2306.13649; with privileged
context, arXiv 2209.15189). Completions are written once, greedily, by what training begins from: a function
of the job alone, so that a resumed training sees the same ones, and they go stale by no more than one night.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from learner.night.losses import divergence, log_probs, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from learner.night.encoding import EncodedExample
    from learner.night.losses import View
    from learner.night.network import Network, PromptState

GROUP = 8
"""Prompts whose keys and values are held in all layers at once: 15 MB each for Qwen2.5-Coder-1.5B."""
LONGER = 2
"""Tokens by which a completion of the student's may be longer than what settled."""


@dataclass(frozen=True)
class Guided:
    """The student's own completion after a prompt, and what the teacher thinks follows each of its tokens."""

    state: PromptState
    teacher: View
    """(completion length, LIKELY)."""

    @property
    def bytes(self) -> int:
        """Without the prompt's keys and values, which are those of the example itself."""
        return self.state.entry.nbytes + self.teacher.likely.nbytes + self.teacher.log_probs.nbytes


def loss(network: Network, hidden: Tensor, guided: Sequence[Guided], weights: Sequence[float]) -> Tensor:
    """Return the weighted sum over all tokens of KL(teacher || student), in nats, with gradient.

    Args:
        hidden: the student's final hidden states of all completions, packed: (sum of lengths, width).
        weights: of each example.
    """
    found = [(one.teacher.likely, one.teacher.log_probs) for one in guided]
    likely, judged = (torch.cat(parts) for parts in zip(*found, strict=True))
    each = [weight for one, weight in zip(guided, weights, strict=True) for _ in range(one.state.length)]
    student = log_probs(network, hidden, likely)
    return (torch.tensor(each, device=hidden.device) * divergence(judged, student)).sum()


class Teacher:
    """Writes the student's completions and judges them; changes nothing of the network."""

    def __init__(self, network: Network, acting: AbstractContextManager[None] | None = None) -> None:
        """``acting`` has the network be what training begins from; without it, it is so already."""
        self._network = network
        self._acting = acting or nullcontext()

    @torch.no_grad()
    def __call__(
        self,
        examples: Sequence[EncodedExample],
        whole: Sequence[PromptState],
        trained: Sequence[PromptState],
    ) -> list[Guided | None]:
        """Return the guided completion of each example; None where the teacher knows no better.

        Args:
            whole: the examples' states to their whole depth.
            trained: the same in the trained layers alone.
        """
        with self._acting:
            own, entries = write(self._network, examples, whole)
            teachers = self._judgements(examples, own)
            student = self._settled(examples, trained)
        return [
            Guided(replace(state, entry=entry, base=state.base[:0].clone()), view) if knows > known else None
            for state, entry, (view, knows), known in zip(trained, entries, teachers, student, strict=True)
        ]

    def _judgements(
        self, examples: Sequence[EncodedExample], own: Sequence[Sequence[int]]
    ) -> list[tuple[View, float]]:
        """Return the teacher's view of each own completion, and its log-likelihood of what settled."""
        hinted = [example.hinted for example in examples]
        count = len(examples)
        middles = [*own, *(example.middle for example in examples)]
        states = self._network.prompt_states([*hinted, *hinted], middles)
        knows = self._settled(examples, states[count:])
        hidden = self._network.middles(states[:count])
        parts = hidden.split([state.length for state in states[:count]])
        return [(view_of(self._network, part), known) for part, known in zip(parts, knows, strict=True)]

    def _settled(self, examples: Sequence[EncodedExample], states: Sequence[PromptState]) -> list[float]:
        """Return the log-likelihood of what settled after each prompt."""
        hidden = self._network.middles(states)
        targets = torch.tensor([token for example in examples for token in example.target])
        found = log_probs(self._network, hidden, targets.to(hidden.device)[:, None])[:, 0]
        return [float(part.sum()) for part in found.split([state.length for state in states])]


def write(
    network: Network, examples: Sequence[EncodedExample], states: Sequence[PromptState]
) -> tuple[list[list[int]], list[Tensor]]:
    """Let the network complete each prompt greedily; the adapter acts as it is.

    Returns:
        For each: the trigger and all tokens but the last, and their hidden states before the first trained
        layer, (tokens, width).
    """
    tokens = [[example.middle[0]] for example in examples]
    entries: list[list[Tensor]] = [[] for _ in examples]
    caches = [
        network.cache(state, len(example.target) + LONGER)
        for state, example in zip(states, examples, strict=True)
    ]
    going = list(range(len(examples)))
    while going:
        entry, hidden = network.follow([tokens[at][-1] for at in going], [caches[at] for at in going])
        likeliest = network.logits(hidden).argmax(1).tolist()
        for row, at in enumerate(going):
            entries[at].append(entry[row])
            tokens[at].append(likeliest[row])
        going = [at for at in going if tokens[at][-1] != examples[at].end and caches[at].room]
    return [own[:-1] for own in tokens], [torch.stack(rows) for rows in entries]


def trained_part(network: Network, state: PromptState) -> PromptState:
    """Return what training needs of a state to the whole depth; copied, for a slice keeps it all."""
    first = network.first_trained
    return replace(state, keys=state.keys[first:].clone(), values=state.values[first:].clone())
