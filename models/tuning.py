"""Which engine settings are fastest on this machine for this model: measured once, when idle, and kept.

The first start serves with defaults; the winner serves from the next start on. What is timed is a typical
keystroke: three prompt tokens, ten generated ones, and a share of a cold prompt.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from models.checksum import remember
from models.home import private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.draft_length import BatchTimer

COLD_SHARE = 0.2
"""How much of a cold prompt of :data:`COLD_TOKENS` tokens belongs to a typical keystroke."""
COLD_TOKENS = 64
_BATCHES = "batches"
"""In the file beside the machines: what batches take on each."""


@dataclass(frozen=True)
class Settings:
    threads: int
    repack: bool = True
    """Weights in the layout that this processor computes fastest; costs a copy in memory."""
    flash: bool = True
    """Flash attention where llama.cpp finds it usable."""


def default_settings() -> Settings:
    """Return what is begun with: a thread for each core that this process may run on."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return Settings(cores)


def machine() -> str:
    """Return what identifies this machine's speed: processor, cores, and the llama.cpp build."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {psutil.cpu_count(logical=False)} cores, llama-cpp-python {version('llama-cpp-python')}"


class Tuning:
    """The file of measured settings, by machine and model."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self, model: str) -> Settings | None:
        """Return the winner for the model with this SHA-256, or None where none is known."""
        with contextlib.suppress(KeyError, TypeError):
            return Settings(**self._read()[machine()][model])
        return None

    def keep(self, model: str, winner: Settings) -> None:
        """Write the winner; a full disk costs another measurement at the next start."""
        with contextlib.suppress(OSError):
            content = self._read()
            content.setdefault(machine(), {})[model] = asdict(winner)
            private_directory(self._path.parent)
            remember(self._path, content)

    def batch_seconds(self, model: str, under: str) -> dict[int, float] | None:
        """Return what batches take with the model ``under`` settings, by their rows; None if unknown."""
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            measured = self._read()[_BATCHES][machine()][model][under]
            return {int(rows): float(seconds) for rows, seconds in measured.items()}
        return None

    def keep_batch_seconds(self, model: str, under: str, measured: Mapping[int, float]) -> None:
        """Write what batches take; a full disk costs another measurement at the next start."""
        with contextlib.suppress(OSError):
            content = self._read()
            kept = content.setdefault(_BATCHES, {}).setdefault(machine(), {})
            kept[model] = {under: measured}
            private_directory(self._path.parent)
            remember(self._path, content)

    def _read(self) -> dict:
        """Return the file's content; a missing or damaged one is empty."""
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(self._path.read_text("ascii"))
            if isinstance(content, dict):
                return content
        return {}


class Search:
    """Improves one setting at a time, by one measurement per :meth:`step`."""

    def __init__(self, start: Settings, measure: Callable[[Settings], float], *, fixed_threads: bool) -> None:
        """``measure`` returns milliseconds; what it raises leaves the search where it was."""
        self._measure = measure
        self._measured: dict[Settings, float] = {}
        self._changes: list[dict] = [{}, {"repack": not start.repack}, {"flash": not start.flash}]
        if not fixed_threads:
            fewer = {start.threads - 1, start.threads // 2} - {0, start.threads}
            self._changes += [{"threads": threads} for threads in sorted(fewer)]
        self.best = start

    @property
    def is_done(self) -> bool:
        return not self._changes

    def step(self) -> None:
        settings = replace(self.best, **self._changes[0])
        self._measured[settings] = self._measure(settings)
        del self._changes[0]
        self.best = min(self._measured, key=self._measured.__getitem__)


class Chore(Protocol):
    """Something to measure while nobody waits, in steps; aborted, a step is made again."""

    @property
    def is_done(self) -> bool: ...

    def step(self) -> None: ...


class Tuner:
    """Runs a search and keeps its winner."""

    def __init__(self, tuning: Tuning, search: Search, digest: Callable[[], str]) -> None:
        self._tuning, self._search, self._digest = tuning, search, digest

    @property
    def is_done(self) -> bool:
        return self._search.is_done

    def step(self) -> None:
        self._search.step()
        if self._search.is_done:
            self._tuning.keep(self._digest(), self._search.best)


class BatchTiming:
    """Times batches, and keeps what they take for the next start."""

    def __init__(self, tuning: Tuning, timer: BatchTimer, digest: Callable[[], str], under: str) -> None:
        """``under`` names the settings that the engine runs with."""
        self._tuning, self._timer, self._digest, self._under = tuning, timer, digest, under

    @property
    def is_done(self) -> bool:
        return self._timer.is_done

    def step(self) -> None:
        self._timer.step()
        if self._timer.is_done and self._timer.costs:
            self._tuning.keep_batch_seconds(self._digest(), self._under, self._timer.costs.measured)


def keystroke_ms(decode: Callable[[int], None], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return what a typical keystroke takes; ``decode`` evaluates so many tokens at once."""

    def timed(rows: int, times: int) -> float:
        start = clock()
        for _ in range(times):
            decode(rows)
        return 1000 * (clock() - start)

    # The first pass touches memory and makes graphs; it is not timed.
    timed(COLD_TOKENS, 1)
    timed(1, 2)
    return timed(3, 1) + timed(1, 10) + COLD_SHARE * timed(COLD_TOKENS, 1)
