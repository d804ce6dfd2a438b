"""How long and how much the ledger keeps, and how facts leave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner import derived
from learner.ledger_file import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

SLICE = 500
"""Offers deleted in one transaction, so that the writers get their turn."""


@dataclass(frozen=True)
class Retention:
    """The oldest offers go first when either limit is passed."""

    days: float = 180.0
    max_bytes: int = 1_000_000_000

    def __post_init__(self) -> None:
        if self.days <= 0 or self.max_bytes <= 0:
            raise ValueError(f"retention {self} must be positive; use 'nightschool data forget' to empty it")


def enforce(connection: sqlite3.Connection, limits: Retention, now: float) -> int:
    """Delete what the limits do not allow; return the number of offers deleted. ``now`` is unix time.

    Age counts back from the newest offer where that is older than ``now``: a clock that jumped ahead, or a
    long holiday, cannot empty the ledger.
    """
    (newest,) = connection.execute("SELECT max(offered_at) FROM offers").fetchone()
    if newest is None:
        return 0
    horizon = min(now, newest) - limits.days * 86_400
    old = connection.execute("SELECT id FROM offers WHERE offered_at < ?", (horizon,)).fetchall()
    deleted = delete(connection, [offer for (offer,) in old])
    while used_bytes(connection) > limits.max_bytes:
        (left,) = connection.execute("SELECT count(*) FROM offers").fetchone()
        # A tenth at a time: how much an offer frees is known only once its shared pieces are gone.
        oldest = connection.execute(
            "SELECT id FROM offers ORDER BY offered_at LIMIT ?", (max(SLICE, left // 10),)
        ).fetchall()
        if not oldest:
            break
        deleted += delete(connection, [offer for (offer,) in oldest])
    if deleted:
        connection.execute("PRAGMA incremental_vacuum").fetchall()
    return deleted


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes in use, without pages that are free to be used again."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def delete(connection: sqlite3.Connection, offers: Sequence[int]) -> int:
    """Delete the offers (row ids), all that hangs on them, and all that only they needed; return how many."""
    for start in range(0, len(offers), SLICE):
        rows = [(offer,) for offer in offers[start : start + SLICE]]
        with transaction(connection):
            derived.withdraw(connection, offers[start : start + SLICE])
            for table in ("settlements", "events", "candidates"):
                connection.executemany(f"DELETE FROM {table} WHERE offer = ?", rows)
            connection.executemany("DELETE FROM offers WHERE id = ?", rows)
    if offers:
        with transaction(connection):
            _drop_orphans(connection)
    return len(offers)


def _drop_orphans(connection: sqlite3.Connection) -> None:
    for statement in (
        "DELETE FROM contexts WHERE id NOT IN (SELECT context FROM offers)",
        "DELETE FROM pieces WHERE id NOT IN (SELECT atom FROM contexts, json_tree(contexts.pieces)"
        " WHERE json_tree.type = 'integer')",
        "DELETE FROM latencies WHERE offers = 0",
    ):
        connection.execute(statement)
    for name, table in (("file", "files"), ("engine", "engines")):
        for totals in ("totals", "latencies"):
            connection.execute(f"DELETE FROM {totals} WHERE {name} NOT IN (SELECT {name} FROM offers)")
        connection.execute(f"DELETE FROM {table} WHERE id NOT IN (SELECT {name} FROM offers)")
