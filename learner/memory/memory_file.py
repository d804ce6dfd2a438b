"""``memory.db``: opened, made or migrated, and copied into memory."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from learner.ledger_file import transaction
from learner.memory import schema
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from pathlib import Path


def connect(path: Path, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """Open the memory for reading and writing, creating or migrating it where needed.

    The connection is in autocommit mode: write within :func:`learner.ledger_file.transaction`.

    Raises:
        schema.NewerMemoryError: a newer version wrote the file; it was not touched.
        sqlite3.Error: as SQLite says.
        OSError: the directory cannot be made or written.
    """
    private_directory(path.parent)
    if not path.exists():
        with open(path, "ab", opener=private_opener):
            pass
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare_in_turn(connection, time.monotonic() + busy_timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def copy_of(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy of the database in memory; any thread may use it."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    return copy


def empty() -> sqlite3.Connection:
    """Return a memory without a file."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    schema.migrate(connection)
    return connection


def set_aside_files(path: Path) -> list[Path]:
    """Return the damaged memories beside ``path``, with their logs."""
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))


def _prepare_in_turn(connection: sqlite3.Connection, deadline: float) -> None:
    """Two that begin one file at once refuse each other without waiting, whatever SQLite's timeout is."""
    while True:
        try:
            return _prepare(connection)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _prepare(connection: sqlite3.Connection) -> None:
    current = schema.is_current(connection)
    connection.execute("PRAGMA secure_delete = on")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("PRAGMA temp_store = memory")
    if not current:
        with transaction(connection):
            schema.migrate(connection)
