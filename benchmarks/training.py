"""Training beside PEFT with transformers' Trainer: speed, what is learned, memory, share of multiplications.

The examples are cursors of a project that is newer than the models, the held-out ones in other files of it.
The plain arms train whole sequences with adapters on every layer, in bfloat16 and, for its speed alone, on
a few examples in float32. All minimise and are measured by the wanted tokens' own log-loss: the Trainer
knows no other ways of ending a line. ``--ablate`` compares settings of ours instead.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cursors import PASSED_OVER
from pipe import model_file
from projects import DEVELOPMENT, REPORTING, fetch
from report import RESULTS, SCRATCH, Figure, at_least, at_most, publish
from rich.console import Console
from training_ablation import VARIANTS

from learner.examples import Example, Source
from learner.file_examples import SourceFile, file_examples, read_source
from learner.job import TrainingOptions
from learner.night.encoding import encode_examples
from learner.privacy import PrivacyFilter
from models.llama import Log, Model

PER_FILE = 5
ARMS = ("ours", "plain-bfloat16", "plain-float32")


def main() -> None:
    options = parse()
    lesson = make_lesson(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lesson.json")
        path.write_text(json.dumps(lesson))
        if options.ablate:
            rows = str(ablation_rows(options))
            found = run_script("training_ablation.py", str(path), rows, *options.variants)
            publish(
                "training-ablation", compared(found["results"]), {**described(lesson), **found}, options.to
            )
            return
        arms = {arm: run_script("training_arms.py", arm, str(path)) for arm in options.arms}
    details = {"model": Path(lesson["model"]).name, **described(lesson), "arms": arms}
    publish("training", figures(arms), details, options.to)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, metavar="GGUF", help="by default the model in use")
    add("--project", default="qwenpaw", choices=[project.name for project in (*REPORTING, *DEVELOPMENT)])
    add("--examples", type=int, default=96)
    add("--held-out", type=int, default=96)
    add("--timed", type=int, default=8, help="examples for the float32 arm")
    add("--epochs", type=int, default=TrainingOptions.epochs)
    add("--layers", type=int, default=TrainingOptions.layers, help="of ours; 0 for all")
    add("--rank", type=int, default=TrainingOptions.rank)
    add("--rate", type=float, default=TrainingOptions.learning_rate)
    add("--peer-rate", type=float, default=2e-4)
    add("--peer-batch", type=int, default=2, help="examples in one pass of the plain arms")
    add("--seed", type=int, default=0)
    add("--arms", nargs="+", default=ARMS, choices=ARMS)
    add("--ablate", action="store_true", help="compare settings of ours instead")
    add("--variants", nargs="+", default=[*VARIANTS], choices=[*VARIANTS], help="of --ablate")
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    return parser.parse_args()


def make_lesson(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the arms are given, as JSON (:class:`training_arms.Lesson`)."""
    model = model_file(options.model)
    training_options = TrainingOptions(
        rank=options.rank,
        alpha=2.0 * options.rank,
        layers=options.layers,
        epochs=options.epochs,
        learning_rate=options.rate,
        seed=options.seed,
    )
    project = next(project for project in (*REPORTING, *DEVELOPMENT) if project.name == options.project)
    drawn = draw_examples(fetch(project), options.examples + options.held_out, options.seed)
    vocabulary = Model.vocabulary_of(model, Log()).vocabulary
    encoded, _ = encode_examples(drawn, vocabulary, training_options)
    encoded = [replace(example, instead=()) for example in encoded]
    return {
        "model": str(model),
        "training": [asdict(example) for example in encoded[: options.examples]],
        "held_out": [asdict(example) for example in encoded[options.examples :]],
        "options": {
            name: getattr(training_options, name)
            for name in ("rank", "alpha", "layers", "epochs", "learning_rate", "seed")
        },
        "peer_rate": options.peer_rate,
        "peer_batch": options.peer_batch,
        "timed": options.timed,
    }


