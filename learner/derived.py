"""What the ledger derives from its facts: verdicts, running totals, and the views ``outcomes`` and ``daily``.

All of it can be dropped and made again from the facts; that is done whenever the definition changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.facts import REPLAY_CLIENT, EventKind, Horizon
from learner.labels import DEFINITION, HIDDEN, NOT_SHOWN, TAKEN, Label, verdict_sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_VERSION = DEFINITION * 100 + 3
"""Kept in the file's ``user_version``; the last two digits count changes to this module."""

COUNTED = {
    "shown": f"label NOT IN ({', '.join(repr(str(x)) for x in NOT_SHOWN)})",
    **{str(label): f"label = '{label}'" for label in Label},
    "taken_chars": "taken_chars",
    "kept_30s": "ifnull(kept_30s, 0)",
    "of_30s": "CASE WHEN kept_30s IS NULL THEN 0 ELSE taken_chars END",
    "kept_10min": "ifnull(kept_10min, 0)",
    "of_10min": "CASE WHEN kept_10min IS NULL THEN 0 ELSE taken_chars END",
    "saved_keystrokes": "saved_keystrokes",
}
"""What is summed per day, file and engine: the column's name, and its value for one verdict."""

_TAKEN = ", ".join(f"'{label}'" for label in TAKEN)


def _kept(horizon: Horizon) -> str:
    """What still stands at the horizon, or at the close where that came first; never more than was taken."""
    at = "(SELECT kept_chars FROM settlements WHERE offer = offers.id AND horizon = '{}')"
    return f"coalesce({at.format(horizon)}, {at.format(Horizon.CLOSE)})"


def _verdict_rows(only: str) -> str:
    """Return the statement that derives the verdicts of the offers that meet the condition."""
    outcomes = f"(offers.declined IS NULL OR offers.declined = '{HIDDEN}') AND {only}"
    return f"""
INSERT INTO verdicts WITH judged AS MATERIALIZED ({verdict_sql(outcomes)}),
measured AS MATERIALIZED (SELECT judged.offer, date(offered_at, 'unixepoch', 'localtime') AS day,
  file, engine,
  -- Two significant digits: percentiles come from these steps.
  CASE WHEN latency_ms < 10 THEN round(latency_ms, 1) WHEN latency_ms < 100 THEN round(latency_ms)
    WHEN latency_ms < 1000 THEN round(latency_ms / 10) * 10 ELSE round(latency_ms / 100) * 100
    END AS latency_ms,
  label, known_by,
  CASE WHEN label NOT IN ({_TAKEN}) THEN 0 WHEN label <> '{Label.PARTIAL}' THEN length(text)
    ELSE min(length(text), ifnull((SELECT max(length) FROM events WHERE offer = offers.id
      AND kind = '{EventKind.PARTIAL}'), 0))
    END AS taken_chars,
  CASE WHEN label IN ({_TAKEN}) THEN {_kept(Horizon.S30)} END AS kept_30s,
  CASE WHEN label IN ({_TAKEN}) THEN {_kept(Horizon.MIN10)} END AS kept_10min
  FROM judged CROSS JOIN offers ON offers.id = judged.offer)
SELECT offer, day, file, engine, latency_ms, label, known_by, taken_chars, min(taken_chars, kept_30s),
  min(taken_chars, kept_10min), max(0, min(taken_chars, ifnull(kept_30s, taken_chars)) - 1)
FROM measured
"""


