"""``memory.db``: opened, made or migrated, and copied into memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from learner.ledger_file import open_private, transaction
from learner.memory import schema

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
    return open_private(path, _prepare, busy_timeout_s)


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


def _prepare(connection: sqlite3.Connection) -> None:
    current = schema.is_current(connection)
    connection.execute("PRAGMA secure_delete = on")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("PRAGMA temp_store = memory")
    if not current:
        with transaction(connection):
            schema.migrate(connection)
