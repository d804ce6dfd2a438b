"""From a job to an adapter: everything that a training process does, in order."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from learner.job import JobError, Progress
from learner.night.allocator import give_back
from learner.night.checkpoint import CheckpointFile, digest_of
from learner.night.encoding import encode_examples
from learner.night.export import export_adapter, load_adapter_into
from learner.night.frozen import storage_of
from learner.night.gemm import choose_dtype, find_device
from learner.night.lora import LoraShape, attach, top_layers
from learner.night.network import load_network
from learner.night.parity import check_parity
from learner.night.training import train
from models.checksum import sha256_of
from models.llama import Log, Model

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from learner.examples import Example
    from learner.give_way import GiveWay
    from learner.job import Job, JobFiles, TrainingResult
    from learner.night.encoding import EncodedExample
    from learner.night.network import Network
    from learner.night.parity import Parity

_COMPARED = 4
"""Examples on which llama.cpp is held against torch."""


def run(
    job: Job,
    files: JobFiles,
    examples: Sequence[Example],
    give_way: GiveWay,
    on_progress: Callable[[Progress], None],
    began_at: float,
) -> TrainingResult:
    """Train on ``examples`` and leave the adapter in ``files``.

    Raises:
        InterruptionError: it was told to stop; the checkpoint has what was done.
        JobError, NightError, ModelError, EngineError, OSError: it cannot be done.
    """
    # One for the whole process: llama.cpp goes on calling it.
    log = Log()
    encoded, left_out = encode(job, examples, log)

    def loading(share: float) -> None:
        give_way.make_room(lambda reason: on_progress(Progress("pause", note=reason.sentence)))
        on_progress(Progress("load", int(100 * share), 100))

    network = load(job, loading)
    checkpoint = CheckpointFile(files.checkpoint, digest_of(job, files, str(network.dtype)))
    result = train(
        network,
        encoded,
        job.options,
        checkpoint=checkpoint,
        give_way=give_way,
        on_progress=on_progress,
        spent_s=time.monotonic() - began_at - give_way.paused_s,
    )
    on_progress(Progress("export"))
    # The prompts that were kept make room for the engine that the adapter is compared in.
    give_back()
    export_adapter(network, files.adapter, base_sha256=job.base, name=job.name)
    compare(network, job, files, encoded, log)
    checkpoint.remove()
    notes = result.notes
    if shortened := sum(example.is_shortened for example in encoded):
        notes = (*notes, f"{shortened} of {len(encoded)} examples were shortened")
    return replace(result, left_out={**left_out, **result.left_out}, notes=notes)


def encode(job: Job, examples: Sequence[Example], log: Log) -> tuple[list[EncodedExample], Counter[str]]:
    """Return the examples in the tokens of the job's model, which is checked to be the one that is meant."""
    if (found := sha256_of(job.model)) != job.base:
        raise JobError(
            f"{job.model} has the SHA-256 {found}, not {job.base}; the model was replaced: start a new night"
        )
    model = Model.vocabulary_of(job.model, log)
    try:
        return encode_examples(examples, model.vocabulary, job.options)
    finally:
        model.close()


def compare(
    network: Network, job: Job, files: JobFiles, encoded: Sequence[EncodedExample], log: Log
) -> Parity:
    """Hold llama.cpp's predictions with the exported adapter against the network's, on the shortest prompts.

    Raises:
        ParityError: llama.cpp would not serve what was trained.
    """
    shortest = sorted(encoded, key=lambda example: len(example.prompt))[:_COMPARED]
    pairs = [(example.prompt, example.middle) for example in shortest]
    return check_parity(network, job.model, files.adapter, pairs, base_sha256=job.base, log=log)


def load(job: Job, progress: Callable[[float], None]) -> Network:
    """Return the job's model with the adapter to be trained."""
    device = find_device()
    dtype = choose_dtype(device)
    network = load_network(
        job.model, dtype=dtype, device=device, storage=storage_of(dtype), progress=progress
    )
    if job.start:
        load_adapter_into(network, job.start, base_sha256=job.base)
    else:
        options = job.options
        layers = top_layers(network, options.layers or network.shape.layers)
        attach(network, LoraShape(options.rank, options.alpha, layers), seed=options.seed)
    return network
