"""What leaves the memory: the unused, the contradicted, what the project made needless, the rest.

Deleted rows leave the file for good (``secure_delete``). Running servers notice a new generation and load
anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from learner.ledger_file import transaction
from learner.memory.likeness import COLUMNS, Pattern, strength
from learner.memory.memory_file import connect, set_aside_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from learner.forget import Choice

MOST = 100_000
"""Patterns that are kept; beyond, the weakest go."""
FADED = 0.1
"""The strength below which a memory is forgotten: of what was written once and never used, after 100 days."""
REFUSED_S = 180 * 86_400.0
"""How long a refusal stands."""


def tidy(connection: sqlite3.Connection, now: float, most: int = MOST) -> int:
    """Delete what was taken back, contradicted or unused, and beyond ``most`` the weakest; return how many.

    Runs in its own transaction; ``now`` is Unix time.
    """
    with transaction(connection):
        rows = connection.execute(f"SELECT {COLUMNS} FROM patterns").fetchall()
        strengths = {
            each.id: strength(each, now) if each.support else 0.0 for each in map(Pattern._make, rows)
        }
        gone = [pattern for pattern, left in strengths.items() if left < FADED]
        kept = sorted(set(strengths) - set(gone), key=lambda pattern: strengths[pattern])
        gone += kept[: max(0, len(kept) - most)]
        refusals = connection.execute(
            "SELECT id FROM refusals WHERE stands = 0 OR at < ?", (now - REFUSED_S,)
        ).fetchall()
        _delete(connection, gone, [refusal for (refusal,) in refusals])
    return len(gone)


def forget_gone_symbols(connection: sqlite3.Connection, defines: Callable[[str, str], bool | None]) -> int:
    """Delete the patterns that use a name which their project defined and defines no longer; return how many.

    ``defines`` is asked for a project and a name; None says that it cannot be known now.
    """
    named = connection.execute(
        "SELECT DISTINCT project, name FROM symbols JOIN patterns ON patterns.id = pattern"
    ).fetchall()
    gone = [pair for pair in named if defines(*pair) is False]
    if not gone:
        return 0
    with transaction(connection):
        found = {
            pattern
            for project, name in gone
            for (pattern,) in connection.execute(
                "SELECT pattern FROM symbols JOIN patterns ON patterns.id = pattern"
                " WHERE project = ? AND name = ?",
                (project, name),
            )
        }
        _delete(connection, found)
    return len(found)


def count(path: Path, choice: Choice, offer_ids: Iterable[str]) -> int:
    """Return how many memories :func:`forget` would delete; a damaged file counts as one.

    Raises:
        NewerMemoryError, sqlite3.Error, OSError: the file cannot be read.
    """
    if not path.exists():
        return int(choice.everything and bool(set_aside_files(path)))
    try:
        with closing(connect(path)) as connection:
            return sum(map(len, _chosen(connection, choice, offer_ids)))
    except sqlite3.DatabaseError:
        if choice.everything:
            return 1
        raise


def forget(path: Path, choice: Choice, offer_ids: Iterable[str]) -> int:
    """Delete each memory that the choice names, or that one of the offers went into; return how many.

    What was merged of several occasions goes as a whole. Servers may be running: they notice within a minute.
    With everything the file itself is deleted, and damaged ones that were set aside, and what the rule has
    learned.

    Raises:
        NewerMemoryError, sqlite3.Error, OSError: the file cannot be read or written.
    """
    found = count(path, choice, offer_ids) if choice.everything else 0
    if choice.everything:
        for file in (*set_aside_files(path), *path.parent.glob(f"{path.name}-*"), path):
            file.unlink(missing_ok=True)
        return found
    if not path.exists():
        return 0
    with closing(connect(path)) as connection:
        with transaction(connection):
            patterns, refusals = _chosen(connection, choice, offer_ids)
            _delete(connection, patterns, refusals)
        if patterns or refusals:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(patterns) + len(refusals)


def _chosen(
    connection: sqlite3.Connection, choice: Choice, offer_ids: Iterable[str]
) -> tuple[set[int], set[int]]:
    """Return the ids of the patterns and refusals to forget."""
    if choice.everything:
        return _ids(connection, "SELECT id FROM patterns"), _ids(connection, "SELECT id FROM refusals")
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS forgotten (offer_id TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", ((each,) for each in offer_ids))
    named = "offer_id IN (SELECT offer_id FROM forgotten)"
    patterns = _ids(connection, f"SELECT pattern FROM evidence WHERE {named}")
    refusals = _ids(connection, f"SELECT id FROM refusals WHERE {named}")
    # Offers that retention has deleted are known here alone.
    conditions, values = _conditions(choice)
    known = "SELECT pattern AS id, uri, project, at FROM evidence"
    refused = "SELECT id, uri, project, at FROM refusals"
    if choice.matching is not None:
        conditions.append("instr(said, ?)")
        values.append(choice.matching)
        texts = " || char(10) || ".join(("line", "above", "definition", "wrong", "before || after"))
        known = (
            f"SELECT patterns.id, {texts} AS said, evidence.uri, evidence.project, evidence.at"
            " FROM patterns LEFT JOIN evidence ON pattern = patterns.id"
        )
        refused = "SELECT id, uri, project, at, line || char(10) || spot AS said FROM refusals"
    where = " AND ".join(conditions)
    patterns |= _ids(connection, f"SELECT id FROM ({known}) WHERE {where}", values)
    refusals |= _ids(connection, f"SELECT id FROM ({refused}) WHERE {where}", values)
    return patterns, refusals


def _conditions(choice: Choice) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    if choice.file is not None:
        conditions.append("uri = ?")
        values.append(choice.file if "://" in choice.file else Path(choice.file).absolute().as_uri())
    if choice.repository is not None:
        root = choice.repository.absolute()
        conditions.append("(project = ? OR substr(uri, 1, length(?)) = ?)")
        values += [str(root), *[root.as_uri() + "/"] * 2]
    if choice.since is not None:
        conditions.append("at >= ?")
        values.append(choice.since)
    return conditions, values


def _ids(connection: sqlite3.Connection, query: str, values: Iterable[object] = ()) -> set[int]:
    return {row for (row,) in connection.execute(query, tuple(values))}


def _delete(connection: sqlite3.Connection, patterns: Iterable[int], refusals: Iterable[int] = ()) -> None:
    """Delete the rows and all that hangs on them, and start a new generation if there were any."""
    rows, refused = [(each,) for each in patterns], [(each,) for each in refusals]
    for table, column in (("evidence", "pattern"), ("symbols", "pattern"), ("patterns", "id")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)
    connection.executemany("DELETE FROM refusals WHERE id = ?", refused)
    if rows:
        # The full text keeps deleted words until its parts are merged.
        connection.execute("INSERT INTO pattern_words (pattern_words) VALUES ('optimize')")
    if rows or refused:
        connection.execute("UPDATE state SET value = value + 1 WHERE name = 'generation'")
