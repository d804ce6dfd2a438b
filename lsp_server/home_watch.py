"""Says at once when another process changes what is in use: the chosen model, its file, the adapter."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from models.home import private_directory

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from models.home import Home

logger = logging.getLogger(__name__)

CURRENT = "current"
"""The file among the adapters that names the one in use."""
STEP_MS = 200
"""watchfiles hears of a change at once, but looks only so often whether it has: a change is told within
twice this, and an idle server spends a fortieth of a percent of a core on looking (measured)."""


class HomeWatch:
    """Calls back on the event loop after each change of the files that say what is in use.

    These are the choice of the model, the model files and the adapter in use; their directories are watched,
    since each is replaced by a rename. What changes before the thread has begun to watch is not told.
    """

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop, on_change: Callable[[], None]) -> None:
        self._home, self._loop, self._on_change = home, loop, on_change
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="home watcher", daemon=True).start()

    def close(self) -> None:
        """Call back no more; the thread ends by itself."""
        self._stop.set()

    def tells(self, path: Path) -> bool:
        """Whether ``path`` is one of the files that say what is in use."""
        # By name: some systems report another spelling of the directory than the one that was watched.
        return path.suffix == ".gguf" or path.name in (self._home.choice.name, CURRENT)

    def _watch(self) -> None:
        from watchfiles import watch  # Here, for start-up does not need the native module.

        home = self._home
        try:
            folders = [private_directory(folder) for folder in (home.root, home.models, home.adapters)]
            for _ in watch(
                *folders,
                watch_filter=lambda _, path: self.tells(Path(path)),
                recursive=False,
                step=STEP_MS,
                debounce=STEP_MS,
                stop_event=self._stop,
                raise_interrupt=False,
            ):
                self._tell()
        except (OSError, RuntimeError) as error:
            logger.warning(
                "%s cannot be watched (%s); changes there are noticed a minute late", home.root, error
            )

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        if not self._stop.is_set():
            self._on_change()
