"""Episodes into patterns: what is written, merged, contradicted and taken back, on one SQLite connection.

Every call is made within the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.memory.episode import WRITTEN, is_right
from learner.memory.likeness import COLUMNS, Pattern
from learner.memory.place import WORDS
from learner.memory.recall import Vocabulary, recall
from learner.memory.renaming import renamed, renames
from learner.memory.rule import Rule
from learner.retrieval.identifiers import names

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

    from learner.memory.episode import Episode
    from learner.memory.place import MemoryPlace
    from learner.memory.recall import Recalled

SAME_OCCASION_S = 180.0
"""Offers on one line within this are one occasion: typing a line brings many."""
LIKE = 8
"""Patterns of like places among which the same in other names is looked for."""
CONSIDERED = 0.3
"""From this probability on, memory had something to say."""
ABOVE = 3
"""Lines above a pattern that are kept, to show where it stood."""
_REMEMBERED_OFFERS = 4096


def changed(connection: sqlite3.Connection) -> int:
    """Count a change; return its number, which the rows that it touches carry."""
    connection.execute("UPDATE state SET value = value + 1 WHERE name = 'revision'")
    return int(_state(connection, "revision") or 0)


def read_rule(connection: sqlite3.Connection) -> Rule:
    """Return the rule as it was learned; the prior where none was, or it makes no sense."""
    text = _state(connection, "rule")
    try:
        return Rule.from_text(text) if text else Rule()
    except (ValueError, KeyError, TypeError):
        return Rule()


def _state(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


class Scribe:
    """Learns episodes; what it remembers of its process tells one occasion from the next."""

    def __init__(self, defines: Callable[[str, Collection[str]], Collection[str]]) -> None:
        """``defines`` returns which of some names a project (its folder) defines."""
        self._defines = defines
        self._vocabulary = Vocabulary()
        self._contributed: dict[str, int] = {}
        """The pattern that each offer went into, of the last few thousand."""
        self._judged: dict[str, float] = {}
        """The time of the offer by which a place was judged last, by its spot."""

    def learn(self, connection: sqlite3.Connection, episode: Episode, now: float, serving: str = "") -> None:
        """Let the episode change what is remembered; ``now`` is Unix time, ``serving`` an adapter's id.

        An offer's later episode replaces its earlier one: the text was looked at again.
        """
        if self._was_forgotten(connection, episode):
            return
        rule = self._judge(connection, episode, now, serving)
        revision = changed(connection)
        if episode.refused:
            self._refuse(connection, episode, revision)
        if episode.right:
            self._take_back(connection, episode, revision)
            self._write(connection, rule, episode, now, revision)
        connection.execute("INSERT OR REPLACE INTO state VALUES ('rule', ?)", (rule.as_text(),))

    def rolled_back(self) -> None:
        """Forget what a transaction did that was not committed."""
        self._contributed.clear()
        self._judged.clear()

    def _was_forgotten(self, connection: sqlite3.Connection, episode: Episode) -> bool:
        """Whether the user has deleted since what this offer taught."""
        pattern = self._contributed.get(episode.offer_id)
        return pattern is not None and _pattern_of(connection, episode.offer_id) is None

    def _judge(self, connection: sqlite3.Connection, episode: Episode, now: float, serving: str) -> Rule:
        """See whether what was remembered for the place was right: the rule and the pattern learn of it."""
        rule = read_rule(connection)
        judged_at = self._judged.get(episode.place.spot)
        if not episode.right or (judged_at is not None and abs(episode.at - judged_at) < SAME_OCCASION_S):
            return rule
        self._judged[episode.place.spot] = episode.at
        best = self._considered(connection, rule, episode, now, serving)
        if best is None:
            return rule
        right = is_right(best.text, episode.right)
        rule = rule.judged(best.features, right)
        if best.score >= CONSIDERED:
            if not episode.by_memory and episode.offered:
                rule = rule.model_answered(episode.was_right)
            _confirm(connection, best.pattern.id, right, now, changed(connection))
        return rule

    def _considered(
        self, connection: sqlite3.Connection, rule: Rule, episode: Episode, now: float, serving: str
    ) -> Recalled | None:
        """Return what is likeliest at the place, but for what was learned from this very occasion."""
        for each in recall(connection, self._vocabulary, rule, episode.place, 4, now, serving):
            if each.text and not each.known and not _has_evidence(connection, each.pattern.id, episode):
                return each
        return None

    def _refuse(self, connection: sqlite3.Connection, episode: Episode, revision: int) -> None:
        place = episode.place
        line = completed(place, episode.offered)
        connection.execute(
            "INSERT INTO refusals (spot, line, uri, project, offer_id, at, stands, revision)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (spot, line) DO UPDATE SET"
            " offer_id = excluded.offer_id, at = excluded.at, stands = 1, revision = excluded.revision",
            (place.spot, line, place.uri, place.project, episode.offer_id, episode.at, revision),
        )

    def _take_back(self, connection: sqlite3.Connection, episode: Episode, revision: int) -> None:
        """Withdraw what the offer taught before, where another text stands there by now."""
        # What the developer writes there is not refused any longer.
        connection.execute(
            "UPDATE refusals SET stands = 0, revision = ? WHERE spot = ? AND line = ?",
            (revision, episode.place.spot, episode.line),
        )
        before = _pattern_of(connection, episode.offer_id)
        if before is None or _says(before, episode):
            return
        connection.execute("DELETE FROM evidence WHERE offer_id = ?", (episode.offer_id,))
        left = connection.execute("SELECT count(*) FROM evidence WHERE pattern = ?", (before.id,)).fetchone()
        support = min(before.support, left[0])
        connection.execute(
            "UPDATE patterns SET support = ?, revision = ? WHERE id = ?", (support, revision, before.id)
        )

    def _write(
        self, connection: sqlite3.Connection, rule: Rule, episode: Episode, now: float, revision: int
    ) -> None:
        pattern = self._same(connection, rule, episode, now)
        if pattern is not None:
            _merge(connection, pattern, episode, now, revision)
            self._note(connection, episode, pattern.id)
        elif episode.kind in WRITTEN:
            self._note(connection, episode, self._add(connection, episode, now, revision))

    def _same(
        self, connection: sqlite3.Connection, rule: Rule, episode: Episode, now: float
    ) -> Pattern | None:
        """Return the project's pattern that says the episode's line, as it stands or in the place's names."""
        place = episode.place
        found = connection.execute(
            f"SELECT {COLUMNS} FROM patterns WHERE language = ? AND line = ? AND project = ?",
            (place.language, episode.line, place.project),
        ).fetchone()
        if found is not None:
            return Pattern(*found)
        like = (each.pattern for each in recall(connection, self._vocabulary, rule, place, LIKE, now))
        return next((each for each in like if each.project == place.project and _says(each, episode)), None)

    def _add(self, connection: sqlite3.Connection, episode: Episode, now: float, revision: int) -> int:
        place = episode.place
        values = (
            place.project, place.language, episode.line, place.uri, place.before, place.after,
            "\n".join(place.above[-ABOVE:]), place.definition, " ".join(place.words), _wrong(episode),
            1, 0, now, now, revision,
        )  # fmt: skip
        cursor = connection.execute(
            "INSERT INTO patterns (project, language, line, uri, before, after, above, definition, words,"
            f" wrong, support, contradicted, made_at, used_at, revision) VALUES ({', '.join('?' * 15)})",
            values,
        )
        pattern = cursor.lastrowid or 0
        connection.executemany(
            "INSERT OR IGNORE INTO symbols VALUES (?, ?)",
            [(pattern, name) for name in self._defines(place.project, names(episode.right))],
        )
        return pattern

    def _note(self, connection: sqlite3.Connection, episode: Episode, pattern: int) -> None:
        place = episode.place
        connection.execute(
            "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?)",
            (episode.offer_id, pattern, place.uri, place.project, episode.at),
        )
        self._contributed[episode.offer_id] = pattern
        if len(self._contributed) > _REMEMBERED_OFFERS:
            del self._contributed[next(iter(self._contributed))]


