"""Taking the facts out of a damaged ledger that was set aside, into the one in use."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner import derived
from learner.fact_rows import FactRows
from learner.facts_read import read_course, read_offer, read_sessions
from learner.ledger_file import connect, set_aside_files, transaction
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.facts import Event, Offered, Session, Settlement

_GAP = 10_000
"""Row ids in a row that may be unreadable before the end is assumed, where the end cannot be read."""


@dataclass(frozen=True)
class Recovered:
    source: Path
    offers: int
    lost: int
    """Offers that are there but cannot be read."""
    problem: str = ""
    """Why nothing at all could be read; empty otherwise."""


def recover(path: Path, *, privacy: PrivacyFilter | None = None) -> list[Recovered]:
    """Bring into the ledger at ``path`` what the damaged ones beside it still hold.

    Facts that are already there are left alone, so this can be repeated. A file that was read is renamed from
    ``.corrupt-`` to ``.recovered-``; it may be deleted.
    """
    found = set_aside_files(path)
    if not found:
        return []
    connection = connect(path)
    try:
        rows = FactRows(connection, privacy or PrivacyFilter(()))
        return [_recover_one(source, connection, rows) for source in found]
    finally:
        connection.close()


def _recover_one(source: Path, connection: sqlite3.Connection, rows: FactRows) -> Recovered:
    offers = lost = 0
    damaged = sqlite3.connect(source)
    try:
        with transaction(connection):
            rows.write(_read_sessions(damaged))
            for facts in _read_offers(damaged):
                if facts is None:
                    lost += 1
                elif not _is_known(connection, facts[0].offer_id):
                    derived.judge(connection, rows.write(facts))
                    offers += 1
    except sqlite3.DatabaseError as error:
        if connection.in_transaction or not offers:
            return Recovered(source, 0, lost, f"nothing in {source} can be read: {error}")
        raise
    finally:
        damaged.close()
    for ending in ("-wal", "-shm"):
        source.with_name(source.name + ending).unlink(missing_ok=True)
    kept = source.rename(source.with_name(source.name.replace(".corrupt-", ".recovered-")))
    return Recovered(kept, offers, lost)


def _read_sessions(damaged: sqlite3.Connection) -> list[Session]:
    try:
        return list(read_sessions(damaged))
    except sqlite3.DatabaseError:
        return []


def _read_offers(damaged: sqlite3.Connection) -> Iterator[tuple[Offered | Event | Settlement, ...] | None]:
    """Yield each offer with its course; None for one that cannot be read."""
    last = _last_row(damaged)
    row = gap = 0
    while row < last if last is not None else gap < _GAP:
        row += 1
        try:
            offer = read_offer(damaged, row)
        except (sqlite3.DatabaseError, KeyError, ValueError, TypeError):
            gap += 1
            yield None
            continue
        if offer is None:
            gap += 1
            continue
        gap = 0
        yield (offer, *_read_course(damaged, row, offer.offer_id))


def _last_row(damaged: sqlite3.Connection) -> int | None:
    # Raises where not even the tables can be listed.
    damaged.execute("SELECT count(*) FROM sqlite_master").fetchone()
    try:
        return damaged.execute("SELECT ifnull(max(id), 0) FROM offers").fetchone()[0]
    except sqlite3.DatabaseError:
        return None


def _read_course(damaged: sqlite3.Connection, row: int, offer_id: str) -> list[Event | Settlement]:
    try:
        return read_course(damaged, row, offer_id)
    except (sqlite3.DatabaseError, ValueError):
        return []


def _is_known(connection: sqlite3.Connection, offer_id: str) -> bool:
    found = connection.execute("SELECT 1 FROM offers WHERE offer_id = ?", (offer_id,)).fetchone()
    return found is not None
