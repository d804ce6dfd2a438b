"""The copy in RAM that keystrokes are answered from: read on one thread, brought up to date by another."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, TypeVar

from learner.memory.memory_file import copy_of, empty
from learner.memory.recall import Vocabulary
from learner.memory.rule import Rule
from learner.memory.writing import read_rule

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_COLUMNS = (
    "id, project, language, line, uri, before, after, above, definition, words, wrong, support,"
    " contradicted, made_at, used_at, known_to, revision"
)
_WORDS = _COLUMNS.split(", ").index("words")
_UPSERTS = (
    (
        f"SELECT {_COLUMNS} FROM patterns WHERE revision > ?",
        f"INSERT INTO patterns ({_COLUMNS}) VALUES ({', '.join('?' * 17)}) ON CONFLICT (id) DO UPDATE SET"
        " words = excluded.words, wrong = excluded.wrong, support = excluded.support,"
        " contradicted = excluded.contradicted, used_at = excluded.used_at,"
        " known_to = excluded.known_to, revision = excluded.revision",
    ),
    (
        "SELECT * FROM refusals WHERE revision > ?",
        "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
)


class Copy:
    """The patterns and refusals of a file, and the rule that goes with them."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.rule = Rule()
        self.serving = ""
        """The id of the adapter that serves; empty for the base alone."""
        self.version = 0
        """Counts the changes: what was recalled at another version may be told otherwise now."""
        self._lock = threading.Lock()
        """Held while the copy is read, changed or exchanged; never while the disk is waited for."""
        self._connection: sqlite3.Connection | None = None
        self._carried = -1
        """The last revision that was carried over; -1 where the copy and the file have gone apart."""
        self._generation = ""

    def ask(self, question: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Return the answer to ``question``, or ``otherwise`` until there is a copy."""
        with self._lock:
            return otherwise if self._connection is None else question(self._connection)

    def change(self, action: Callable[[sqlite3.Connection], None]) -> None:
        """Change the copy alone, since the file cannot be written; the next :meth:`follow` loads it anew."""
        if self._connection is None:
            self._exchange(empty())
        self._carried = -1
        with self._lock:
            assert self._connection is not None
            action(self._connection)
            self.rule = read_rule(self._connection)
            self.vocabulary = Vocabulary.of(self._connection)
        self.version += 1

    def follow(self, file: sqlite3.Connection) -> None:
        """Carry over what has changed in the file; all of it where rows were deleted there.

        Raises:
            sqlite3.DatabaseError: the file is damaged.
        """
        state = dict(file.execute("SELECT name, value FROM state").fetchall())
        revision = int(state["revision"])
        if self._carried < 0 or state["generation"] != self._generation:
            copy = copy_of(file)
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                copy.close()
                raise _damage(found)
            self._exchange(copy)
        elif revision > self._carried:
            self._carry_rows(file)
        else:
            return
        self._carried, self._generation = revision, state["generation"]
        self.rule = read_rule(file)
        self.version += 1

    def apart(self) -> None:
        """Another file took the place of the one that was copied."""
        self._carried = -1

    def close(self) -> None:
        self._exchange(None)

    def _carry_rows(self, file: sqlite3.Connection) -> None:
        for query, upsert in _UPSERTS:
            for row in file.execute(query, (self._carried,)).fetchall():
                # Row by row: a keystroke waits for no more than one.
                with self._lock:
                    assert self._connection is not None
                    self._note_words(self._connection, upsert, row)
                    self._connection.execute(upsert, row)

    def _note_words(self, copy: sqlite3.Connection, upsert: str, row: tuple) -> None:
        """Count the words of a pattern that is about to be written."""
        if upsert is _UPSERTS[0][1]:
            before = copy.execute("SELECT words FROM patterns WHERE id = ?", (row[0],)).fetchone()
            self.vocabulary.note(before[0] if before else "", row[_WORDS])

    def _exchange(self, copy: sqlite3.Connection | None) -> None:
        vocabulary = Vocabulary() if copy is None else Vocabulary.of(copy)
        with self._lock:
            old, self._connection = self._connection, copy
            self.vocabulary = vocabulary
        if old is not None:
            old.close()


def _damage(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(f"integrity: {found}")
    error.sqlite_errorname = "SQLITE_CORRUPT"
    return error