_TABLES = (
    "CREATE TABLE verdicts (offer INTEGER PRIMARY KEY REFERENCES offers (id), day TEXT NOT NULL,"
    " file INTEGER NOT NULL REFERENCES files (id), engine INTEGER NOT NULL REFERENCES engines (id),"
    " latency_ms REAL NOT NULL, label TEXT NOT NULL, known_by TEXT NOT NULL, taken_chars INTEGER NOT NULL,"
    " kept_30s INTEGER, kept_10min INTEGER, saved_keystrokes INTEGER NOT NULL)",
    "CREATE TABLE totals (day TEXT NOT NULL, file INTEGER NOT NULL REFERENCES files (id),"
    " engine INTEGER NOT NULL REFERENCES engines (id), "
    + ", ".join(f"{name} INTEGER NOT NULL" for name in COUNTED)
    + ", PRIMARY KEY (day, file, engine)) WITHOUT ROWID",
    "CREATE TABLE latencies (day TEXT NOT NULL, file INTEGER NOT NULL REFERENCES files (id),"
    " engine INTEGER NOT NULL REFERENCES engines (id), latency_ms REAL NOT NULL, offers INTEGER NOT NULL,"
    " PRIMARY KEY (day, file, engine, latency_ms)) WITHOUT ROWID",
)
_OFFERED = "(" + " + ".join(str(label) for label in Label if label is not Label.HIDDEN) + ")"
_VIEWS = (
    """CREATE VIEW outcomes AS SELECT offers.offer_id, files.uri, files.project, files.language,
  offers.offered_at, offers.text AS offered_text, verdicts.label, verdicts.known_by,
  settled.kept_chars, settled.edit_distance, settled.text AS settled_text, settled.horizon,
  settled.settled_at,
  verdicts.taken_chars, verdicts.kept_30s, verdicts.kept_10min, verdicts.saved_keystrokes,
  engines.model, engines.adapter, engines.layout, offers.latency_ms, offers.served, offers.invoked,
  offers.session_id, offers.line, offers.column, offers.context
FROM verdicts JOIN offers ON offers.id = verdicts.offer JOIN files ON files.id = offers.file
  JOIN engines ON engines.id = offers.engine LEFT JOIN settlements AS settled ON settled.id =
    (SELECT max(id) FROM settlements WHERE offer = offers.id)""",
    f"""CREATE VIEW daily AS SELECT day, files.project, files.language, engines.model, engines.adapter,
  sum{_OFFERED} AS offered, {", ".join(f"sum({name}) AS {name}" for name in COUNTED)}
FROM totals JOIN files ON files.id = totals.file JOIN engines ON engines.id = totals.engine
GROUP BY day, files.project, files.language, engines.model, engines.adapter
HAVING sum{_OFFERED} + sum(hidden) > 0""",
)


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether the file's verdicts follow this version's definition, or a newer one."""
    return connection.execute("PRAGMA user_version").fetchone()[0] >= _VERSION


def rebuild(connection: sqlite3.Connection) -> None:
    """Derive everything anew from the facts; the caller holds a write transaction."""
    for view in ("outcomes", "daily"):
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    for table in ("verdicts", "totals", "latencies"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in (*_TABLES, *_VIEWS):
        connection.execute(statement)
    connection.execute(_verdict_rows("1"))
    _count(connection, 1, "1")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def judge(connection: sqlite3.Connection, offers: Iterable[int]) -> None:
    """Derive the verdicts of these offers (row ids) anew; the caller holds a write transaction."""
    withdraw(connection, offers)
    connection.execute(_verdict_rows(f"offers.id IN {_TOUCHED}"))
    _count(connection, 1, f"offer IN {_TOUCHED}")


def withdraw(connection: sqlite3.Connection, offers: Iterable[int]) -> None:
    """Take the verdicts of these offers (row ids) back; the caller holds a write transaction."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS touched (offer INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM touched")
    connection.executemany("INSERT OR IGNORE INTO touched VALUES (?)", ((offer,) for offer in offers))
    _count(connection, -1, f"offer IN {_TOUCHED}")
    connection.execute(f"DELETE FROM verdicts WHERE offer IN {_TOUCHED}")


_LIVED = (
    "NOT EXISTS (SELECT 1 FROM offers JOIN sessions USING (session_id)"
    f" WHERE offers.id = verdicts.offer AND client = '{REPLAY_CLIENT}')"
)
_TOUCHED = "(SELECT offer FROM temp.touched)"


def _count(connection: sqlite3.Connection, sign: int, only: str) -> None:
    """Add the verdicts that meet the condition to the running totals, or take them off (``sign`` -1).

    What was replayed is in none of them.
    """
    only = f"{only} AND {_LIVED}"
    sums = ", ".join(f"{sign} * sum({value})" for value in COUNTED.values())
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTED)
    connection.execute(
        f"INSERT INTO totals SELECT day, file, engine, {sums} FROM verdicts WHERE {only}"
        f" GROUP BY day, file, engine ON CONFLICT DO UPDATE SET {added}"
    )
    connection.execute(
        f"INSERT INTO latencies SELECT day, file, engine, latency_ms, {sign} * count(*) FROM verdicts"
        f" WHERE label <> '{Label.HIDDEN}' AND {only} GROUP BY day, file, engine, latency_ms"
        " ON CONFLICT DO UPDATE SET offers = offers + excluded.offers"
    )
