"""A GGUF model's shape, and its weights as torch tensors, dequantised one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize

from models.catalogue import ModelError
from models.gguf_file import read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from gguf import GGMLQuantizationType
    from numpy.typing import NDArray

# How llama.cpp rotates queries and keys, per architecture: neighbouring pairs, or halves ("NeoX").
_INTERLEAVED = {"llama": True, "qwen2": False}
_BLOCK_ELEMENTS = 1 << 20
"""Elements dequantised at once: the intermediate float32 arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Architecture:
    """A decoder's shape, as its GGUF metadata gives it."""

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    epsilon: float
    """Of RMSNorm."""
    rope_base: float
    interleaved: bool
    """RoPE turns neighbouring channels (llama.cpp's order for Llama) rather than a head's halves."""


class Weights:
    """The tensors of one GGUF file, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Map ``path`` and read its metadata.

        Raises:
            ModelError: the file is missing or damaged, or its architecture cannot be trained.
        """
        read_header(path)
        self.path = path
        reader = GGUFReader(path)
        self._fields = reader.fields
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.architecture = self._read_architecture()

    @property
    def names(self) -> set[str]:
        return set(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape in torch's order: (out, in) for a matrix."""
        return tuple(int(size) for size in reversed(self._tensors[name].shape))

    def size(self, name: str) -> int:
        """Return the bytes of ``name`` in the file."""
        return int(self._tensors[name].n_bytes)

    def fill(self, target: torch.Tensor, name: str, pool: ThreadPoolExecutor) -> None:
        """Dequantise tensor ``name`` into ``target``, in blocks of rows on ``pool``.

        Raises:
            ModelError: it has another shape, or a quantisation that ``gguf`` cannot undo.
        """
        if tuple(target.shape) != self.shape(name):
            raise ModelError(
                f"{self.path}: tensor {name} has the shape {self.shape(name)}, not {tuple(target.shape)}; "
                "get the model again"
            )
        tensor = self._tensors[name]
        rows = tensor.data.reshape(-1, tensor.data.shape[-1])
        lines = target.reshape(len(rows), -1)
        step = max(1, _BLOCK_ELEMENTS // lines.shape[1])
        fill = partial(_fill_rows, lines, rows, tensor.tensor_type, step)
        try:
            list(pool.map(fill, range(0, len(rows), step)))
        except NotImplementedError as error:
            kind = tensor.tensor_type.name
            raise ModelError(
                f"{self.path}: tensor {name} is quantised as {kind}, which cannot be trained on; "
                "choose a Q4_K_M file with `nightschool model use`"
            ) from error

    def table(self, name: str) -> Table:
        """Return tensor ``name`` as a table of quantised rows."""
        tensor = self._tensors[name]
        # A copy: the mapping, and with it the whole file's pages, can be let go.
        return Table(np.array(tensor.data), tensor.tensor_type, self.shape(name)[-1])

    def _read_architecture(self) -> Architecture:
        name = str(self._meta("general.architecture"))
        if name not in _INTERLEAVED:
            raise ModelError(
                f"{self.path} has the architecture {name!r}; a night can train {' and '.join(_INTERLEAVED)}: "
                "choose another model with `nightschool model use`"
            )
        meta = partial(self._named, name)
        heads, width = meta("attention.head_count"), meta("embedding_length")
        head_dim = meta("attention.key_length", width // heads)
        scaling = meta("rope.scaling.type", "none")
        if scaling != "none" or meta("rope.dimension_count", head_dim) != head_dim:
            raise ModelError(
                f"{self.path} has a RoPE that a night cannot train (scaling {scaling!r}, "
                f"{meta('rope.dimension_count', head_dim)} of {head_dim} channels); choose another model"
            )
        return Architecture(
            name=name,
            layers=meta("block_count"),
            width=width,
            heads=heads,
            kv_heads=meta("attention.head_count_kv", heads),
            head_dim=head_dim,
            feed_forward=meta("feed_forward_length"),
            epsilon=meta("attention.layer_norm_rms_epsilon"),
            rope_base=meta("rope.freq_base", 10_000.0),
            interleaved=_INTERLEAVED[name],
        )

    def _named(self, architecture: str, key: str, default: Any = None) -> Any:
        return self._meta(f"{architecture}.{key}", default)

    def _meta(self, key: str, default: Any = None) -> Any:
        if field := self._fields.get(key):
            return field.contents()
        if default is None:
            raise ModelError(f"{self.path} does not say its {key}; get the model again")
        return default


class Table:
    """A matrix that stays quantised; single rows are dequantised when they are asked for."""

    def __init__(self, data: NDArray[Any], kind: GGMLQuantizationType, width: int) -> None:
        self._data, self._kind, self.width = data, kind, width

    @property
    def height(self) -> int:
        return len(self._data)

    def rows(self, ids: Sequence[int]) -> torch.Tensor:
        """Return rows ``ids`` as float32, (len(ids), width)."""
        distinct, place = np.unique(np.asarray(ids, dtype=np.int64), return_inverse=True)
        return torch.from_numpy(dequantize(self._data[distinct], self._kind)[place])


def _fill_rows(
    target: torch.Tensor, rows: NDArray[Any], kind: GGMLQuantizationType, step: int, start: int
) -> None:
    # An unquantised tensor comes back as a view of the mapped file, which torch must not be given.
    part = np.require(dequantize(rows[start : start + step], kind), requirements=["C", "W"])
    target[start : start + step] = torch.from_numpy(part)
