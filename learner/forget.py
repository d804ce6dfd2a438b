"""Forgetting: chosen facts, and everything derived from them, leave the file for good."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learner.contexts import read_prompt
from learner.ledger_file import transaction
from learner.retention import delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from models.home import Home

ATTEMPTS = 20
PAUSE_S = 0.5


@dataclass(frozen=True)
class Choice:
    """Which offers to forget: those that meet every condition that is given."""

    file: str | None = None
    """A path or URI."""
    repository: Path | None = None
    since: float | None = None
    """Unix time: what was offered then or later."""
    matching: str | None = None
    """Text that occurs in what was offered, settled, generated, or in the context."""
    everything: bool = False

    def __post_init__(self) -> None:
        if self.everything == any(c is not None for c in self._conditions()):
            raise ValueError("say what to forget: --file, --repo, --since, --matching, or --all alone")

    def means_file(self, uri: str) -> bool:
        """Return whether code that was learned from this file without any offer is meant, too."""
        if self.everything:
            return True
        in_repository = self.repository is not None and uri.startswith(
            self.repository.absolute().as_uri() + "/"
        )
        return in_repository or (self.file is not None and uri == as_uri(self.file))

    def _conditions(self) -> tuple[object, ...]:
        return (self.file, self.repository, self.since, self.matching)


def chosen_offers(connection: sqlite3.Connection, choice: Choice) -> list[int]:
    """Return the row ids of the offers that the choice names."""
    conditions, values = [], []
    if choice.file is not None:
        conditions.append("files.uri = ?")
        values.append(as_uri(choice.file))
    if choice.repository is not None:
        root = choice.repository.absolute()
        # Files below it count even where the editor had another folder open.
        conditions.append("(files.project = ? OR substr(files.uri, 1, length(?)) = ?)")
        values += [str(root), *[root.as_uri() + "/"] * 2]
    if choice.since is not None:
        conditions.append("offered_at >= ?")
        values.append(choice.since)
    rows = connection.execute(
        "SELECT offers.id FROM offers JOIN files ON files.id = file WHERE "
        + " AND ".join(conditions or ["1"]),
        values,
    )
    offers = [offer for (offer,) in rows]
    if choice.matching is None:
        return offers
    return [offer for offer in offers if _holds(connection, offer, choice.matching)]


def as_uri(file: str) -> str:
    """Return a file that is named by a path or a URI as a URI."""
    return file if "://" in file else Path(file).absolute().as_uri()


def ids_of(connection: sqlite3.Connection, offers: list[int]) -> list[str]:
    """Return the ids of the offers with these row ids, as adapters' reports name them."""
    rows = (
        connection.execute("SELECT offer_id FROM offers WHERE id = ?", (offer,)).fetchone()
        for offer in offers
    )
    return [row[0] for row in rows if row is not None]


def forget(connection: sqlite3.Connection, offers: list[int]) -> None:
    """Delete the offers and all that came from them, then rewrite the file without them.

    Other processes may go on recording meanwhile.

    Raises:
        sqlite3.OperationalError: another program kept the file busy, so that deleted text may still be in it;
            run it again.
    """
    sessions = _sessions_of(connection, offers)
    delete(connection, offers)
    with transaction(connection):
        # Not every session without offers: one may have begun just now.
        connection.executemany(
            "DELETE FROM sessions WHERE session_id = ? AND session_id NOT IN (SELECT session_id FROM offers)",
            sessions,
        )
    _retried(lambda: connection.execute("VACUUM"))
    _retried(lambda: _truncate_log(connection))


def remove_set_aside(path: Path) -> int:
    """Delete the damaged and recovered ledgers beside ``path``, with their logs; return how many files."""
    found = [*path.parent.glob(f"{path.name}.corrupt-*"), *path.parent.glob(f"{path.name}.recovered-*")]
    for file in found:
        file.unlink(missing_ok=True)
    return len(found)


def discard_replays(home: Home) -> tuple[int, int]:
    """Delete the records of replays, which hold code of the projects that were replayed.

    They go whole, whatever was to be forgotten: which of their lines come from where is not told by them, and
    the same replay can be made again.

    Returns:
        How many are gone, and how many are under way and were left alone.
    """
    # Imported here: whoever never replayed has no use for it.
    from filelock import FileLock, Timeout

    gone = under_way = 0
    for folder in replays(home):
        try:
            with FileLock(folder / "lock", timeout=0, mode=0o600):
                shutil.rmtree(folder, ignore_errors=os.name == "nt")  # Windows keeps the lock's own file.
            gone += 1
        except Timeout:
            under_way += 1
    return gone, under_way


def replays(home: Home) -> list[Path]:
    """Return the folders of the records of replays."""
    return sorted(path for path in home.replays.glob("*") if path.is_dir())


def _sessions_of(connection: sqlite3.Connection, offers: list[int]) -> set[tuple[str]]:
    found = (
        connection.execute("SELECT session_id FROM offers WHERE id = ?", (offer,)).fetchone()
        for offer in offers
    )
    return {row for row in found if row is not None}


def _holds(connection: sqlite3.Connection, offer: int, text: str) -> bool:
    return any(text in found for found in _texts(connection, offer))


def _texts(connection: sqlite3.Connection, offer: int) -> Iterator[str]:
    for table, key in (
        ("offers", "id"),
        ("candidates", "offer"),
        ("settlements", "offer"),
    ):
        for (found,) in connection.execute(f"SELECT text FROM {table} WHERE {key} = ?", (offer,)):
            yield found
    prompt = read_prompt(connection, offer)
    yield prompt.prefix + prompt.suffix
    # What was offered may begin in the line before it.
    for (found,) in connection.execute(
        "SELECT line_before || text || line_after FROM offers WHERE id = ?", (offer,)
    ):
        yield found
    for chunk in prompt.chunks:
        yield chunk.path
        yield chunk.text


def _truncate_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log, which holds the pages as they were before."""
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("another program is reading the ledger")


def _retried(action: Callable[[], object]) -> None:
    """Try until no other program is in the way."""
    for _ in range(ATTEMPTS - 1):
        try:
            action()
            return
        except sqlite3.OperationalError as error:
            if "lock" not in str(error) and "reading" not in str(error):
                raise
            time.sleep(PAUSE_S)
    action()
