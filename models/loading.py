"""From a GGUF file to a model that completes; each failure's message says how to mend it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import psutil

from models.catalogue import ModelError
from models.checksum import remembered_sha256, sha256_of
from models.completer import Completer
from models.engine import EngineError
from models.gguf_file import read_header
from models.llama import AbortFlag, Context, ContextShape, Log, Model, has_gpu
from models.tuning import (
    COLD_TOKENS,
    BatchTiming,
    Search,
    Settings,
    Tuner,
    Tuning,
    default_settings,
    keystroke_ms,
)

if TYPE_CHECKING:
    from pathlib import Path

    from models.engine import EngineOptions
    from models.tuning import Chore

ALL_LAYERS = -1
_SLOTS = 8
_GET = "download it again with `nightschool model get`"


def load(path: Path, options: EngineOptions, abort: AbortFlag, log: Log) -> tuple[Completer, list[Chore]]:
    """Load the model at ``path``, with what is to be measured: its batches, and its best settings if unknown.

    Raises:
        EngineError: it cannot be loaded.
    """
    check(path, psutil.virtual_memory().available)
    pool = ThreadPoolExecutor(1, "checksum")
    digest = pool.submit(sha256_of, path)
    pool.shutdown(wait=False)
    tuning = Tuning(options.tuning) if options.tuning else None
    model = remembered_sha256(path) or ""
    known = tuning.known(model) if tuning else None
    settings = known or default_settings()
    if options.threads:
        settings = replace(settings, threads=options.threads)
    if options.bulk:
        # Repacking pays for single rows; on all processors measured it costs where there are many.
        settings = replace(settings, repack=False)
    context, notice = _begin(path, options, settings, abort, log)
    completer = Completer(context.model, context, digest.result)
    completer.notice = notice
    if options.adapter:
        try:
            completer.use_adapter(options.adapter)
        except EngineError as error:
            completer.notice = "; ".join(filter(None, (notice, f"{error}; the base model serves alone")))
    if tuning is None:
        return completer, []
    under = f"{settings}, {context.model.gpu_layers} layers on a GPU"
    chores: list[Chore] = [BatchTiming(tuning, completer.timer, digest.result, under)]
    if seconds := tuning.batch_seconds(model, under):
        completer.timer.know(seconds)
    # On a GPU, what is tuned here hardly matters, and a second copy of the weights may find no room.
    if not (known or context.model.gpu_layers):
        measure = partial(_measure, path, abort, log)
        search = Search(settings, measure, fixed_threads=options.threads is not None)
        chores.append(Tuner(tuning, search, digest.result))
    return completer, chores


def _begin(
    path: Path, options: EngineOptions, settings: Settings, abort: AbortFlag, log: Log
) -> tuple[Context, str]:
    """Return a context over the model, on the GPU where that is possible, and what the user should know."""
    layers = options.gpu_layers
    if layers is None and has_gpu():
        try:
            return _context(path, options, settings, abort, log, gpu_layers=ALL_LAYERS), ""
        except EngineError as error:
            notice = f"the GPU is not used, the processor computes: {error}"
            return _context(path, options, settings, abort, log, gpu_layers=0), notice
    return _context(path, options, settings, abort, log, gpu_layers=layers or 0), ""


def _context(
    path: Path, options: EngineOptions, settings: Settings, abort: AbortFlag, log: Log, *, gpu_layers: int
) -> Context:
    repack = settings.repack and not gpu_layers
    model = open_model(path, log, gpu_layers=gpu_layers, repack=repack)
    cells = min(options.cells, model.trained_cells)
    shape = ContextShape(cells, 2 * _SLOTS, settings.threads, flash=settings.flash)
    if options.bulk:
        shape = replace(shape, ubatch=shape.batch)
    try:
        return Context(model, shape.for_gpu() if gpu_layers else shape, abort)
    except EngineError:
        model.close()
        raise


def _measure(path: Path, abort: AbortFlag, log: Log, settings: Settings) -> float:
    """Return a typical keystroke's milliseconds with ``settings``; infinite where they cannot be tried.

    Raises:
        AbortedError: the flag went up.
    """
    try:
        # A second copy of the weights stands beside the one that serves.
        check(path, psutil.virtual_memory().available)
        model = open_model(path, log, gpu_layers=0, repack=settings.repack, abort=abort)
    except EngineError:
        return math.inf
    shape = ContextShape(COLD_TOKENS, 1, settings.threads, flash=settings.flash)
    try:
        context = Context(model, shape, abort)
        try:
            return keystroke_ms(partial(_decode_any, context, model.vocabulary.size // 2))
        finally:
            context.close()
    except EngineError:
        return math.inf
    finally:
        model.close()


def _decode_any(context: Context, token: int, rows: int) -> None:
    """Evaluate ``rows`` tokens, whichever they are, in an empty cache."""
    context.remove(0)
    context.decode([token + row for row in range(rows)], 0, 0, logits=True)


def open_model(
    path: Path, log: Log, *, gpu_layers: int, repack: bool, abort: AbortFlag | None = None
) -> Model:
    """Load the weights; where llama.cpp cannot, the header may say why in clearer words.

    Raises:
        EngineError: it cannot be loaded.
    """
    try:
        return Model(path, gpu_layers=gpu_layers, repack=repack, log=log, abort=abort)
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
