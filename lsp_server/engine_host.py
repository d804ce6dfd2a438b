"""Which model completes, and the engine that runs it, as files and settings ask."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from learner.registry import id_of_path
from lsp_server.adapter_swap import AdapterSwap
from lsp_server.reporter import State, Status
from models.catalogue import ModelError
from models.choice import model_path, remedy
from models.engine import Engine, EngineOptions, EngineState, EngineStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.reporter import Reporter
    from lsp_server.settings import Settings
    from models.home import Home

logger = logging.getLogger(__name__)

NO_MODEL = "no model"
ENGINE_FAILED = "engine failed"


class StartableEngine(Engine, Protocol):
    async def start(self) -> None: ...


if TYPE_CHECKING:
    EngineMaker = Callable[[Path, EngineOptions, Callable[[EngineStatus], None]], StartableEngine]


@dataclass(frozen=True)
class _Wanted:
    """A model file as it lies there, and how to run it; anything else needs another engine."""

    path: Path
    written_ns: int
    size: int
    options: EngineOptions


class EngineHost:
    """Keeps the engine that the settings and the files ask for; :meth:`follow` is called each second."""

    def __init__(
        self,
        home: Home,
        named: str | None,
        make_engine: EngineMaker,
        reporter: Reporter,
        on_swapping: Callable[[], None],
        on_swapped: Callable[[], None],
    ) -> None:
        """Prepare; nothing runs before :meth:`follow`.

        Args:
            named: the command line's model; it goes before the settings' and the home's choice.
            on_swapping: called before the engine is told to serve with another adapter.
            on_swapped: called when it does.
        """
        self._home = home
        self._named = named
        self._make_engine = make_engine
        self._reporter = reporter
        self._swap = AdapterSwap(home, reporter, on_swapping, on_swapped)
        self._running: _Wanted | None = None
        self._turn = asyncio.Lock()
        self._looked = asyncio.Event()
        self.engine: Engine | None = None
        self._is_missing = False

    @property
    def base(self) -> str:
        """The SHA-256 of the model in use; empty while it is not known."""
        return self._swap.base if self.engine is not None else ""

    @property
    def serving(self) -> str | None:
        """The id of the adapter that serves; None for the base alone."""
        adapter = self._swap.serving if self.engine is not None else None
        return adapter.id if adapter else None

    def adapter_status(self) -> dict[str, Any]:
        """Where the adapter that serves comes from, and since when it was chosen (Unix time)."""
        serving = self._swap.serving if self.engine is not None else None
        return {
            "adapter_parent": serving.parent if serving else None,
            "adapter_since": self._swap.since if serving else None,
        }

    @property
    def waits(self) -> bool:
        """Whether there is no engine for want of a (sound) model file, which may come at any moment."""
        return self._is_missing or (
            self.engine is not None and self.engine.status.state is EngineState.FAILED
        )

    async def follow(self, settings: Settings) -> bool:
        """Start, replace or stop the engine where that is called for; return whether one was started."""
        async with self._turn:
            try:
                return await self._follow(settings)
            finally:
                self._looked.set()

    def look_again(self) -> None:
        """The settings have changed: let requests wait for the next :meth:`follow`."""
        self._looked.clear()

    async def present(self) -> Engine | None:
        """Return the engine, or None without a model; a starting server is waited for."""
        await self._looked.wait()
        return self.engine

    async def _follow(self, settings: Settings) -> bool:
        wanted = await asyncio.to_thread(self._find, settings) if settings.enabled else None
        self._is_missing = isinstance(wanted, Status)
        if isinstance(wanted, Status):
            await self._stop()
            self._reporter.show(wanted)
            self._reporter.warn(NO_MODEL, f"{wanted.message}; run: {wanted.remedy}")
            return False
        is_new = wanted != self._running
        if is_new:
            await self._stop()
        if wanted is None:
            return False
        if is_new:
            await self._start(wanted)
        if self.engine is not None:
            await self._swap.follow(self.engine, wanted.path)
        return is_new

    def report(self) -> None:
        """Show the engine's state again, after something else was shown."""
        if self.engine is not None:
            self._on_status(self.engine.status)

    async def close(self) -> None:
        async with self._turn:
            await self._stop()

    def _find(self, settings: Settings) -> _Wanted | Status:
        name = self._named or settings.model
        try:
            path = model_path(self._home, name)
        except ModelError as error:
            return Status(State.ERROR, str(error), "nightschool model list")
        try:
            file = path.stat()
        except OSError:
            mend = remedy(self._home, name)
            return Status(State.ERROR, f"no model at {path}", mend, path.stem)
        options = EngineOptions(threads=settings.threads, tuning=self._home.tuning)
        return _Wanted(path, file.st_mtime_ns, file.st_size, options)

    async def _start(self, wanted: _Wanted) -> None:
        self._reporter.mended(NO_MODEL)
        self._running = wanted
        engine = self._make_engine(wanted.path, wanted.options, self._on_status)
        self.engine = engine
        self._swap.begin(engine)
        await engine.start()

    async def _stop(self) -> None:
        engine, self.engine, self._running = self.engine, None, None
        if engine is not None:
            await engine.close()

    def _on_status(self, status: EngineStatus) -> None:
        model = self._running.path.stem if self._running else ""
        if status.state is EngineState.FAILED:
            self._reporter.warn(ENGINE_FAILED, status.message)
        elif status.state is EngineState.READY:
            self._reporter.mended(ENGINE_FAILED)
        if status.state is not EngineState.STOPPED:
            adapter = id_of_path(Path(status.adapter)) if status.adapter else None
            self._reporter.show(Status(_STATES[status.state], status.message, "", model, adapter))


_STATES = {
    EngineState.STARTING: State.STARTING,
    EngineState.READY: State.READY,
    EngineState.BUSY: State.BUSY,
    EngineState.FAILED: State.ERROR,
}
