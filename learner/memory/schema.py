"""The tables of ``memory.db``, as migrations. A migration is frozen once it has been released."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_PATTERNS = (
    # One line (or beginning of a block) that was written once or more; support counts the occasions.
    # A pattern whose support is 0 was taken back and waits to be deleted.
    "CREATE TABLE patterns (id INTEGER PRIMARY KEY, project TEXT NOT NULL, language TEXT NOT NULL,"
    " line TEXT NOT NULL, uri TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, above TEXT NOT NULL,"
    " definition TEXT NOT NULL, words TEXT NOT NULL, wrong TEXT NOT NULL, support INTEGER NOT NULL,"
    " contradicted INTEGER NOT NULL, made_at REAL NOT NULL, used_at REAL NOT NULL,"
    " revision INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX patterns_by_line ON patterns (language, line, project)",
    "CREATE INDEX patterns_by_revision ON patterns (revision)",
    "CREATE VIRTUAL TABLE pattern_words USING fts5 (words, content = 'patterns', content_rowid = 'id',"
    " tokenize = 'unicode61 remove_diacritics 0')",
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab (pattern_words, row)",
    "CREATE TRIGGER pattern_made AFTER INSERT ON patterns BEGIN"
    " INSERT INTO pattern_words (rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER pattern_gone AFTER DELETE ON patterns BEGIN"
    " INSERT INTO pattern_words (pattern_words, rowid, words) VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER pattern_merged AFTER UPDATE OF words ON patterns WHEN new.words <> old.words BEGIN"
    " INSERT INTO pattern_words (pattern_words, rowid, words) VALUES ('delete', old.id, old.words);"
    " INSERT INTO pattern_words (rowid, words) VALUES (new.id, new.words); END",
    # Which offers went into which pattern: what is forgotten there is forgotten here.
    "CREATE TABLE evidence (offer_id TEXT PRIMARY KEY, pattern INTEGER NOT NULL, uri TEXT NOT NULL,"
    " project TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX evidence_by_pattern ON evidence (pattern)",
    "CREATE TABLE refusals (id INTEGER PRIMARY KEY, spot TEXT NOT NULL, line TEXT NOT NULL,"
    " uri TEXT NOT NULL, project TEXT NOT NULL, offer_id TEXT NOT NULL, at REAL NOT NULL,"
    " stands INTEGER NOT NULL, revision INTEGER NOT NULL, UNIQUE (spot, line))",
    "CREATE INDEX refusals_by_revision ON refusals (revision)",
    # revision: of the last change; generation: changes when rows are deleted; rule: what it has learned.
    "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO state VALUES ('revision', '0'), ('generation', '0')",
)
_SYMBOLS = (
    # Names in a pattern's text that its project defined when it was written.
    "CREATE TABLE symbols (pattern INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (pattern, name))"
    " WITHOUT ROWID",
)
_KNOWN = (
    # The adapters (ids, a space between two) that write the pattern by themselves.
    "ALTER TABLE patterns ADD COLUMN known_to TEXT NOT NULL DEFAULT ''",
)
MIGRATIONS = (_PATTERNS, _SYMBOLS, _KNOWN)


class NewerMemoryError(Exception):
    """The file was written by a newer version; it is left untouched."""


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether all migrations are applied.

    Raises:
        NewerMemoryError: the file has migrations that this version does not know.
    """
    applied = connection.execute("PRAGMA user_version").fetchone()[0]
    if applied > len(MIGRATIONS):
        raise NewerMemoryError(f"it has {applied} migrations, this version knows {len(MIGRATIONS)}")
    return applied == len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is pending; the caller holds a write transaction, so that two processes cannot race."""
    applied = connection.execute("PRAGMA user_version").fetchone()[0]
    for statement in [each for migration in MIGRATIONS[applied:] for each in migration]:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
