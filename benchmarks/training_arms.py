"""The arms of the training benchmark, each in a process of its own: ours, and PEFT with the Trainer.

``python training_arms.py ARM LESSON.json`` prints one JSON object. All read the same token ids: nothing but
the way of training differs.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "3000")

import torch
from torch import Tensor, nn

from learner.give_way import GiveWay, Machine
from learner.job import TrainingOptions
from learner.night.checkpoint import CheckpointFile
from learner.night.encoding import EncodedExample
from learner.night.gemm import choose_dtype, find_device, gemm_rate
from learner.night.lora import LoraShape, adapter_off, attach, parameters, top_layers
from learner.night.losses import log_probs
from learner.night.network import Network, load_network
from learner.night.training import peak_mb, train

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Lesson:
    """What every arm is given."""

    model: str
    training: list[EncodedExample]
    held_out: list[EncodedExample]
    options: dict[str, Any]
    peer_rate: float
    """The plain arm's learning rate: it adapts all layers, and so takes another one than ours."""
    peer_batch: int
    """Examples in one forward pass of the plain arm; gradients are accumulated to the same step as ours."""
    timed: int
    """Examples that the float32 arm trains on: only its speed is measured."""


def ours(lesson: Lesson) -> dict[str, Any]:
    """Train as the night does; time everything from the first prompt to the last step."""
    options = TrainingOptions(**lesson.options, give_way=(), minutes=600.0)
    device = find_device()
    network = load_network(Path(lesson.model), dtype=choose_dtype(device), device=device)
    layers = top_layers(network, options.layers or network.shape.layers)
    attach(network, LoraShape(options.rank, options.alpha, layers), seed=options.seed)
    with adapter_off(network):
        before = log_loss(network, lesson.held_out)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = train(
            network,
            lesson.training,
            options,
            checkpoint=CheckpointFile(Path(folder, "checkpoint"), "benchmark"),
            give_way=GiveWay(Machine(None), (), wait=lambda _: False),
            on_progress=lambda _: None,
        )
        seconds = time.perf_counter() - began
    rate = gemm_rate(network.dtype, device)
    return {
        "seconds": seconds,
        "prompt_seconds": result.prompt_seconds,
        "examples_per_second": len(lesson.training) * result.epochs / seconds,
        "examples_per_second_of_an_epoch": len(lesson.training)
        * result.epochs
        / (seconds - result.prompt_seconds),
        "base_log_loss": before,
        "log_loss": log_loss(network, lesson.held_out),
        "gemm_share": needed_flops(network, lesson.training, options) / rate / seconds,
        "gemm_gflops": rate / 1e9,
        "peak_mb": peak_mb(),
        "dtype": result.dtype,
        "epochs": result.epochs,
    }


def needed_flops(network: Network, examples: list[EncodedExample], options: TrainingOptions) -> float:
    """Return the floating-point operations that no way of doing this training could leave out.

    Each prompt and completion goes through every layer once; each epoch takes the completions forwards
    through the trained layers and the head, and back; the adapter's matrices have a gradient of their own.
    """
    blocks = [
        sum(weight.numel() for weight in block.parameters() if weight.ndim == 2) for block in network.blk
    ]
    adapter = sum(matrix.numel() for matrix in parameters(network))
    frozen, trained = sum(blocks) - adapter, sum(blocks[network.first_trained :]) - adapter
    head = network.output.weight.numel()
    tokens = sum(example.size for example in examples)
    rows = sum(len(example.middle) for example in examples)
    # The base's probabilities of each completion's tokens, for the anchor.
    once = 2 * frozen * tokens + 2 * head * rows
    each = (4 * trained + 4 * head + 6 * adapter) * rows
    return once + options.epochs * each


@torch.no_grad()
def log_loss(network: Network, examples: list[EncodedExample]) -> float:
    """Return the mean log-loss per target token, in nats."""
    losses = []
    for example in examples:
        (state,) = network.prompt_states([example.prompt], [example.middle])
        targets = torch.tensor(example.target, device=network.device)[:, None]
        losses.append(log_probs(network, network.middles([state]), targets)[:, 0])
    return -float(torch.cat(losses).mean())


def plain(lesson: Lesson, dtype: torch.dtype) -> dict[str, Any]:
    """Train as PEFT's documentation shows: whole sequences, every layer, transformers' Trainer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, GgufConfig, Trainer, TrainingArguments

    options = TrainingOptions(**lesson.options)
    path = Path(lesson.model)
    base = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, quantization_config=GgufConfig(dequantize=True), dtype=dtype
    )
    config = LoraConfig(r=options.rank, lora_alpha=int(options.alpha), target_modules=list(TARGETS))
    torch.manual_seed(options.seed)
    model = get_peft_model(base, config)
    is_timed_only = dtype == torch.float32
    training = lesson.training[: lesson.timed] if is_timed_only else lesson.training
    epochs = 1 if is_timed_only else options.epochs
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=lesson.peer_batch,
            gradient_accumulation_steps=max(1, options.batch // lesson.peer_batch),
            num_train_epochs=epochs,
            learning_rate=lesson.peer_rate,
            lr_scheduler_type="cosine",
            warmup_steps=math.ceil(options.warm_up * epochs * len(training) / options.batch),
            weight_decay=options.weight_decay,
            max_grad_norm=options.clip,
            seed=options.seed,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=training, data_collator=collated)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    found = {
        "seconds": seconds,
        "examples_per_second": len(training) * epochs / seconds,
        "peak_mb": peak_mb(),
        "dtype": str(dtype).removeprefix("torch."),
        "epochs": epochs,
    }
    return found if is_timed_only else {**found, "log_loss": plain_log_loss(model, lesson.held_out)}


def collated(examples: list[EncodedExample]) -> dict[str, Tensor]:
    """Pad whole sequences on the right; only the target's tokens have labels."""
    longest = max(example.size + 1 for example in examples)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "attention_mask": []}
    for example in examples:
        ids = [*example.prompt, example.middle[0], *example.target]
        labels = [-100] * (len(ids) - len(example.target)) + [*example.target]
        padding = longest - len(ids)
        rows["input_ids"].append(ids + [0] * padding)
        rows["labels"].append(labels + [-100] * padding)
        rows["attention_mask"].append([1] * len(ids) + [0] * padding)
    return {name: torch.tensor(values) for name, values in rows.items()}


@torch.no_grad()
def plain_log_loss(model: nn.Module, examples: list[EncodedExample]) -> float:
    model.eval()
    losses = []
    for example in examples:
        batch = {
            name: tensor.to(next(model.parameters()).device) for name, tensor in collated([example]).items()
        }
        labels = batch.pop("labels")[0, 1:]
        logits = model(**batch).logits[0, :-1].float()
        losses.append(nn.functional.cross_entropy(logits[labels >= 0], labels[labels >= 0], reduction="none"))
    return float(torch.cat(losses).mean())


ARMS = {
    "ours": ours,
    "plain-bfloat16": lambda lesson: plain(lesson, torch.bfloat16),
    "plain-float32": lambda lesson: plain(lesson, torch.float32),
}


def read_lesson(path: Path) -> Lesson:
    content = json.loads(path.read_text())
    for name in ("training", "held_out"):
        content[name] = [encoded(example) for example in content[name]]
    return Lesson(**content)


def encoded(content: dict[str, Any]) -> EncodedExample:
    """Return the example that was written as JSON, which knows lists only."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    return EncodedExample(**values)


if __name__ == "__main__":
    result = ARMS[sys.argv[1]](read_lesson(Path(sys.argv[2])))
    print(json.dumps(result))
