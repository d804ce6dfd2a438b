"""The memory's file, kept by a thread of its own: what is learned goes there, and from there to the copy.

If the file cannot be written, what is learned is in force all the same until the server ends, and is
written as soon as that is possible.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from learner.ledger_file import is_damaged, set_aside, transaction
from learner.memory.forgetting import forget_gone_symbols, tidy
from learner.memory.memory_file import connect
from learner.memory.schema import NewerMemoryError
from learner.memory.writing import Scribe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from learner.memory.copy import Copy
    from learner.memory.episode import Episode

    Defines = Callable[[str, Collection[str]], Collection[str] | None]

MOST_WAITING = 10_000
"""Episodes that wait for the disk at most; the oldest are left out."""
TIDY_S = 24 * 3600.0


class Keeper:
    """The file as the memory's thread sees it: opened when needed, reopened when it went away."""

    def __init__(
        self,
        path: Path,
        copy: Copy,
        trouble: Callable[[str, str], None],
        defines: Defines,
        clock: Callable[[], float],
    ) -> None:
        """``trouble`` is called with a cause and a message for the user."""
        self._path, self._copy = path, copy
        self._trouble, self._defines, self._clock = trouble, defines, clock
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._scribe = Scribe(self._defined)
        self._waiting: list[Episode] = []
        """Learned, but not on the disk yet."""
        self._refused = False
        """A newer version owns the file: it is neither read nor written."""
        self._tidy_at = 0.0

    def learn(self, episodes: list[Episode]) -> None:
        """Learn the episodes and those that wait; what the disk refuses is in force without it."""
        self._waiting = [*self._waiting, *episodes][-MOST_WAITING:]
        if self._refused or not self._on_disk():
            now = self._clock()
            self._copy.change(lambda copy: self._write(copy, episodes, now))
            self._scribe.rolled_back()

    def _on_disk(self) -> bool:
        """Write what waits and carry it over; return False where the file cannot be written."""
        for attempt in range(2):
            try:
                connection = self._open()
                if self._waiting:
                    with transaction(connection):
                        self._write(connection, self._waiting, self._clock())
                    self._waiting = []
                self._copy.follow(connection)
                self._tidy(connection)
                return True
            except NewerMemoryError as error:
                self._refused = True
                self._trouble(
                    "newer",
                    f"{self._path} was written by a newer Nightschool ({error}); what this one learns "
                    "is forgotten when it ends. Update it, or set another NIGHTSCHOOL_HOME",
                )
                return False
            except (sqlite3.Error, OSError) as error:
                self._scribe.rolled_back()
                if not self._explain(error) or attempt:
                    return False
        return False

    def _write(self, connection: sqlite3.Connection, episodes: list[Episode], now: float) -> None:
        for episode in episodes:
            self._scribe.learn(connection, episode, now, self._copy.serving)

    def _explain(self, error: sqlite3.Error | OSError) -> bool:
        """Tell the user what is wrong, once; return whether to try again at once."""
        if isinstance(error, sqlite3.Error) and is_damaged(error):
            return self.begin_anew(error)
        name = error.sqlite_errorname if isinstance(error, sqlite3.Error) else ""
        reason = {"SQLITE_FULL": "there is no space", "SQLITE_BUSY": "another program has locked it"}.get(
            name, str(error)
        )
        self.close()
        self._trouble(
            name or "directory",
            f"cannot write {self._path}: {reason}; what is learned now is kept in memory until it can be",
        )
        return False

    def begin_anew(self, error: sqlite3.Error) -> bool:
        """Set the damaged file aside; return whether a new one can take its place."""
        self.close()
        self._copy.apart()
        try:
            aside = set_aside(self._path)
        except FileNotFoundError:
            return True  # Another process has done it.
        except OSError as trouble:
            self._trouble("damaged", f"{self._path} is damaged and cannot be moved: {trouble}")
            return False
        self._trouble(
            f"damaged {aside.name}",
            f"{self._path} is damaged ({error}); it is now {aside.name}, and remembering begins anew",
        )
        return True

    # -- the file ------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        """Return the connection; SQLite would go on writing to a file that was deleted or replaced."""
        if self._connection is not None and self._identity() == self._inode:
            return self._connection
        self.close()
        self._connection = connect(self._path)
        self._inode = self._identity()
        self._copy.apart()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._inode = None

    def _tidy(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_S
            if tidy(connection, now):
                self._copy.follow(connection)

    def forget_gone_symbols(self) -> None:
        """Forget what uses a name that its project no longer defines."""

        def defined(project: str, name: str) -> bool | None:
            found = self._defines(project, (name,))
            return None if found is None else name in found

        if self._connection is None:
            return
        try:
            if forget_gone_symbols(self._connection, defined):
                self._copy.follow(self._connection)
        except sqlite3.Error as error:
            self._explain(error)

    def _defined(self, project: str, names: Collection[str]) -> Collection[str]:
        return self._defines(project, names) or ()
