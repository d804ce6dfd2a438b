"""Says at once when another process changes what is in use: the chosen model, its file, the adapter."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from learner.folder_watch import FolderWatch
from models.home import private_directory

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from models.home import Home

logger = logging.getLogger(__name__)

CURRENT = "current"
"""The file among the adapters that names the one in use."""


class HomeWatch:
    """Calls back on the event loop after each change of the files that say what is in use.

    These are the choice of the model, the model files and the adapter in use; their directories are watched,
    since each is replaced by a rename. What changes before the thread has begun to watch is not told.
    """

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop, on_change: Callable[[], None]) -> None:
        self._home, self._loop, self._on_change = home, loop, on_change
        self._folders = [home.root, home.models, home.adapters]
        self._folder_watch = FolderWatch(self._folders, self._tell, recursive=False)
        self._is_closed = False

    def start(self) -> None:
        threading.Thread(target=self._watch, name="home watcher", daemon=True).start()

    def close(self) -> None:
        """Call back no more; the threads end by themselves."""
        self._is_closed = True
        self._folder_watch.close()

    def tells(self, path: Path) -> bool:
        """Whether ``path`` is one of the files that say what is in use."""
        # By name: some systems report another spelling of the directory than the one that was watched.
        return path.suffix == ".gguf" or path.name in (self._home.choice.name, CURRENT)

    def _watch(self) -> None:
        try:
            for folder in self._folders:
                private_directory(folder)
            self._folder_watch.start()
        except OSError as error:
            logger.warning(
                "%s cannot be watched (%s); changes there are noticed a minute late", self._home.root, error
            )

    def _tell(self, path: Path) -> None:
        if self.tells(path):
            with suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        if not self._is_closed:
            self._on_change()
