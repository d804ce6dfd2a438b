"""Settings of our training compared: what each term of the loss, and each choice of shape and rate, is worth.

``python training_ablation.py LESSON.json`` prints one JSON object. Rejected offers are made as they come
about: the base's own likeliest token, where it first differs from what was written. Every variant starts from
the same adapter and sees the same prompts, which are evaluated once.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from report import append_row, read_rows
from rich.console import Console
from training_arms import Lesson, read_lesson

from learner.give_way import GiveWay, Machine
from learner.job import TrainingOptions
from learner.night.checkpoint import CheckpointFile
from learner.night.encoding import EncodedExample, encode_examples
from learner.night.gemm import choose_dtype, find_device
from learner.night.lora import (
    LoraShape,
    adapter_off,
    adapter_state,
    attach,
    load_adapter_state,
    top_layers,
)
from learner.night.network import Network, load_network
from learner.night.training import train
from learner.privacy import PrivacyFilter
from learner.replay_text import replay_examples
from models.llama import Log, Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no anchor": {"anchor": 0.0},
    "anchor 0.3": {"anchor": 0.3},
    "anchor 1": {"anchor": 1.0},
    "no unlikelihood": {"unlikelihood": 0.0},
    "unlikelihood 0.5": {"unlikelihood": 0.5},
    "no replay": {"replay": 0.0},
    "neither anchor, unlikelihood nor replay": {"anchor": 0.0, "unlikelihood": 0.0, "replay": 0.0},
    "half the rate": {"learning_rate": 0.5},
    "twice the rate": {"learning_rate": 2.0},
    "one epoch": {"epochs": 1},
    "three epochs": {"epochs": 3},
    "batch 4": {"batch": 4},
    "8 layers, rank 16": {"layers": 8, "rank": 16, "alpha": 32.0},
    "8 layers, rank 16, half the rate": {"layers": 8, "rank": 16, "alpha": 32.0, "learning_rate": 0.5},
    "rank 16": {"rank": 16, "alpha": 32.0},
    "rank 16, half the rate": {"rank": 16, "alpha": 32.0, "learning_rate": 0.5},
    "all layers, rank 4": {"layers": 0, "rank": 4, "alpha": 8.0},
}
"""Changes of the defaults; a learning rate is a factor of the default one."""


@dataclass(frozen=True)
class Measured:
    """Over the tokens of some completions."""

    log_loss: float
    exact_match: float
    """The share of completions whose every token is the likeliest."""
    wrong: float
    """The mean probability of the base's first wrong token."""


class Evaluated(Network):
    """Remembers what it has evaluated: variants of one shape share it."""

    remembered: dict[tuple[tuple[int, ...], tuple[int, ...]], Any]

    def prompt_states(
        self,
        prompts: Iterable[Sequence[int]],
        middles: Iterable[Sequence[int]],
        *,
        whole_depth: bool = False,
    ) -> list[Any]:
        assert not whole_depth, "only training with a teacher needs that"
        pairs = [(tuple(prompt), tuple(middle)) for prompt, middle in zip(prompts, middles, strict=True)]
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self.remembered]
        states = super().prompt_states([prompt for prompt, _ in missing], [middle for _, middle in missing])
        self.remembered.update(zip(missing, states, strict=True))
        return [self.remembered[pair] for pair in pairs]


def main() -> None:
    lesson, rows_file = read_lesson(Path(sys.argv[1])), Path(sys.argv[2])
    generic = generic_examples(lesson)
    results: dict[str, Any] = {row["name"]: row["result"] for row in read_rows(rows_file)}
    bench = None
    for name, changes in VARIANTS.items():
        if name in results or name not in sys.argv[3:]:
            continue
        options = changed(TrainingOptions(**lesson.options, give_way=(), minutes=600.0), changes)
        if bench is None or not bench.fits(options):
            bench = Bench(lesson, options)
            results["base"] = bench.base
        results[name] = bench.run(options, generic)
        append_row(rows_file, {"name": name, "result": results[name]})
        Console(stderr=True).print(name, results[name])
    print(json.dumps({"variants": VARIANTS, "results": results}))


