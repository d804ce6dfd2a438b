"""The ledger's file: opening it, writing in transactions, checking it, setting a damaged one aside."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from learner import derived, schema
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def connect(path: Path, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """Open the ledger for reading and writing, creating or migrating it where needed.

    The connection is in autocommit mode: write within :func:`transaction`.

    Raises:
        schema.NewerLedgerError: a newer version wrote the file; it was not touched.
        sqlite3.Error: as SQLite says.
        OSError: the directory cannot be made or written.
    """
    return open_private(path, _prepare, busy_timeout_s)


def open_private(
    path: Path, prepare: Callable[[sqlite3.Connection], None], busy_timeout_s: float
) -> sqlite3.Connection:
    """Open a database that its owner alone can read, creating it where needed, and ``prepare`` it.

    Raises:
        sqlite3.Error, OSError: as :func:`connect`, and whatever ``prepare`` raises.
    """
    private_directory(path.parent)
    if not path.exists():
        with open(path, "ab", opener=private_opener):
            pass
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _in_turn(prepare, connection, time.monotonic() + busy_timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open an existing ledger, as :func:`connect` does.

    Raises:
        FileNotFoundError: nothing was recorded yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"no ledger at {path} yet; it begins with the first completion")
    return connect(path)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open an existing ledger for reading; an older one is migrated first."""
    connection = connect_to_write(path)
    connection.execute("PRAGMA query_only = on")
    return connection


def _in_turn(
    prepare: Callable[[sqlite3.Connection], None], connection: sqlite3.Connection, deadline: float
) -> None:
    """Two that begin one file at once refuse each other without waiting, whatever SQLite's timeout is."""
    while True:
        try:
            return prepare(connection)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _prepare(connection: sqlite3.Connection) -> None:
    migrated = schema.is_current(connection)
    # What is deleted must be gone from the file.
    connection.execute("PRAGMA secure_delete = on")
    if not migrated:
        # It must shrink without stopping the writers. Asked of an existing file, this takes the write lock.
        connection.execute("PRAGMA auto_vacuum = incremental")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("PRAGMA temp_store = memory")
    # In KiB: the pages that an insertion touches, in a file of any size.
    connection.execute("PRAGMA cache_size = -16384")
    # In pages, 16 MiB: moving the log into the file waits for the disk, and pages that were written again and
    # again move once.
    connection.execute("PRAGMA wal_autocheckpoint = 4096")
    if migrated and derived.is_current(connection):
        return
    with transaction(connection):
        schema.migrate(connection)
        if not derived.is_current(connection):
            derived.rebuild(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start: a reader that turns writer late cannot wait for its turn."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk or a damaged page may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_damaged(error: sqlite3.Error) -> bool:
    """Return whether the error says that the file is no (sound) database."""
    return error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def integrity(path: Path) -> list[str]:
    """Return what is wrong with the ledger, one line each; an empty list for a sound or absent one."""
    if not path.exists():
        return []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
            found += [f"{row[0]} row {row[1]}: no such {row[2]}"
                      for row in connection.execute("PRAGMA foreign_key_check")
                      if row[2] != "sessions"]  # fmt: skip
        finally:
            connection.close()
    except sqlite3.Error as error:
        return [str(error)]
    return [line for line in found if line != "ok"]


def set_aside(path: Path) -> Path:
    """Move a damaged ledger out of the way, with its log; return where it is now."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while target.exists():
        target = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
        number += 1
    for ending in ("-wal", "-shm"):
        companion = path.with_name(path.name + ending)
        if companion.exists():
            companion.rename(target.with_name(target.name + ending))
    path.rename(target)
    return target


def set_aside_files(path: Path) -> list[Path]:
    """Return the damaged ledgers that were set aside beside ``path``, oldest first."""
    return [found for found in sorted(path.parent.glob(f"{path.name}.corrupt-*")) if not _is_log(found)]


def _is_log(path: Path) -> bool:
    return path.name.endswith(("-wal", "-shm"))
