"""What memory holds: the lines that recurred most, as they are offered again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from pathlib import Path

MOST = 8
_CONSIDERED = 100


class PatternsError(Exception):
    """The memory cannot be read; the message says why."""


@dataclass(frozen=True)
class Pattern:
    """One line that memory knows."""

    line: str
    wrong: str
    """What was offered in its place at first; empty where nothing was."""
    occasions: int
    language: str


def patterns(path: Path, since: float) -> tuple[Pattern, ...]:
    """Return what was learned or confirmed since then (Unix time), on most occasions first.

    What is a secret by now is left out.

    Raises:
        PatternsError: the file is damaged, locked, or of another version.
    """
    if not path.exists():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT line, wrong, support, language FROM patterns WHERE support > 1 AND used_at >= ?"
                f" ORDER BY support DESC, used_at DESC LIMIT {_CONSIDERED}",
                (since,),
            ).fetchall()
    except sqlite3.Error as error:
        raise PatternsError(f"{path}: {error}") from None
    has_secret = PrivacyFilter(()).has_secret
    found = (Pattern(*row) for row in rows)
    return tuple(one for one in found if not has_secret(f"{one.line}\n{one.wrong}"))[:MOST]
