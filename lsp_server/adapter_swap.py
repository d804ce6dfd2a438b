"""Keeps the running engine on the adapter that the registry names, and on the one before where that fails."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from learner.current import PRIMER, CurrentError, read_current
from learner.registry import AdapterError, Registry
from models.checksum import sha256_of
from models.engine import EngineError, EngineState
from models.primers import primer_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.registry import Adapter
    from lsp_server.reporter import Reporter
    from models.engine import Engine
    from models.home import Home

logger = logging.getLogger(__name__)

TRIES = 2
"""An engine that dies while it loads an adapter is asked this often, in case it died of something else."""


@dataclass(frozen=True)
class _Look:
    """What the files said at one moment."""

    seal: tuple[object, ...]
    """Changes when they do."""
    base: str
    adapter: Adapter | None
    """What is to serve; None for the base alone."""
    since: float | None
    """When that was chosen, in Unix time; None where nothing ever was."""
    problems: tuple[str, ...] = ()


class AdapterSwap:
    """Swaps adapters between two requests; :meth:`follow` is called whenever the files may have changed."""

    def __init__(
        self,
        home: Home,
        reporter: Reporter,
        on_swapping: Callable[[], None],
        on_swapped: Callable[[], None],
    ) -> None:
        """``on_swapping`` is called before the engine is told, ``on_swapped`` when another adapter serves."""
        self._home = home
        self._reporter = reporter
        self._on_swapping, self._on_swapped = on_swapping, on_swapped
        self._look: _Look | None = None
        self._engine: Engine | None = None
        self._bringing: tuple[Adapter | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._refused: dict[Path, int] = {}
        """How often the engine failed with an adapter."""
        self.serving: Adapter | None = None
        """What the engine serves with."""

    @property
    def base(self) -> str:
        """The SHA-256 of the model in use; empty while it is not known."""
        return self._look.base if self._look else ""

    def begin(self, engine: Engine) -> None:
        """A new engine was started: it serves the base alone."""
        self._engine, self._bringing, self.serving = engine, None, None
        self._refused.clear()

    @property
    def since(self) -> float | None:
        """When the adapter that is to serve was chosen, in Unix time; None where nothing ever was."""
        return self._look.since if self._look else None

    async def follow(self, engine: Engine, model: Path) -> None:
        """Begin to swap where the registry names another adapter than the one that serves.

        The order for it is on its way to the engine, before any later request, when this has returned and
        the event loop has run once.
        """
        look = await asyncio.to_thread(self._see, model)
        if look is None:
            return
        if look is not self._look:
            self._look = look
            self._refused.clear()
            for problem in look.problems:
                self._reporter.warn(problem, problem)
        status = engine.status
        if not self._bringing and status.state is EngineState.READY and status.adapter is None:
            self.serving = None  # its file was gone when the engine had to be restarted
        self._bring(engine, look.adapter)

    def _bring(self, engine: Engine, adapter: Adapter | None) -> None:
        serves = self._bringing[0] if self._bringing else self.serving
        if adapter == serves or engine.status.state in (EngineState.FAILED, EngineState.STOPPED):
            return
        if adapter is not None and self._refused.get(adapter.path, 0) >= TRIES:
            return
        self._on_swapping()
        self._bringing = (adapter,)
        self._task = asyncio.create_task(self._swap(engine, adapter), name="adapter swap")

    async def _swap(self, engine: Engine, adapter: Adapter | None) -> None:
        try:
            await engine.use_adapter(adapter.path if adapter else None)
        except EngineError as error:
            if engine is self._engine:
                self._bringing = None
                self._failed(engine, adapter, str(error))
            return
        if engine is self._engine:
            self._bringing = None
            self.serving = adapter
            logger.info("serving with %s", adapter.id if adapter else "the base model alone")
            self._on_swapped()

    def _failed(self, engine: Engine, adapter: Adapter | None, reason: str) -> None:
        if adapter is None:
            logger.warning("the adapter is not taken off: %s", reason)
            return
        is_alive = engine.status.state in (EngineState.READY, EngineState.BUSY)
        tries = self._refused[adapter.path] = TRIES if is_alive else self._refused.get(adapter.path, 0) + 1
        if tries < TRIES:
            return
        before = self.serving.id if self.serving else "the base model"
        self._reporter.warn(
            f"adapter {adapter.id}",
            f"the adapter {adapter.id} cannot serve ({reason}); {before} serves on; "
            "choose another: nightschool adapters use ID",
        )
        if self.serving is None and adapter.id != PRIMER and primer_path(adapter.base):
            self._bring(engine, Registry(self._home).find(PRIMER, adapter.base))

    def _see(self, model: Path) -> _Look | None:
        """Look at the files, and read them where they have changed; None where the model has just gone."""
        registry = Registry(self._home)
        try:
            seal = (model, _seal(model), _seal(registry.current))
            if self._look is not None and self._look.seal == seal:
                return self._look
            base = sha256_of(model)
        except OSError:
            return None
        try:
            read_current(registry.current)
        except CurrentError as error:
            if self._look is not None and self._look.base == base:
                # Perhaps it is being edited by hand: what serves serves on.
                return replace(self._look, seal=seal, problems=(str(error),))
        problems: list[str] = []
        adapter = Registry(self._home, problems.append).serving(base)
        if adapter is not None:
            try:
                registry.check(adapter)
            except AdapterError as error:
                problems.append(str(error))
                adapter = self._instead_of(registry, adapter)
        return _Look(seal, base, adapter, registry.choice(base).since or None, tuple(problems))

    def _instead_of(self, registry: Registry, damaged: Adapter) -> Adapter | None:
        """What serves while a damaged adapter cannot: the one that does now, else the primer."""
        if self.serving is not None and self.serving.base == damaged.base:
            return self.serving
        if damaged.id != PRIMER and primer_path(damaged.base):
            return registry.find(PRIMER, damaged.base)
        return None


def _seal(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
