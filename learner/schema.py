"""The ledger's tables of facts, as migrations. A migration is frozen once it has been released."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from sqlite_utils import Database

MIGRATION_SET = "ledger"


class NewerLedgerError(Exception):
    """The file was written by a newer version; it is left untouched."""


def m001_facts(db: Database) -> None:
    """Create the tables of facts; each column is explained in docs/ledger.md."""
    for statement in (
        "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, started_at REAL NOT NULL, client TEXT NOT NULL,"
        " server_version TEXT NOT NULL, process INTEGER NOT NULL)",
        "CREATE TABLE files (id INTEGER PRIMARY KEY, uri TEXT NOT NULL, project TEXT NOT NULL,"
        " language TEXT NOT NULL, UNIQUE (uri, project, language))",
        "CREATE TABLE engines (id INTEGER PRIMARY KEY, model TEXT NOT NULL, adapter TEXT,"
        " layout TEXT NOT NULL)",
        "CREATE UNIQUE INDEX engines_by_content ON engines (model, ifnull(adapter, ''), layout)",
        "CREATE TABLE pieces (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL)",
        "CREATE TABLE contexts (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, path TEXT NOT NULL,"
        " repository TEXT NOT NULL, pieces TEXT NOT NULL)",
        "CREATE TABLE offers (id INTEGER PRIMARY KEY, offer_id TEXT NOT NULL UNIQUE,"
        " session_id TEXT NOT NULL REFERENCES sessions (session_id), offered_at REAL NOT NULL,"
        " file INTEGER NOT NULL REFERENCES files (id), engine INTEGER NOT NULL REFERENCES engines (id),"
        " line INTEGER NOT NULL, column INTEGER NOT NULL, text TEXT NOT NULL, replaced INTEGER NOT NULL,"
        " context INTEGER NOT NULL REFERENCES contexts (id), line_before TEXT NOT NULL,"
        " line_after TEXT NOT NULL, declined TEXT, invoked INTEGER NOT NULL, served TEXT NOT NULL,"
        " latency_ms REAL NOT NULL)",
        "CREATE INDEX offers_by_time ON offers (offered_at)",
        "CREATE INDEX offers_by_file ON offers (file)",
        "CREATE TABLE candidates (offer INTEGER NOT NULL REFERENCES offers (id), number INTEGER NOT NULL,"
        " text TEXT NOT NULL, logprobs TEXT NOT NULL, stopped_by TEXT NOT NULL,"
        " PRIMARY KEY (offer, number)) WITHOUT ROWID",
        # AUTOINCREMENT: an id is never used twice, so that ids tell what came after what.
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " offer INTEGER NOT NULL REFERENCES offers (id), at REAL NOT NULL, kind TEXT NOT NULL,"
        " known_by TEXT NOT NULL, length INTEGER, detail TEXT NOT NULL)",
        "CREATE INDEX events_by_offer ON events (offer)",
        "CREATE TABLE settlements (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " offer INTEGER NOT NULL REFERENCES offers (id), horizon TEXT NOT NULL, settled_at REAL NOT NULL,"
        " text TEXT NOT NULL, kept_chars INTEGER NOT NULL, edit_distance INTEGER NOT NULL,"
        " after_event INTEGER NOT NULL, UNIQUE (offer, horizon))",
    ):
        db.execute(statement)


def m002_support(db: Database) -> None:
    """Note what memory said for an offer: the gate learns from the ledger what it was told."""
    db.execute("ALTER TABLE offers ADD COLUMN support INTEGER NOT NULL DEFAULT 0")


MIGRATIONS = (m001_facts, m002_support)


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether all migrations are applied.

    Raises:
        NewerLedgerError: the file has migrations that this version does not know.
    """
    known = {migration.__name__ for migration in MIGRATIONS}
    newer = sorted(_applied(connection) - known)
    if newer:
        raise NewerLedgerError(f"it has the newer migration {newer[0]}")
    return _applied(connection) == known


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is pending; the caller holds a write transaction, so that two processes cannot race."""
    # Imported here: the library takes 0.3 s to load, and a ledger that is current does not need it.
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(MIGRATION_SET)
    for migration in MIGRATIONS:
        migrations()(migration)
    migrations.apply(Database(connection, recursive_triggers=False))


def _applied(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if found is None:
        return set()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATION_SET,))
    return {name for (name,) in rows}