class Bench:
    """A network with an adapter of one shape, and the examples that its base went wrong on."""

    def __init__(self, lesson: Lesson, options: TrainingOptions) -> None:
        device = find_device()
        self._shape = (options.rank, options.layers)
        self.network = load_network(Path(lesson.model), dtype=choose_dtype(device), device=device)
        self.network.__class__ = Evaluated
        self.network.__dict__["remembered"] = {}
        layers = top_layers(self.network, options.layers or self.network.shape.layers)
        attach(self.network, LoraShape(options.rank, options.alpha, layers), seed=options.seed)
        self._start = adapter_state(self.network)
        with adapter_off(self.network):
            self._taught = with_rejected(self.network, lesson.training)
            self._held_out = with_rejected(self.network, lesson.held_out)
            self.base = {"held out": asdict(measure(self.network, self._held_out))}

    def fits(self, options: TrainingOptions) -> bool:
        return self._shape == (options.rank, options.layers)

    def run(self, options: TrainingOptions, generic: list[EncodedExample]) -> dict[str, Any]:
        """Train one variant and measure it on held-out places of the project and of generic code."""
        load_adapter_state(self.network, self._start)
        middle = len(generic) // 2
        wanted = int(len(self._taught) * options.replay / (1.0 - options.replay))
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            train(
                self.network,
                [*self._taught, *generic[: min(wanted, middle)]],
                options,
                checkpoint=CheckpointFile(Path(folder, "checkpoint"), "ablation"),
                give_way=GiveWay(Machine(None), (), wait=lambda _: False),
                on_progress=lambda _: None,
            )
        return {
            "seconds": time.perf_counter() - began,
            "held out": asdict(measure(self.network, self._held_out)),
            "generic": asdict(measure(self.network, generic[middle:])),
        }


def changed(options: TrainingOptions, changes: dict[str, Any]) -> TrainingOptions:
    rate = options.learning_rate * changes.get("learning_rate", 1.0)
    return replace(options, **{**changes, "learning_rate": rate})


def generic_examples(lesson: Lesson) -> list[EncodedExample]:
    count = 2 * max(1, len(lesson.training) // 3)
    examples = replay_examples(count, 0, PrivacyFilter([]))
    random.Random(0).shuffle(examples)
    vocabulary = Model.vocabulary_of(Path(lesson.model), Log()).vocabulary
    return encode_examples(examples, vocabulary, TrainingOptions(**lesson.options))[0]


@torch.no_grad()
def with_rejected(network: Network, examples: list[EncodedExample]) -> list[EncodedExample]:
    """Return the examples with what the network offers where it first goes wrong."""
    found = []
    for example in examples:
        (state,) = network.prompt_states([example.prompt], [example.middle])
        likeliest = network.logits(network.middles([state])).argmax(1).tolist()
        pairs = enumerate(zip(example.target, likeliest, strict=True))
        wrong = next(((at, token) for at, (wanted, token) in pairs if wanted != token), None)
        found.append(replace(example, wrong=wrong))
    return found


@torch.no_grad()
def measure(network: Network, examples: list[EncodedExample]) -> Measured:
    losses, exact, wrong = [], [], []
    for example in examples:
        (state,) = network.prompt_states([example.prompt], [example.middle])
        log_probs = network.logits(network.middles([state])).log_softmax(1)
        targets = torch.tensor(example.target, device=log_probs.device)
        losses.append(-log_probs.gather(1, targets[:, None])[:, 0])
        exact.append(bool((log_probs.argmax(1) == targets).all()))
        if example.wrong:
            at, token = example.wrong
            wrong.append(float(log_probs[at, token].exp()))
    return Measured(float(torch.cat(losses).mean()), sum(exact) / len(exact), sum(wrong) / max(1, len(wrong)))


if __name__ == "__main__":
    main()
