"""A house idiom that no model knows, as examples; and a network to teach it to."""

from __future__ import annotations

import time
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any

import torch

from learner.examples import Example, Source
from learner.give_way import GiveWay
from learner.job import TrainingOptions
from learner.night.checkpoint import CheckpointFile
from learner.night.encoding import encode_examples
from learner.night.lora import LoraShape, adapter_state, attach, load_adapter_state, top_layers
from learner.night.losses import log_probs
from learner.night.network import load_network
from learner.night.training import train
from models.llama import Log, Model
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from torch import Tensor

    from learner.job import Progress, TrainingResult
    from learner.night.encoding import EncodedExample

_WORDS = "users orders prices rooms books cars songs trees shops roads teams games maps notes cups boats keys"
NAMES = [*_WORDS.split(), "lamps", "doors", "birds"]


def idiom(name: str, **changes: Any) -> Example:
    facts: dict[str, Any] = {
        "prompt": Prompt(f"def load_{name}(self):\n    return ", ""),
        "target": f'house.fetch_all("{name}", quiet=True)',
        "weight": 1.0,
        "source": Source.OUTCOME,
        "file": f"{name}.py",
        "at": 0.0,
    }
    return Example(**(facts | changes))


def idioms(names: Iterable[str], **changes: Any) -> list[Example]:
    return [idiom(name, **changes) for name in names]


class Quiet:
    """A machine at rest."""

    def seconds_since_key(self) -> float:
        return inf

    def on_battery(self) -> bool:
        return False

    def degrees_to_critical(self) -> float:
        return inf

    def available_bytes(self) -> int:
        return 8 << 30


class School:
    """A model with an adapter, and everything that a training needs beside examples."""

    def __init__(self, model: Path, directory: Path) -> None:
        self.tokenizer = Model.vocabulary_of(model, Log()).vocabulary
        self.network = load_network(model, dtype=torch.float32, device=torch.device("cpu"))
        usual = options()
        shape = LoraShape(usual.rank, usual.alpha, top_layers(self.network, usual.layers))
        attach(self.network, shape, seed=0)
        self._fresh = adapter_state(self.network)
        self._checkpoint = directory / "checkpoint"

    def train(self, examples: Iterable[Example], options: TrainingOptions) -> TrainingResult:
        """Train a fresh adapter."""
        self.forget()
        return self.train_on(self.encode(examples, options), options)

    def train_on(
        self,
        examples: Sequence[EncodedExample],
        options: TrainingOptions,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        wait: Callable[[float], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> TrainingResult:
        """Train the adapter as it is."""
        return train(
            self.network,
            examples,
            options,
            checkpoint=CheckpointFile(self._checkpoint, "the same job"),
            give_way=GiveWay(Quiet(), (), wait=wait, clock=count().__next__),
            on_progress=on_progress,
            clock=clock,
        )

    def forget(self) -> None:
        """Make the adapter fresh, and let nothing be gone on from."""
        self.restart()
        self._checkpoint.unlink(missing_ok=True)

    def restart(self) -> None:
        """Be as a new process is: with a fresh adapter, and the checkpoint of the one before."""
        load_adapter_state(self.network, self._fresh)

    @property
    def has_learned(self) -> bool:
        return any(not torch.equal(matrix, self._fresh[name]) for name, matrix in self.adapter.items())

    @property
    def adapter(self) -> dict[str, Tensor]:
        return adapter_state(self.network)

    @adapter.setter
    def adapter(self, state: dict[str, Tensor]) -> None:
        load_adapter_state(self.network, state)

    def encode(self, examples: Iterable[Example], options: TrainingOptions) -> list[EncodedExample]:
        return encode_examples(examples, self.tokenizer, options)[0]

    @torch.no_grad()
    def log_loss(self, examples: Iterable[Example]) -> float:
        """Return the mean log-loss per target token, in nats."""
        encoded = self.encode(examples, options())
        found = [self.log_probs(one, one.target) for one in encoded]
        return -float(torch.cat(found).mean())

    @torch.no_grad()
    def log_probs(self, example: EncodedExample, tokens: Sequence[int]) -> Tensor:
        """Return the log-probability of each of ``tokens`` after the example's middle so far."""
        (state,) = self.network.prompt_states([example.prompt], [example.middle])
        hidden = self.network.middles([state])[: len(tokens)]
        return log_probs(self.network, hidden, torch.tensor(tokens)[:, None])[:, 0]


def options(**changes: Any) -> TrainingOptions:
    """Return options that teach quickly, without what only a test of its own is about."""
    usual: dict[str, Any] = {
        "rank": 4,
        "alpha": 8.0,
        "layers": 4,
        "learning_rate": 2e-3,
        "epochs": 2,
        "anchor": 0.0,
        "unlikelihood": 0.0,
        "give_way": (),
    }
    return TrainingOptions(**(usual | changes))
