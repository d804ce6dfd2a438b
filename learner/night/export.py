"""A LoRA as a GGUF file: what llama.cpp serves, and what a later training starts from."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import numpy as np
import torch
from gguf import GGUFWriter

from learner.night import NightError
from learner.night.lora import TARGETS, LoraShape, adapter_state, attach, load_adapter_state
from learner.night.weights import read_table
from models.adapters import BASE_KEY
from models.catalogue import ModelError
from models.gguf_file import read_header

if TYPE_CHECKING:
    from pathlib import Path

    from learner.night.network import Network
    from models.gguf_file import Header

_ALPHA_KEY = "adapter.lora.alpha"


def export_adapter(network: Network, path: Path, *, base_sha256: str, name: str) -> None:
    """Write the network's adapter to ``path``, whole or not at all, readable by its owner alone.

    The matrices are float16. They need no reordering: the network rotates queries and keys in the order in
    which the GGUF holds their rows.

    Raises:
        NightError: there is no adapter, it is not finite, or the file cannot be written.
    """
    if network.adapter is None:
        raise NightError("there is no adapter to export; train one first")
    matrices = {key: matrix.to(torch.float16).numpy() for key, matrix in adapter_state(network).items()}
    if broken := [key for key, matrix in matrices.items() if not np.isfinite(matrix).all()]:
        raise NightError(f"the adapter's {broken[0]} is not finite; train again with a lower learning rate")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        writer = GGUFWriter(part, network.shape.name)
        _write(writer, network.adapter, matrices, base_sha256, name)
        _sync(part)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise NightError(f"cannot write the adapter {path}: {error.strerror or error}") from error


def _write(
    writer: GGUFWriter, shape: LoraShape, matrices: dict[str, np.ndarray], base: str, name: str
) -> None:
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32(_ALPHA_KEY, shape.alpha)
    writer.add_string(BASE_KEY, base)
    for key, matrix in matrices.items():
        writer.add_tensor(key, matrix)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def load_adapter_into(network: Network, path: Path, *, base_sha256: str) -> None:
    """Attach the adapter in the file ``path``: training goes on from it.

    Raises:
        NightError: it is missing or damaged, for another base than ``base_sha256``, or not one of ours.
    """
    try:
        header = read_header(path)
        state = {name: read_table(path, name, place)[:] for name, place in header.tensors.items()}
    except ModelError as error:
        raise NightError(f"the adapter {path} cannot be read: {error}") from error
    base = header.values.get(BASE_KEY)
    if base != base_sha256:
        raise NightError(f"the adapter {path} belongs to the base {base}, not to {base_sha256}")
    attach(network, _shape(path, header), seed=0)
    load_adapter_state(network, state)


def _shape(path: Path, header: Header) -> LoraShape:
    """Return the shape that the matrices' names and sizes tell."""
    try:
        # blk.LAYER.TARGET.weight.lora_a
        names = [name.split(".") for name in header.tensors]
        layers = sorted({int(name[1]) for name in names})
        found = {name[2] for name in names}
        (rank,) = {place.shape[0] for name, place in header.tensors.items() if name.endswith(".lora_a")}
        alpha = float(header.values[_ALPHA_KEY] or 0.0)
    except (IndexError, KeyError, ValueError) as error:
        raise NightError(f"{path} is no adapter that Nightschool has written") from error
    return LoraShape(rank, alpha, tuple(layers), tuple(target for target in TARGETS if target in found))


def _sync(path: Path) -> None:
    """Have the content on the disk before the name: a power cut must not leave an empty adapter."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
