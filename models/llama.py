"""llama.cpp's low-level functions, typed: a model, and a context with its KV cache.

Only this module and :mod:`models.vocabulary` import ``llama_cpp``; it knows nothing of prompts, slots or
messages.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from llama_cpp import llama_cpp as _bindings

from models.engine import EngineError
from models.mapped import let_go_of_pages
from models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# The bindings' annotations name ctypes where Python numbers come and go.
llama: Any = _bindings

_ERROR_LEVEL = 4
"""``GGML_LOG_LEVEL_ERROR``; 5 continues the line before."""


class AbortedError(Exception):
    """The abort flag was raised while decoding; ubatches finished before stay in the cache."""


class NoRoomError(Exception):
    """The KV cache has no room for the batch; nothing was evaluated."""


class AbortFlag:
    """A byte that a decoding context polls after each graph node, without Python or its lock.

    The callback is libc's ``strlen`` on a two-byte buffer: zero while the flag is down.
    """

    def __init__(self) -> None:
        libc = ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
        self._buffer = ctypes.create_string_buffer(2)
        self.callback = ctypes.cast(libc.strlen, llama.ggml_abort_callback)
        self.argument = ctypes.cast(self._buffer, ctypes.c_void_p)

    def up(self) -> None:
        self._buffer[0] = b"\x01"

    def down(self) -> None:
        self._buffer[0] = b"\x00"

    @property
    def is_up(self) -> bool:
        return self._buffer[0] != b"\x00"


class Log:
    """llama.cpp's last error lines, which say what its return values do not.

    llama.cpp has one log for the whole process, and so every ``Log`` reads the same lines.
    """

    _errors: ClassVar[deque[str]] = deque(maxlen=4)
    _callback: ClassVar[Any] = None
    """llama.cpp goes on calling it, so that it must outlive whoever asked for it."""

    def __init__(self) -> None:
        if Log._callback is None:
            Log._callback = llama.llama_log_callback(self._keep)
        llama.llama_log_set(Log._callback, ctypes.c_void_p(0))

    @staticmethod
    def _keep(level: int, text: bytes, _: Any) -> None:
        if level == _ERROR_LEVEL:
            Log._errors.append(text.decode("utf-8", "replace").strip())

    def take(self) -> str:
        """Return the error lines since the last call, joined."""
        text = "; ".join(self._errors)
        self._errors.clear()
        return text


def has_gpu() -> bool:
    """Whether this llama.cpp build computes on a GPU of this machine."""
    return bool(llama.llama_supports_gpu_offload())


class Model:
    """The weights of one GGUF file."""

    def __init__(
        self,
        path: Path,
        *,
        gpu_layers: int,
        repack: bool,
        log: Log,
        abort: AbortFlag | None = None,
        vocab_only: bool = False,
    ) -> None:
        """Load ``path``; with ``abort``, that can be called off.

        Raises:
            AbortedError: the flag went up.
            EngineError: llama.cpp cannot load it.
        """
        params = llama.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.use_extra_bufts = repack
        params.vocab_only = vocab_only
        if abort:
            progress = llama.llama_progress_callback(lambda _, __: not abort.is_up)
            params.progress_callback = progress
        self.log = log
        self.path = path
        self.gpu_layers = gpu_layers
        self._model: Any = llama.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            if abort and abort.is_up:
                raise AbortedError
            raise EngineError(f"llama.cpp cannot load the model {path}: {log.take()}")
        if repack:
            let_go_of_pages(path)
        self.vocabulary = Vocabulary(self._model)

    @classmethod
    def vocabulary_of(cls, path: Path, log: Log) -> Model:
        """Load the tokenizer of ``path`` without its weights: it tokenizes, and decodes nothing.

        Raises:
            EngineError: llama.cpp cannot load it.
        """
        return cls(path, gpu_layers=0, repack=False, log=log, vocab_only=True)

    @property
    def handle(self) -> Any:
        return self._model

    def meta(self, key: str) -> str:
        """Return the GGUF metadata value of ``key`` as text, or an empty string."""
        room = ctypes.create_string_buffer(512)
        size = llama.llama_model_meta_val_str(self._model, key.encode(), room, len(room))
        return room.value.decode("utf-8", "replace") if size >= 0 else ""

    @property
    def trained_cells(self) -> int:
        """The context length that the model was trained for."""
        return llama.llama_model_n_ctx_train(self._model)

    def close(self) -> None:
        llama.llama_model_free(self._model)


@dataclass(frozen=True)
class ContextShape:
    cells: int
    sequences: int
    threads: int
    batch: int = 512
    """Rows in one call; llama.cpp aborts the process on a longer batch."""
    ubatch: int = 128
    """Rows computed at once: an abort loses at most these."""
    outputs: int = 16
    """Rows of one call that may give logits."""
    flash: bool = True

    def for_gpu(self) -> ContextShape:
        """Return the shape whose calls are as short as its parts.

        Only the processor asks llama.cpp's abort callback; on a GPU the flag is looked at between two calls.
        """
        return replace(self, batch=self.ubatch)


class Context:
    """A KV cache over several sequences, and the computation that fills it."""

    def __init__(self, model: Model, shape: ContextShape, abort: AbortFlag) -> None:
        params = llama.llama_context_default_params()
        params.n_ctx = shape.cells
        params.n_batch = shape.batch
        params.n_ubatch = shape.ubatch
        params.n_seq_max = shape.sequences
        # The default reserves logits for a whole batch: 300 MB for a vocabulary of 150,000.
        params.n_outputs_max = shape.outputs
        params.n_threads = params.n_threads_batch = shape.threads
        params.kv_unified = True
        params.no_perf = True
        params.flash_attn_type = (
            llama.LLAMA_FLASH_ATTN_TYPE_AUTO if shape.flash else llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        params.abort_callback = abort.callback
        params.abort_callback_data = abort.argument
        self._abort = abort
        self._log = model.log
        self.model = model
        self.shape = shape
        self._context: Any = llama.llama_init_from_model(model.handle, params)
        if not self._context:
            raise EngineError(f"llama.cpp cannot make a context of {shape.cells} cells: {self._log.take()}")
        self._memory: Any = llama.llama_get_memory(self._context)
        self._batch: Any = llama.llama_batch_init(shape.batch, 0, 1)
        self._vocabulary_size = model.vocabulary.size
        self._is_shifted = False

    @property
    def handle(self) -> Any:
        return self._context

    def decode(self, tokens: Sequence[int], position: int, sequence: int, *, logits: bool = False) -> None:
        """Evaluate ``tokens`` at ``position`` and following of ``sequence``; the last may give logits.

        Raises:
            AbortedError: the abort flag went up; :meth:`end` tells how far it came.
            NoRoomError: the cache is full.
            EngineError: llama.cpp failed.
        """
        if self._is_shifted and tokens:
            tokens, position = self._rotate(tokens, position, sequence, logits)
        for start in range(0, len(tokens), self.shape.batch):
            part = tokens[start : start + self.shape.batch]
            is_last = start + len(part) == len(tokens)
            self._decode_part(part, position + start, sequence, logits and is_last)

    def _rotate(
        self, tokens: Sequence[int], position: int, sequence: int, logits: bool
    ) -> tuple[Sequence[int], int]:
        """Decode the first token with the abort flag disconnected; return the others and their position.

        llama.cpp rotates the keys of shifted cells before the batch; aborted half-way, it would
        rotate those that were done a second time.
        """
        llama.llama_set_abort_callback(self._context, llama.ggml_abort_callback(), None)
        try:
            self._decode_part(tokens[:1], position, sequence, logits and len(tokens) == 1)
        finally:
            llama.llama_set_abort_callback(self._context, self._abort.callback, self._abort.argument)
        self._is_shifted = False
        return tokens[1:], position + 1

    def logits_after_each(
        self, tokens: Sequence[int], position: int, sequence: int
    ) -> Iterator[NDArray[np.float32]]:
        """Evaluate at most ``shape.outputs`` tokens at once; yield the logits after each, (vocabulary,).

        Each is a view that the next decode overwrites.

        Raises:
            AbortedError, NoRoomError, EngineError: as :meth:`decode`, before anything is yielded.
        """
        if self._is_shifted:
            self._rotate(tokens, position, sequence, logits=False)
            self.remove(sequence, position)
        self._decode_part(tokens, position, sequence, logits=False, each=True)
        for row in range(len(tokens)):
            yield self.logits(row)

    def _decode_part(
        self, tokens: Sequence[int], position: int, sequence: int, logits: bool, *, each: bool = False
    ) -> None:
        if self._abort.is_up:
            raise AbortedError
        batch = self._batch
        batch.n_tokens = len(tokens)
        for row, token in enumerate(tokens):
            batch.token[row] = token
            batch.pos[row] = position + row
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = each
        batch.logits[len(tokens) - 1] = logits or each
        code = llama.llama_decode(self._context, batch)
        if code == 2:
            raise AbortedError
        if code == 1:
            raise NoRoomError
        if code:
            raise EngineError(f"llama.cpp failed to decode {len(tokens)} tokens ({code}): {self._log.take()}")

    def logits(self, row: int = -1) -> NDArray[np.float32]:
        """Return a row's logits, (vocabulary,), of the last batch; a view that the next decode overwrites."""
        found = llama.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(found, (self._vocabulary_size,))

    def end(self, sequence: int) -> int:
        """Return the position after the last cell of ``sequence``; 0 when it has none."""
        return llama.llama_memory_seq_pos_max(self._memory, sequence) + 1

    def copy(self, source: int, target: int, start: int = 0, stop: int = -1) -> None:
        """Let ``target`` share ``source``'s cells at positions [start, stop); costs no computation."""
        llama.llama_memory_seq_cp(self._memory, source, target, start, stop)

    def remove(self, sequence: int, start: int = 0, stop: int = -1) -> None:
        """Take positions [start, stop) from ``sequence``; cells that no sequence has become free."""
        llama.llama_memory_seq_rm(self._memory, sequence, start, stop)

    def shift(self, sequence: int, by: int) -> None:
        """Move all cells of ``sequence`` by ``by`` positions; the next decode pays for rotating the keys."""
        self._is_shifted = True
        llama.llama_memory_seq_add(self._memory, sequence, 0, -1, by)

    def state(self, sequence: int) -> bytes:
        """Return the sequence's cells as llama.cpp serialises them."""
        size = llama.llama_state_seq_get_size(self._context, sequence)
        room = (ctypes.c_uint8 * size)()
        llama.llama_state_seq_get_data(self._context, room, size, sequence)
        return bytes(room)

    def use_adapters(self, adapters: Iterable[Any], scale: float = 1.0) -> None:
        """Decode with exactly these LoRA adapters, at full scale by default, from the next batch on."""
        handles = list(adapters)
        if not handles:
            llama.llama_set_adapters_lora(self._context, None, 0, None)
            return
        array = (llama.llama_adapter_lora_p_ctypes * len(handles))(*handles)
        scales = (ctypes.c_float * len(handles))(*[scale] * len(handles))
        llama.llama_set_adapters_lora(self._context, array, len(handles), scales)

    def close(self) -> None:
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._context)
