"""Evaluated prompts: computed once and kept where there is memory for them, else computed again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from learner.night.allocator import give_back
from learner.night.distillation import GROUP, Guided, Teacher, trained_part
from learner.night.lora import adapter_off, adapter_state, load_adapter_state
from learner.night.losses import View, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from learner.night.encoding import EncodedExample
    from learner.night.network import Network, PromptState

_PART = 8
"""Completions whose probabilities are computed together."""


@dataclass(frozen=True)
class Prepared:
    """All of an example that stays the same while the adapter changes."""

    state: PromptState
    view: View
    guided: Guided | None = None
    """The student's own completion, where a teacher knows better."""

    @property
    def bytes(self) -> int:
        own = self.guided.bytes if self.guided else 0
        return self.state.bytes + self.view.likely.nbytes + self.view.log_probs.nbytes + own

    @property
    def rows(self) -> int:
        """The tokens that are trained on."""
        return self.state.length + (self.guided.state.length if self.guided else 0)


class Evaluation:
    """Evaluates prompts with the base, and completions with the reference that training stays close to."""

    def __init__(self, network: Network, reference: Mapping[str, Tensor]) -> None:
        """``reference`` is an adapter's state; the base alone is the reference where it changes nothing."""
        self._network = network
        acts = any(bool(matrix.any()) for name, matrix in reference.items() if name.endswith("lora_b"))
        self._reference = reference if acts else None

    def __call__(self, examples: Sequence[EncodedExample]) -> list[Prepared]:
        taught = [at for at, one in enumerate(examples) if one.hinted]
        if not taught:
            return self._plain(examples)
        # Those of one file together, as far as they are held to their whole depth together.
        taught.sort(key=lambda at: examples[at].prompt)
        others = [at for at, one in enumerate(examples) if not one.hinted]
        found = dict(zip(others, self._plain([examples[at] for at in others]), strict=True))
        for start in range(0, len(taught), GROUP):
            group = taught[start : start + GROUP]
            found.update(zip(group, self._guided([examples[at] for at in group]), strict=True))
        return [found[at] for at in range(len(examples))]

    def _guided(self, examples: Sequence[EncodedExample]) -> list[Prepared]:
        prompts, middles = [one.prompt for one in examples], [one.middle for one in examples]
        whole = self._network.prompt_states(prompts, middles, whole_depth=True)
        trained = [trained_part(self._network, state) for state in whole]
        guided = Teacher(self._network, self._as_reference())(examples, whole, trained)
        prepared = self._viewed(trained)
        return [replace(one, guided=own) for one, own in zip(prepared, guided, strict=True)]

    def _plain(self, examples: Sequence[EncodedExample]) -> list[Prepared]:
        states = self._network.prompt_states(
            [one.prompt for one in examples], [one.middle for one in examples]
        )
        return self._viewed(states)

    def _viewed(self, states: Sequence[PromptState]) -> list[Prepared]:
        prepared = []
        for part in (states[start : start + _PART] for start in range(0, len(states), _PART)):
            lengths = [state.length for state in part]
            view = view_of(self._network, self._hidden(part))
            views = zip(view.likely.split(lengths), view.log_probs.split(lengths), strict=True)
            prepared += [_prepared(state, View(*one)) for state, one in zip(part, views, strict=True)]
        return prepared

    def _as_reference(self) -> AbstractContextManager[None]:
        return _in_place(self._network, self._reference) if self._reference else adapter_off(self._network)

    def _hidden(self, states: Sequence[PromptState]) -> Tensor:
        if not self._reference:
            return torch.cat([state.base for state in states])
        with _in_place(self._network, self._reference), torch.no_grad():
            return self._network.middles(states)


def _prepared(state: PromptState, view: View) -> Prepared:
    """Copy what is kept, for a slice keeps all that it was cut from; the base's hidden states have served."""
    view = View(view.likely.clone(), view.log_probs.clone())
    return Prepared(replace(state, base=state.base.new_empty(0, state.base.shape[1])), view)


class Prompts:
    """The evaluated prompts of a training's examples."""

    def __init__(
        self, evaluation: Evaluation, examples: Sequence[EncodedExample], room: Callable[[], int]
    ) -> None:
        """``room`` says how many bytes there are for one more window, whenever one was evaluated."""
        self._evaluation, self._examples, self._room = evaluation, examples, room
        self._kept: dict[int, Prepared] = {}
        self._window: tuple[int, ...] = ()
        self._in_use: dict[int, Prepared] = {}

    def has(self, window: tuple[int, ...]) -> bool:
        """Whether a window's examples are at hand."""
        return window == self._window or all(index in self._kept for index in window)

    def of(self, window: tuple[int, ...]) -> dict[int, Prepared]:
        """Return a window's examples, by index, evaluating them where they are not at hand."""
        if window == self._window:
            return self._in_use
        if all(index in self._kept for index in window):
            found = {index: self._kept[index] for index in window}
        else:
            # Freed before, not after: else there would be two windows.
            self._window, self._in_use = (), {}
            evaluated = self._evaluation([self._examples[index] for index in window])
            found = dict(zip(window, evaluated, strict=True))
            self._keep(found)
        self._window, self._in_use = window, found
        return found

    def forget(self) -> None:
        """Give the memory back, and keep nothing more."""
        self._kept, self._room = {}, lambda: 0
        self._window, self._in_use = (), {}
        give_back()

    def _keep(self, prepared: dict[int, Prepared]) -> None:
        # They are in memory already; the next window will want as much again.
        if sum(one.bytes for one in prepared.values()) <= self._room():
            self._kept.update(prepared)


@contextmanager
def _in_place(network: Network, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Have the adapter's matrices be ``state`` inside the block."""
    current = adapter_state(network)
    load_adapter_state(network, state)
    try:
        yield
    finally:
        load_adapter_state(network, current)
