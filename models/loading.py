"""From a GGUF file to a model that completes; each failure's message says how to mend it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil

from models.catalogue import ModelError
from models.checksum import sha256_of
from models.completer import Completer
from models.engine import EngineError
from models.gguf_file import read_header
from models.llama import AbortFlag, Context, ContextShape, Log, Model

if TYPE_CHECKING:
    from pathlib import Path

    from models.engine import EngineOptions

_SLOTS = 8
_GET = "download it again with `nightschool model get`"


def load(path: Path, options: EngineOptions, abort: AbortFlag) -> Completer:
    """Load the model at ``path``.

    Raises:
        EngineError: it cannot be loaded.
    """
    check(path, psutil.virtual_memory().available)
    pool = ThreadPoolExecutor(1, "checksum")
    digest = pool.submit(sha256_of, path)
    pool.shutdown(wait=False)
    model = open_model(path, options, repack=True)
    threads = options.threads or physical_cores()
    cells = min(options.cells, model.trained_cells)
    context = Context(model, ContextShape(cells, 2 * _SLOTS, threads), abort)
    completer = Completer(model, context, digest.result)
    if options.adapter:
        try:
            completer.use_adapter(options.adapter)
        except EngineError as error:
            completer.notice = f"{error}; the base model serves alone"
    return completer


def open_model(path: Path, options: EngineOptions, *, repack: bool) -> Model:
    """Load the weights; where llama.cpp cannot, the header may say why in clearer words.

    Raises:
        EngineError: it cannot be loaded.
    """
    try:
        return Model(path, gpu_layers=options.gpu_layers, repack=repack, log=Log())
    except EngineError as error:
        try:
            header = read_header(path)
        except ModelError as flaw:
            raise EngineError(f"{flaw}: run `nightschool model get`") from error
        raise EngineError(
            f"{error} (architecture {header.architecture!r}); choose another with `nightschool model use`, "
            "or upgrade llama-cpp-python"
        ) from error


def check(path: Path, available: int) -> None:
    """Find out cheaply whether ``path`` can be a model that fits ``available`` bytes of memory.

    Raises:
        EngineError: it cannot.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        reason = error.strerror
        raise EngineError(f"the model {path} cannot be read ({reason}); {_GET}") from error
    if magic != b"GGUF":
        raise EngineError(f"{path} is not a GGUF model: it begins with {magic!r}; {_GET}")
    if size > available:
        raise EngineError(
            f"the model {path} needs {size / 1e9:.1f} GB and {available / 1e9:.1f} GB of memory are free; "
            "close programs or choose a smaller model with `nightschool model use`"
        )


def physical_cores() -> int:
    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
