"""Tells what other programs change on the disk. It sleeps until the system speaks: idle costs nothing."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver


class FolderWatch:
    """Calls ``on_change`` with each file that was written, moved (both its paths) or deleted.

    It is called on a thread of its own. What changes before :meth:`start` has returned may go untold.
    """

    def __init__(
        self, folders: Sequence[Path], on_change: Callable[[Path], None], *, recursive: bool
    ) -> None:
        self._folders, self._on_change, self._recursive = folders, on_change, recursive
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None
        self._is_closed = False

    def start(self) -> None:
        """Begin to watch; with many folders this takes long enough to be worth a thread.

        Raises:
            OSError: a folder cannot be watched.
        """
        # Here, for the server's start-up does not need them.
        from watchdog import events
        from watchdog.observers import Observer

        # Where the system says when a writer has closed a file, each of its writes before need not be heard.
        written = events.FileClosedEvent if sys.platform == "linux" else events.FileModifiedEvent
        kinds = [events.FileCreatedEvent, written, events.FileMovedEvent, events.FileDeletedEvent]
        handler = events.FileSystemEventHandler()
        handler.dispatch = self._tell
        observer = Observer()
        for folder in self._folders:
            observer.schedule(handler, folder, recursive=self._recursive, event_filter=kinds)
        observer.start()
        with self._lock:
            self._observer = observer
            if self._is_closed:
                observer.stop()

    def close(self) -> None:
        """Tell no more; the threads end by themselves."""
        with self._lock:
            self._is_closed = True
            if self._observer is not None:
                self._observer.stop()

    def _tell(self, event: FileSystemEvent) -> None:
        if not self._is_closed:
            for path in filter(None, (event.src_path, event.dest_path)):
                self._on_change(Path(os.fsdecode(path)))
