"""Facts to rows: every text is redacted here, on its way in, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from learner.contexts import ContextStore
from learner.facts import Event, Offered, Session, Settlement

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from learner.facts import Fact
    from learner.privacy import PrivacyFilter
    from models.engine import Candidate


# All values that are bound are exactly str, int or float: for any other, enumerations too, sqlite3 looks for
# an adapter, which takes as long as the insertion.
_INSERT_OFFER = (
    "INSERT OR IGNORE INTO offers (offer_id, session_id, offered_at, file, engine, line, column, text,"
    " replaced, context, line_before, line_after, declined, invoked, served, latency_ms,"
    f" support) VALUES ({', '.join('?' * 17)})"
)


@dataclass
class _Known:
    """An offer that a transaction's facts are about."""

    row: int
    before: str
    """The line before its cursor."""
    last_event: int = 0


class FactRows:
    """Writes facts through one connection; each call is made within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, privacy: PrivacyFilter) -> None:
        self._connection = connection
        self._privacy = privacy
        self._contexts = ContextStore(connection, privacy)
        self._known: dict[str, _Known | None] = {}
        self._next_event = 0
        self._events: list[tuple[object, ...]] = []
        self._settlements: list[tuple[object, ...]] = []
        self._candidates: list[tuple[object, ...]] = []
        self._file_id = lru_cache(maxsize=1024)(self._find_or_add_file)
        self._engine_id = lru_cache(maxsize=64)(self._find_or_add_engine)
        self._allowed = lru_cache(maxsize=1024)(self._is_allowed)

    def write(self, facts: Iterable[Fact]) -> set[int]:
        """Write the facts; return the row ids of the offers that they are about.

        An event or settlement of an offer that is not there (unknown, forgotten, or of a private file) is
        left out.
        """
        self._begin()
        rows = {self._write_one(fact) for fact in facts}
        self._connection.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?, ?)", self._candidates)
        self._connection.executemany(
            "INSERT INTO events (id, offer, at, kind, known_by, length, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._events,
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO settlements (offer, horizon, settled_at, text, kept_chars, edit_distance,"
            " after_event) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._settlements,
        )
        return {row for row in rows if row is not None}

    def rolled_back(self) -> None:
        """Forget the ids that the transaction would have made."""
        self._contexts.clear()

    def _begin(self) -> None:
        """Another process may have written since: what is remembered of the tables may be wrong."""
        self._contexts.forget_if_changed()
        for remembered in (self._file_id, self._engine_id, self._allowed):
            remembered.cache_clear()
        for of_last_time in (self._known, self._events, self._settlements, self._candidates):
            of_last_time.clear()
        # Ids are given here, so that a settlement knows the event before it though both wait for the end of
        # the transaction. AUTOINCREMENT remembers the highest id that was ever used.
        found = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        self._next_event = found[0] + 1 if found else 1

    def _write_one(self, fact: Fact) -> int | None:
        match fact:
            case Event():
                return self._write_event(fact)
            case Settlement():
                return self._write_settlement(fact)
            case Offered():
                return self._write_offer(fact)
            case Session():
                return self._write_session(fact)

    def _write_session(self, session: Session) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?, ?, ?)",
            (_storable(session.session_id), session.started_at, _storable(session.client),
             _storable(session.server_version), session.process),
        )  # fmt: skip

    def _write_offer(self, offer: Offered) -> int | None:
        if not self._allowed(offer.uri):
            return None
        context, before, after = self._contexts.put(offer.prompt)
        # What was offered is redacted where it would stand: the line before it may name a password.
        raw_before = offer.prompt.prefix.rpartition("\n")[2]
        values = (
            _storable(offer.offer_id), _storable(offer.session_id), offer.offered_at,
            self._file_id(offer.uri, offer.project, offer.language),
            self._engine_id(offer.model, offer.adapter, offer.layout),
            offer.line, offer.column, self._redacted(raw_before, offer.text), offer.replaced,
            context, _storable(before), _storable(after),
            offer.declined, int(offer.invoked), offer.served.value, offer.latency_ms, offer.support,
        )  # fmt: skip
        cursor = self._connection.execute(_INSERT_OFFER, values)
        if cursor.rowcount == 0 or cursor.lastrowid is None:
            return None
        row = cursor.lastrowid
        self._known[offer.offer_id] = _Known(row, before)
        for number, candidate in enumerate(offer.candidates):
            text = self._redacted(raw_before, candidate.text)
            self._candidates.append((row, number, text, _logprobs(candidate), candidate.stopped_by))
        return row

    def _write_event(self, event: Event) -> int | None:
        offer = self._offer(event.offer_id)
        if offer is None:
            return None
        offer.last_event = self._next_event
        detail = self._redacted("", event.detail) if event.detail else ""
        self._events.append(
            (
                self._next_event,
                offer.row,
                event.at,
                event.kind.value,
                event.known_by.value,
                event.length,
                detail,
            )
        )
        self._next_event += 1
        return offer.row

    def _write_settlement(self, fact: Settlement) -> int | None:
        offer = self._offer(fact.offer_id)
        if offer is None:
            return None
        text = self._redacted(offer.before, fact.text)
        self._settlements.append(
            (
                offer.row,
                fact.horizon.value,
                fact.at,
                text,
                fact.kept_chars,
                fact.edit_distance,
                offer.last_event,
            )
        )
        return offer.row

    def _redacted(self, before: str, text: str) -> str:
        """Return the text as it may be stored where ``before`` stands left of it."""
        return _storable(self._privacy.redact_parts(before, text)[1])

    def _offer(self, offer_id: str) -> _Known | None:
        """Return what is known of the offer, or None where it is not there."""
        if offer_id not in self._known:
            found = self._connection.execute(
                "SELECT id, line_before, ifnull((SELECT max(id) FROM events WHERE offer = offers.id), 0)"
                " FROM offers WHERE offer_id = ?",
                (_storable(offer_id),),
            ).fetchone()
            self._known[offer_id] = _Known(*found) if found else None
        return self._known[offer_id]

    def _is_allowed(self, uri: str) -> bool:
        parts = urlsplit(uri)
        return parts.scheme != "file" or self._privacy.allows(Path(unquote(parts.path)))

    def _find_or_add_file(self, uri: str, project: str, language: str) -> int:
        values = (_storable(uri), _storable(project), _storable(language))
        self._connection.execute(
            "INSERT OR IGNORE INTO files (uri, project, language) VALUES (?, ?, ?)", values
        )
        return self._connection.execute(
            "SELECT id FROM files WHERE uri = ? AND project = ? AND language = ?", values
        ).fetchone()[0]

    def _find_or_add_engine(self, model: str, adapter: str | None, layout: str) -> int:
        values = (model, adapter, layout)
        self._connection.execute(
            "INSERT OR IGNORE INTO engines (model, adapter, layout) VALUES (?, ?, ?)", values
        )
        return self._connection.execute(
            "SELECT id FROM engines WHERE model = ? AND adapter IS ? AND layout = ?", values
        ).fetchone()[0]


def _storable(text: str) -> str:
    """Return the text as SQLite takes it: half a surrogate pair would stop a whole batch."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _logprobs(candidate: Candidate) -> str:
    # As JSON; json.dumps takes ten times as long. What is no number there is as good as impossible.
    return str([round(max(-1000.0, p), 4) for p in candidate.logprobs])