def ablation_rows(options: argparse.Namespace) -> Path:
    """Return the file with the variants that were run: a killed ablation goes on with the next."""
    drawn = f"{options.project}-{options.examples}-{options.held_out}-{options.epochs}-{options.seed}"
    shape = f"{options.layers}x{options.rank}"
    return SCRATCH / f"training-ablation-{drawn}-{shape}-{model_file(options.model).stem}.jsonl"


def draw_examples(folder: Path, count: int, seed: int) -> list[Example]:
    """Return ``count`` cursors, file after file, so that none of a file is on both sides of a cut by much."""
    draw = random.Random(seed)
    privacy = PrivacyFilter([folder])
    paths = [path for path in sorted(folder.rglob("*.py")) if not PASSED_OVER.search(path.as_posix())]
    draw.shuffle(paths)
    found: list[Example] = []
    for path in paths:
        if len(found) >= count:
            return found[:count]
        if lines := read_source(path):
            name = path.relative_to(folder).as_posix()
            source = SourceFile(name, folder.name, name, lines, Source.REPOSITORY, 1.0, 0.0)
            found += file_examples(source, PER_FILE, draw, privacy)
    raise SystemExit(f"{folder.name} has only {len(found)} cursors to draw from, not {count}")


def run_script(*words: str) -> dict[str, Any]:
    """Run a script beside this one in a process of its own, and return the JSON that it prints last."""
    Console(stderr=True).print(" ".join(words[:2]))
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, here / words[0], *words[1:]], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{words[0]} {words[1]} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def described(lesson: dict[str, Any]) -> dict[str, Any]:
    def mean(name: str) -> float:
        return sum(len(example[name]) for example in lesson["training"]) / len(lesson["training"])

    return {
        "options": lesson["options"],
        "examples": len(lesson["training"]),
        "held_out": len(lesson["held_out"]),
        "prompt_tokens": mean("prompt"),
        "target_tokens": mean("target"),
    }


def compared(results: dict[str, dict[str, Any]]) -> list[Figure]:
    """Return each variant's held-out log-loss, with what it does to generic code."""
    return [
        Figure(
            f"held-out log-loss, {name}",
            result["held out"]["log_loss"],
            note=f"exact match {result['held out']['exact_match']:.3f}"
            + (f"; generic log-loss {result['generic']['log_loss']:.3f}" if "generic" in result else ""),
        )
        for name, result in results.items()
    ]


def figures(arms: dict[str, dict[str, Any]]) -> list[Figure]:
    ours = arms["ours"]
    per_epoch = ours["examples_per_second_of_an_epoch"]
    epochs = f"over {ours['epochs']:g} epochs"
    found = [
        Figure("examples per second and epoch", per_epoch, note="prompts are kept"),
        Figure("examples per second, prompts included", ours["examples_per_second"], note=epochs),
        at_least("share of the time in needed multiplications at the measured rate", ours["gemm_share"], 0.5),
        at_most("peak memory, MB", ours["peak_mb"], 6000),
        Figure("held-out log-loss of the base", ours["base_log_loss"]),
        Figure("held-out log-loss", ours["log_loss"]),
    ]
    for arm, least in (("plain-float32", 10.0), ("plain-bfloat16", 5.0)):
        if peer := arms.get(arm):
            speed = peer["examples_per_second"]
            found += [
                at_least(f"an epoch, times as fast as {arm}'s", per_epoch / speed, least),
                Figure(
                    f"times as fast as {arm}, prompts included",
                    ours["examples_per_second"] / speed,
                    note=epochs,
                ),
            ]
    if peer := arms.get("plain-bfloat16"):
        ratio = ours["log_loss"] / peer["log_loss"]
        found.append(at_most("held-out log-loss against plain-bfloat16's", ratio, 1.02))
    return found


if __name__ == "__main__":
    main()
