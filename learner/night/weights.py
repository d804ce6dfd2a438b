"""A GGUF model's shape, and its weights as torch tensors, dequantised one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quant_shape_to_byte_shape

from models.catalogue import ModelError
from models.gguf_file import read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from numpy.typing import NDArray

    from models.gguf_file import TensorPlace

# How llama.cpp rotates queries and keys, per architecture: neighbouring channels, or halves ("NeoX").
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
    """The tensors of one GGUF file, read one after the other: mapped pages would count as memory as well."""

    def __init__(self, path: Path) -> None:
        """Read the metadata of ``path``.

        Raises:
            ModelError: the file is missing or damaged, or its architecture cannot be trained.
        """
        self.path = path
        self._header = read_header(path)
        self.architecture = self._read_architecture()

    @property
    def names(self) -> set[str]:
        return set(self._header.tensors)

    def elements(self, name: str) -> int:
        return int(np.prod(self._header.tensors[name].shape))

    def fill(self, target: torch.Tensor, name: str, pool: ThreadPoolExecutor) -> None:
        """Dequantise tensor ``name`` into ``target``, in blocks of rows on ``pool``.

        Raises:
            ModelError: it has another shape, or a quantisation that ``gguf`` cannot undo.
        """
        table = self.table(name)
        shape = self._header.tensors[name].shape
        if tuple(target.shape) != shape:
            raise ModelError(
                f"{self.path}: tensor {name} has the shape {shape}, not {tuple(target.shape)}; "
                "get the model again"
            )
        lines = target.reshape(table.height, -1)
        step = max(1, _BLOCK_ELEMENTS // lines.shape[1])

        def fill(start: int) -> None:
            lines[start : start + step] = table[start : start + step]

        try:
            list(pool.map(fill, range(0, table.height, step)))
        except NotImplementedError as error:
            raise ModelError(
                f"{self.path}: tensor {name} is quantised as {table.kind.name}, which cannot be trained on; "
                "choose a Q4_K_M file with `nightschool model use`"
            ) from error

    def table(self, name: str) -> Table:
        """Return tensor ``name`` as a table of quantised rows; a vector is one row.

        Raises:
            ModelError: it ends beyond the file's end.
        """
        return read_table(self.path, name, self._header.tensors[name])

    def _read_architecture(self) -> Architecture:
        name = self._header.architecture
        if name not in _INTERLEAVED:
            raise ModelError(
                f"{self.path} has the architecture {name!r}; a night can train {' and '.join(_INTERLEAVED)}: "
                "choose another model with `nightschool model use`"
            )
        meta = partial(self._meta, name)
        heads, width = meta("attention.head_count"), meta("embedding_length")
        head_dim = meta("attention.key_length", width // heads)
        scaling, rotated = meta("rope.scaling.type", "none"), meta("rope.dimension_count", head_dim)
        if scaling != "none" or rotated != head_dim:
            raise ModelError(
                f"{self.path} has a RoPE that a night cannot train (scaling {scaling!r}, {rotated} of "
                f"{head_dim} channels); choose another model with `nightschool model use`"
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

    def _meta(self, architecture: str, key: str, default: Any = None) -> Any:
        value = self._header.values.get(f"{architecture}.{key}", default)
        if value is None:
            raise ModelError(f"{self.path} does not say its {architecture}.{key}; get the model again")
        return value


def read_table(path: Path, name: str, place: TensorPlace) -> Table:
    """Return the matrix (or the vector, as one row) that the GGUF file ``path`` has at ``place``.

    Raises:
        ModelError: it ends beyond the file's end.
    """
    kind = GGMLQuantizationType(place.kind)
    height, width = (1, *place.shape)[-2:]
    _, row_bytes = quant_shape_to_byte_shape((height, width), kind)
    data = np.fromfile(path, np.uint8, count=height * row_bytes, offset=place.start)
    if len(data) < height * row_bytes:
        raise ModelError(f"{path} is cut short: it ends within {name}; get it again")
    return Table(data.reshape(height, row_bytes), kind)


class Table:
    """A matrix that stays quantised; rows are dequantised when they are asked for."""

    def __init__(self, data: NDArray[np.uint8], kind: GGMLQuantizationType) -> None:
        self._data, self.kind = data, kind

    @property
    def height(self) -> int:
        return len(self._data)

    def __getitem__(self, rows: slice) -> torch.Tensor:
        """Return consecutive rows in float32, (rows, width)."""
        return torch.from_numpy(dequantize(self._data[rows], self.kind))

    def rows(self, ids: Sequence[int]) -> torch.Tensor:
        """Return rows ``ids`` in float32, (len(ids), width)."""
        distinct, place = np.unique(np.asarray(ids, dtype=np.int64), return_inverse=True)
        return torch.from_numpy(dequantize(self._data[distinct], self.kind)[place])