def _says(pattern: Pattern, episode: Episode) -> bool:
    """Return whether the pattern's line is the episode's, or would be in the names of its definition."""
    names = renames(pattern.definition, episode.place.definition)
    return episode.line in (pattern.line, renamed(pattern.line, names))


def completed(place: MemoryPlace, text: str) -> str:
    """Return the line at the place once ``text`` is accepted, without its indentation."""
    return (place.begun + text).rstrip()


def _merge(
    connection: sqlite3.Connection, pattern: Pattern, episode: Episode, now: float, revision: int
) -> None:
    """Make the episode part of the pattern: the words of all its places, and one occasion more."""
    known = _has_evidence(connection, pattern.id, episode)
    words = list(dict.fromkeys([*episode.place.words, *pattern.words.split()]))[: 2 * WORDS]
    # Another text was offered here, or none: no adapter is sure to write it by itself.
    was_missed = not known and episode.kind in WRITTEN
    connection.execute(
        "UPDATE patterns SET support = support + ?, words = ?, wrong = ?, used_at = ?, known_to = ?,"
        " revision = ? WHERE id = ?",
        (
            int(not known or pattern.support == 0),
            " ".join(words),
            _wrong(episode) or pattern.wrong,
            now,
            "" if was_missed else pattern.known_to,
            revision,
            pattern.id,
        ),
    )


def _has_evidence(connection: sqlite3.Connection, pattern: int, episode: Episode) -> bool:
    """Return whether this very occasion went into the pattern already."""
    row = connection.execute(
        "SELECT 1 FROM evidence WHERE pattern = ? AND (offer_id = ? OR uri = ? AND abs(at - ?) < ?) LIMIT 1",
        (pattern, episode.offer_id, episode.place.uri, episode.at, SAME_OCCASION_S),
    ).fetchone()
    return row is not None


def _confirm(connection: sqlite3.Connection, pattern: int, right: bool, now: float, revision: int) -> None:
    """Note that the pattern was right at a like place, or contradicted there by newer text.

    What was contradicted more often than it was written is taken back.
    """
    if right:
        connection.execute(
            "UPDATE patterns SET used_at = ?, contradicted = max(0, contradicted - 1), revision = ?"
            " WHERE id = ?",
            (now, revision, pattern),
        )
    else:
        connection.execute(
            "UPDATE patterns SET contradicted = contradicted + 1, revision = ?,"
            " support = CASE WHEN contradicted + 1 > support THEN 0 ELSE support END WHERE id = ?",
            (revision, pattern),
        )


def _pattern_of(connection: sqlite3.Connection, offer_id: str) -> Pattern | None:
    columns = ", ".join(f"patterns.{name}" for name in Pattern._fields)
    row = connection.execute(
        f"SELECT {columns} FROM evidence JOIN patterns ON patterns.id = pattern WHERE offer_id = ?",
        (offer_id,),
    ).fetchone()
    return Pattern(*row) if row else None


def _wrong(episode: Episode) -> str:
    return "" if not episode.offered or episode.was_right else episode.offered
