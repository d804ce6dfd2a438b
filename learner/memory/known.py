"""What the weights know by now: it stays in the memory, but is not believed while the adapter serves.

Nothing is deleted for an adapter's sake: after a rollback the memory must know again what only that adapter
knew. What no place needs any longer fades as everything does that is not used.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from learner.ledger_file import transaction
from learner.memory.memory_file import connect
from learner.memory.writing import changed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADAPTERS = 10
"""So many that know a pattern are noted, the last ones."""


def patterns_by_offer(path: Path) -> dict[str, int]:
    """Return which pattern each remembered offer went into; nothing where there is no memory.

    Raises:
        NewerMemoryError, sqlite3.Error, OSError: the file cannot be read.
    """
    if not path.exists():
        return {}
    with closing(connect(path)) as connection:
        return dict(
            connection.execute(
                "SELECT offer_id, pattern FROM evidence JOIN patterns ON patterns.id = pattern"
                " WHERE support > 0"
            ).fetchall()
        )


def note_known(path: Path, adapter: str, written: Mapping[str, bool]) -> int:
    """Note the patterns that an adapter writes by itself; return how many.

    Running servers notice within a minute. A pattern that is missed later is believed again.

    Args:
        adapter: its id.
        written: by the offer's id, whether the adapter writes what settled there. A pattern is known where
            it does so at every occasion of it that was tried.

    Raises:
        NewerMemoryError, sqlite3.Error, OSError: the file cannot be read or written.
    """
    with closing(connect(path)) as connection, transaction(connection):
        connection.execute("CREATE TEMP TABLE written (offer_id TEXT PRIMARY KEY, is_right INTEGER)")
        connection.executemany("INSERT INTO written VALUES (?, ?)", written.items())
        found = connection.execute(
            "SELECT patterns.id, known_to FROM evidence JOIN written USING (offer_id)"
            " JOIN patterns ON patterns.id = pattern GROUP BY patterns.id HAVING min(is_right) = 1"
        ).fetchall()
        revision = changed(connection)
        for pattern, known_to in found:
            others = [each for each in known_to.split() if each != adapter]
            connection.execute(
                "UPDATE patterns SET known_to = ?, revision = ? WHERE id = ?",
                (" ".join([*others, adapter][-ADAPTERS:]), revision, pattern),
            )
    return len(found)
