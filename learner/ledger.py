"""The ledger: facts go in at once and are written by a thread of their own, in batches.

A fact is *acknowledged* when a :meth:`Ledger.flush` called after its :meth:`Ledger.record` returned True: its
transaction is committed, and no kill of this process, or of another that has the file open, loses it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from learner import derived
from learner.fact_rows import FactRows
from learner.ledger_file import connect, is_damaged, set_aside, transaction
from learner.privacy import PrivacyFilter
from learner.retention import Retention, enforce
from learner.schema import NewerLedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.facts import Fact

_log = logging.getLogger(__name__)

CAPACITY = 100_000
"""Facts that wait for the disk at most; beyond that new ones are lost, and the user is told."""
BATCH = 3_000
"""Facts in one transaction at most (a tenth of a second), so that other writers get their turn."""
GATHER_S = 0.1
"""How long a first fact waits for others."""
RETRY_S = (0.1, 0.5, 2.0, 10.0)
"""Pauses after a failed transaction; the last one repeats."""
PATIENCE = 3
"""Failed attempts before a lock is worth a message."""


class _Flush:
    """A mark in the queue; once ``done``, ``written`` says whether everything before it is committed."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.written = False


class _Close:
    """The last mark in the queue."""


class Ledger:
    """Records facts without making the caller wait; made by :meth:`open`."""

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[str], None],
        privacy: PrivacyFilter,
        retention: Retention,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._on_trouble = on_trouble
        self._privacy = privacy
        self._retention = retention
        self._clock = clock
        self._troubles: set[str] = set()
        self._queue: queue.Queue[Fact | _Flush | _Close] = queue.Queue(CAPACITY)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_trouble: Callable[[str], None],
        privacy: PrivacyFilter | None = None,
        retention: Retention | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Ledger:
        """Return a ledger that writes to ``path``; its thread opens the file, the caller touches no disk.

        Args:
            on_trouble: called once per cause, on the ledger's thread, with a message for the user.
            privacy: what may not be recorded; by default private names and secrets, without ignore files.
            retention: how much is kept; applied at the start and once a day.
            clock: unix time, for the retention.
        """
        ledger = cls(path, on_trouble, privacy or PrivacyFilter(()), retention or Retention(), clock)
        ledger._thread.start()
        return ledger

    def record(self, fact: Fact) -> None:
        """Take the fact; returns at once."""
        try:
            self._queue.put_nowait(fact)
        except queue.Full:
            self._trouble("full", f"{CAPACITY} outcomes wait to be written; new ones are lost until they are")

    def use_privacy(self, privacy: PrivacyFilter) -> None:
        """Let ``privacy`` decide what may be recorded, from the next transaction on."""
        self._privacy = privacy

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was recorded before is committed; return False if it could not be."""
        mark = _Flush()
        try:
            self._queue.put(mark, timeout=timeout_s)
        except queue.Full:
            return False
        return mark.done.wait(timeout_s) and mark.written

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what waits and end the thread; return False if something was left unwritten."""
        written = self.flush(timeout_s)
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(_Close())
        self._thread.join(timeout_s)
        return written

    def _run(self) -> None:
        try:
            writer = Writer(self._path, self._privacy, self._trouble, self._closing)
            writer.privacy.load()
            tidy_at = 0.0
            while not self._closing.is_set():
                batch = self._gather()
                writer.use_privacy(self._privacy)
                written = writer.commit([fact for fact in batch if not isinstance(fact, _Flush | _Close)])
                for mark in batch:
                    if isinstance(mark, _Flush):
                        mark.written = written
                        mark.done.set()
                if self._clock() >= tidy_at:
                    tidy_at = self._clock() + 24 * 3600
                    writer.tidy(self._retention, self._clock())
            writer.close()
        except Exception:
            _log.exception("the ledger's thread ended")
            self._trouble("bug", "outcomes are no longer recorded; the log says why; restart the editor")

    def _gather(self) -> list[Fact | _Flush | _Close]:
        """Wait for a fact, then for those that come with it; a mark ends the wait."""
        batch = [self._queue.get()]
        deadline = time.monotonic() + GATHER_S
        while len(batch) < BATCH and not isinstance(batch[-1], _Flush | _Close):
            try:
                batch.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def _trouble(self, cause: str, message: str) -> None:
        _log.warning("%s", message)
        if cause not in self._troubles:
            self._troubles.add(cause)
            self._on_trouble(message)


