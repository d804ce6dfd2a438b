"""Self-distillation beside plain training: the same examples, seeds, steps and starting adapter.

The examples are cursors of a project that is newer than the models, the held-out ones in other files of it.
A teacher that sees what settled corrects the student's own completions (``learner/night/distillation.py``);
its share of the loss is what differs between the arms. Generic code shows what each arm forgets.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe import model_file
from projects import DEVELOPMENT, REPORTING, fetch
from report import RESULTS, Figure, publish
from rich.console import Console
from training import draw_examples
from training_ablation import measure

from learner.give_way import GiveWay, Machine
from learner.job import TrainingOptions
from learner.night.checkpoint import CheckpointFile
from learner.night.encoding import EncodedExample, encode_examples
from learner.night.export import load_adapter_into
from learner.night.gemm import choose_dtype, find_device
from learner.night.lora import LoraShape, adapter_state, attach, load_adapter_state, top_layers
from learner.night.network import Network, load_network
from learner.night.training import train
from learner.privacy import PrivacyFilter
from learner.replay_text import replay_examples
from models.checksum import sha256_of
from models.llama import Log, Model
from models.primers import primer_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

SHARES = (0.0, 0.5, 1.0)
"""Of the loss, by which the teacher teaches; 0 is plain training."""


def main() -> None:
    options = parse()
    model = model_file(options.model)
    usual = TrainingOptions(epochs=options.epochs, seed=options.seed, give_way=(), minutes=600.0)
    taught, held_out, generic = lesson(model, options, replace(usual, distillation=1.0))
    network, start = begin(model, usual)
    results: dict[str, Any] = {"before": measured(network, held_out, generic)}
    for share in options.shares:
        load_adapter_state(network, start)
        seconds = run(network, taught, replace(usual, distillation=share))
        results[name_of(share)] = {"seconds": seconds, **measured(network, held_out, generic)}
        Console(stderr=True).print(name_of(share), results[name_of(share)])
    details = {
        "model": model.name, "project": options.project, "examples": len(taught), "held_out": len(held_out),
        "epochs": options.epochs, "seed": options.seed,
        "starts_from": "primer" if any_primer(model) else "base", "results": results,
    }  # fmt: skip
    publish("distillation", figures(results), details, options.to)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, metavar="GGUF", help="by default the model in use")
    add("--project", default="qwenpaw", choices=[project.name for project in (*REPORTING, *DEVELOPMENT)])
    add("--examples", type=int, default=300)
    add("--held-out", type=int, default=300)
    add("--epochs", type=int, default=TrainingOptions.epochs)
    add("--seed", type=int, default=0)
    add("--shares", nargs="+", type=float, default=SHARES)
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    return parser.parse_args()


def lesson(
    model: Path, options: argparse.Namespace, teaching: TrainingOptions
) -> tuple[list[EncodedExample], list[EncodedExample], list[EncodedExample]]:
    """Return what is trained on, what is asked, and generic code, each as tokens."""
    project = next(project for project in (*REPORTING, *DEVELOPMENT) if project.name == options.project)
    drawn = draw_examples(fetch(project), options.examples + options.held_out, options.seed)
    generic = replay_examples(max(8, options.held_out // 2), options.seed, PrivacyFilter([]))
    vocabulary = Model.vocabulary_of(model, Log()).vocabulary

    def encoded(examples: Sequence[Any], **changes: Any) -> list[EncodedExample]:
        return encode_examples(examples, vocabulary, replace(teaching, **changes))[0]

    return (
        encoded(drawn[: options.examples]),
        encoded(drawn[options.examples :]),
        encoded(generic, replay=1.0),
    )


def any_primer(model: Path) -> Path | None:
    return primer_path(sha256_of(model))


def begin(model: Path, options: TrainingOptions) -> tuple[Network, dict[str, torch.Tensor]]:
    """Return the network with what a night begins from, and that adapter's state."""
    device = find_device()
    network = load_network(model, dtype=choose_dtype(device), device=device)
    if primer := any_primer(model):
        load_adapter_into(network, primer, base_sha256=sha256_of(model))
    else:
        layers = top_layers(network, options.layers or network.shape.layers)
        attach(network, LoraShape(options.rank, options.alpha, layers), seed=options.seed)
    return network, adapter_state(network)


def run(network: Network, examples: list[EncodedExample], options: TrainingOptions) -> float:
    """Train one arm; return its seconds."""
    if not options.distillation:
        examples = [replace(example, hinted=()) for example in examples]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train(
            network,
            examples,
            options,
            checkpoint=CheckpointFile(Path(folder, "checkpoint"), "distillation"),
            give_way=GiveWay(Machine(None), (), wait=lambda _: False),
            on_progress=lambda _: None,
        )
    return time.perf_counter() - began


def measured(
    network: Network, held_out: list[EncodedExample], generic: list[EncodedExample]
) -> dict[str, Any]:
    return {
        "held out": asdict(measure(network, held_out)),
        "generic": asdict(measure(network, generic)),
    }


def name_of(share: float) -> str:
    return f"teacher's share {share:g}" if share else "plain"


def figures(results: dict[str, Any]) -> list[Figure]:
    return [
        Figure(
            f"held-out log-loss, {name}",
            found["held out"]["log_loss"],
            note=f"exact match {found['held out']['exact_match']:.3f}; "
            f"generic log-loss {found['generic']['log_loss']:.3f}, "
            f"exact match {found['generic']['exact_match']:.3f}"
            + (f"; {found['seconds']:.0f} s" if "seconds" in found else ""),
        )
        for name, found in results.items()
    ]


if __name__ == "__main__":
    main()
