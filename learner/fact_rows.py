"""Facts to rows: every text is redacted here, on its way in, and nowhere else."""

from __future__ import annotations

import dataclasses
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from learner.contexts import ContextStore
from learner.facts import Event, Offered, Session, Settlement
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from learner.facts import Fact
    from learner.privacy import PrivacyFilter
    from models.engine import Candidate


class FactRows:
    """Writes facts through one connection; each call is made within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, privacy: PrivacyFilter) -> None:
        self._connection = connection
        self._privacy = privacy
        self._contexts = ContextStore(connection)
        self._written: dict[str, tuple[int, str]] = {}
        self._chunks = lru_cache(maxsize=64)(self._redacted_chunks)
        self._file_id = lru_cache(maxsize=1024)(self._find_or_add_file)
        self._engine_id = lru_cache(maxsize=64)(self._find_or_add_engine)
        self._allowed = lru_cache(maxsize=1024)(self._is_allowed)

    def write(self, facts: Iterable[Fact]) -> set[int]:
        """Write the facts; return the row ids of the offers that they are about.

        An event or settlement of an offer that is not there (unknown, forgotten, or of a private file) is
        left out.
        """
        self._contexts.forget_if_changed()
        self._file_id.cache_clear()
        self._engine_id.cache_clear()
        self._allowed.cache_clear()
        self._written.clear()
        rows = (self._write_one(fact) for fact in facts)
        return {row for row in rows if row is not None}

    def rolled_back(self) -> None:
        """Forget the ids that the transaction would have made."""
        self._contexts.clear()

    def _write_one(self, fact: Fact) -> int | None:
        match fact:
            case Session():
                return self._write_session(fact)
            case Offered():
                return self._write_offer(fact)
            case Event():
                return self._write_event(fact)
            case Settlement():
                return self._write_settlement(fact)

    def _write_session(self, session: Session) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?, ?, ?)", _storable(dataclasses.astuple(session))
        )

    def _write_offer(self, fact: Offered) -> int | None:
        if not self._allowed(fact.uri):
            return None
        offer = fact
        context, before, after = self._contexts.put(self._redacted_prompt(offer.prompt))
        # What was offered is redacted where it would stand: the line before it may name a password.
        raw_before = offer.prompt.prefix.rpartition("\n")[2]
        text = self._privacy.redact_parts(raw_before, offer.text)[1]
        values = (
            offer.offer_id, offer.session_id, offer.offered_at,
            self._file_id(offer.uri, offer.project, offer.language),
            self._engine_id(offer.model, offer.adapter, offer.layout),
            offer.line, offer.column, text, offer.replaced, context, before, after,
            offer.declined, offer.invoked, offer.served, offer.latency_ms,
        )  # fmt: skip
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO offers (offer_id, session_id, offered_at, file, engine, line, column,"
            " text, replaced, context, line_before, line_after, declined, invoked, served, latency_ms)"
            f" VALUES ({', '.join('?' * len(values))})",
            _storable(values),
        )
        if cursor.rowcount == 0 or cursor.lastrowid is None:
            return None
        row = cursor.lastrowid
        self._written[offer.offer_id] = row, before
        self._connection.executemany(
            "INSERT INTO candidates VALUES (?, ?, ?, ?, ?)",
            [
                _storable((row, number, *self._candidate(c, raw_before)))
                for number, c in enumerate(offer.candidates)
            ],
        )
        return row

    def _candidate(self, candidate: Candidate, before: str) -> tuple[str, str, str]:
        text = self._privacy.redact_parts(before, candidate.text)[1]
        return text, json.dumps([round(p, 4) for p in candidate.logprobs]), candidate.stopped_by

    def _write_event(self, event: Event) -> int | None:
        row, _ = self._offer_row(event.offer_id)
        if row is not None:
            detail = self._privacy.redact(event.detail)
            self._connection.execute(
                "INSERT INTO events (offer, at, kind, known_by, length, detail) VALUES (?, ?, ?, ?, ?, ?)",
                _storable((row, event.at, event.kind, event.known_by, event.length, detail)),
            )
        return row

    def _write_settlement(self, settlement: Settlement) -> int | None:
        row, before = self._offer_row(settlement.offer_id)
        if row is not None:
            text = self._privacy.redact_parts(before, settlement.text)[1]
            self._connection.execute(
                "INSERT OR REPLACE INTO settlements (offer, horizon, settled_at, text, kept_chars,"
                " edit_distance, after_event) VALUES (?, ?, ?, ?, ?, ?,"
                " ifnull((SELECT max(id) FROM events WHERE offer = ?), 0))",
                _storable(
                    (row, settlement.horizon, settlement.at, text, settlement.kept_chars,
                     settlement.edit_distance, row)
                ),
            )  # fmt: skip
        return row

    def _redacted_prompt(self, prompt: Prompt) -> Prompt:
        prefix, suffix = self._privacy.redact_parts(prompt.prefix, prompt.suffix)
        return Prompt(prefix, suffix, prompt.path, prompt.repository, self._chunks(prompt.chunks))

    def _redacted_chunks(self, chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
        return tuple(Chunk(chunk.path, self._privacy.redact(chunk.text)) for chunk in chunks)

    def _offer_row(self, offer_id: str) -> tuple[int | None, str]:
        """Return the offer's row id, None where it is not there, and the line before its cursor."""
        if offer_id in self._written:
            return self._written[offer_id]
        found = self._connection.execute(
            "SELECT id, line_before FROM offers WHERE offer_id = ?", (offer_id,)
        ).fetchone()
        return found or (None, "")

    def _is_allowed(self, uri: str) -> bool:
        parts = urlsplit(uri)
        return parts.scheme != "file" or self._privacy.allows(Path(unquote(parts.path)))

    def _find_or_add_file(self, uri: str, project: str, language: str) -> int:
        values = _storable((uri, project, language))
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


def _storable(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return the values as SQLite takes them: text that is not valid Unicode would stop a whole batch."""
    return tuple(
        [
            value.encode("utf-8", "replace").decode("utf-8")
            if isinstance(value, str) and not value.isascii()
            else value
            for value in values
        ]
    )