class Writer:
    """The file as the ledger's thread sees it: opened when needed, reopened when it went away."""

    def __init__(
        self,
        path: Path,
        privacy: PrivacyFilter,
        trouble: Callable[[str, str], None],
        closing: threading.Event,
    ) -> None:
        self._path = path
        self.privacy = privacy
        self._trouble = trouble
        self._closing = closing
        self._connection: sqlite3.Connection | None = None
        self._rows: FactRows | None = None
        self._inode: tuple[int, int] | None = None
        self.refused = False
        """A newer version owns the file: nothing is recorded."""

    def use_privacy(self, privacy: PrivacyFilter) -> None:
        if privacy is not self.privacy:
            self.privacy = privacy
            if self._connection is not None:
                self._rows = FactRows(self._connection, privacy)

    def commit(self, facts: list[Fact]) -> bool:
        """Write the facts in one transaction, trying until it succeeds; return False if the ledger closes
        before, or must not write."""
        attempt = 0
        while facts and not self.refused:
            try:
                self._commit_once(facts)
                return True
            except NewerLedgerError as error:
                self._refuse(error)
            except sqlite3.Error as error:
                self._explain(error, attempt)
            except OSError as error:
                self._trouble("directory", f"cannot write {self._path}: {error}; outcomes wait in memory")
            if self._closing.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)]):
                return False
            attempt += 1
        return not self.refused

    def tidy(self, limits: Retention, now: float) -> None:
        """Delete what is older or more than the retention allows; what fails now is done tomorrow."""
        if self.refused:
            return
        try:
            enforce(self._open(), limits, now)
        except (sqlite3.Error, OSError, NewerLedgerError) as error:
            _log.warning("retention failed: %s", error)

    def close(self) -> None:
        if self._connection is not None:
            # Another process may be reading: then the next one to close moves the log into the file.
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._rows = self._inode = None

    def _commit_once(self, facts: list[Fact]) -> None:
        connection = self._open()
        assert self._rows is not None
        try:
            with transaction(connection):
                derived.judge(connection, self._rows.write(facts))
        except BaseException:
            self._rows.rolled_back()
            raise

    def _open(self) -> sqlite3.Connection:
        """Return the connection; SQLite would go on writing to a file that has been deleted or replaced."""
        if self._connection is not None and self._identity() == self._inode:
            return self._connection
        if self._connection is not None:
            self._trouble("vanished", f"{self._path} was moved or deleted; a new one is begun")
            self.close()
        self._connection = connect(self._path)
        self._rows = FactRows(self._connection, self.privacy)
        self._inode = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _refuse(self, error: NewerLedgerError) -> None:
        self.refused = True
        self._trouble(
            "newer",
            f"{self._path} was written by a newer Nightschool ({error}); nothing is recorded by this one. "
            "Update it, or set another NIGHTSCHOOL_HOME",
        )

    def _explain(self, error: sqlite3.Error, attempt: int) -> None:
        name = error.sqlite_errorname
        if is_damaged(error):
            self._replace_damaged(error)
        elif name.startswith("SQLITE_BUSY"):
            # Two servers that begin a file at once refuse each other without waiting: that passes.
            if attempt < PATIENCE:
                return
            self._trouble("locked", f"{self._path} is locked by another program; outcomes wait in memory")
        elif name.startswith("SQLITE_FULL"):
            self._trouble("disk", f"no space to write {self._path}; outcomes wait in memory until there is")
        else:
            # Read-only, input/output and "cannot open" errors: a new connection may find it mended.
            self._trouble("directory", f"cannot write {self._path}: {error}; outcomes wait in memory")
            self.close()

    def _replace_damaged(self, error: sqlite3.Error) -> None:
        damaged = self._inode or self._identity()
        self.close()
        # Another process may have begun the new file already.
        if damaged != self._identity():
            return
        aside = set_aside(self._path)
        self._trouble(
            f"damaged {aside.name}",
            f"{self._path} is damaged ({error}); it is now {aside.name} and a new one is begun. "
            "'nightschool doctor' recovers what it holds",
        )
