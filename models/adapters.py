"""LoRA adapters as GGUF files: what they say of themselves, and whether they belong to the model."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

from models.catalogue import ModelError
from models.engine import EngineError
from models.gguf_file import read_header
from models.llama import llama

if TYPE_CHECKING:
    from pathlib import Path

    from models.llama import Model

BASE_KEY = "nightschool.base.sha256"
"""The adapter's metadata key that names its base model's file."""


def load_adapter(model: Model, path: Path, digest: str) -> Any:
    """Return llama.cpp's handle of the adapter at ``path``.

    Raises:
        EngineError: it is missing, damaged, or made for another model than the one with SHA-256 ``digest``.
    """
    architecture = model.meta("general.architecture")
    try:
        found = read_header(path).architecture
    except ModelError as error:
        raise EngineError(f"the adapter {path} cannot be used: {error}") from error
    if found != architecture:
        raise EngineError(
            f"the adapter {path} is for the architecture {found!r}, but {model.path} is {architecture!r}"
        )
    handle = llama.llama_adapter_lora_init(model.handle, os.fsencode(path))
    if not handle:
        raise EngineError(f"the adapter {path} does not fit the model {model.path}: {model.log.take()}")
    base = _meta(handle, BASE_KEY)
    if base and base != digest:
        llama.llama_adapter_lora_free(handle)
        raise EngineError(f"the adapter {path} was trained for the base {base}, but {model.path} is {digest}")
    return handle


def free_adapter(handle: Any) -> None:
    """Free an adapter that no context uses any more."""
    llama.llama_adapter_lora_free(handle)


def _meta(handle: Any, key: str) -> str:
    room = ctypes.create_string_buffer(512)
    size = llama.llama_adapter_meta_val_str(handle, key.encode(), room, len(room))
    return room.value.decode("utf-8", "replace") if size > 0 else ""
