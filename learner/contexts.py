"""Prompts kept in shared pieces: typing along a line adds that line alone, and each comes back exactly.

All text is redacted on its way in. The line with the cursor is kept with its offer. The text above and below
it, and each chunk, is cut into pieces where its content says so (as rsync and backup tools do), so that a
window that moves by some lines still consists mostly of pieces that are already there.
"""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from learner.secret_scan import may_hold_key_block
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    import sqlite3

    from learner.privacy import PrivacyFilter

_CUT_EVERY = 8
"""A line ends a piece with a chance of one in this many; so a piece has that many lines on average."""
_LONGEST = 32
"""Lines in a piece at most."""


class ContextStore:
    """Writes prompts; belongs to one connection, and remembers the pieces that it has written lately."""

    def __init__(self, connection: sqlite3.Connection, privacy: PrivacyFilter) -> None:
        self._connection = connection
        self._privacy = privacy
        self._piece = lru_cache(maxsize=8192)(self._store_piece)
        self._split = lru_cache(maxsize=1024)(self._store_text)
        self._context = lru_cache(maxsize=1024)(self._store_context)
        self._version = self._data_version()

    def forget_if_changed(self) -> None:
        """Drop what is remembered if another connection wrote to the file: it may have deleted pieces."""
        version = self._data_version()
        if version != self._version:
            self.clear()
            self._version = version

    def clear(self) -> None:
        """Drop what is remembered, as after a rollback."""
        self._piece.cache_clear()
        self._split.cache_clear()
        self._context.cache_clear()

    def put(self, prompt: Prompt) -> tuple[int, str, str]:
        """Store the prompt, redacted; return its context's row id and the cursor line's two halves."""
        prefix, suffix = prompt.prefix, prompt.suffix
        if may_hold_key_block(prefix) or may_hold_key_block(suffix):
            # A block of lines may begin above the cursor and end below it; all else is found line by line.
            prefix, suffix = self._privacy.redact_parts(prefix, suffix)
        above, newline, before = prefix.rpartition("\n")
        after, line_end, below = suffix.partition("\n")
        # Remembered by the text as it came: typing along a line finds its surroundings stored already.
        context = self._context(
            above + newline, line_end + below, prompt.path, prompt.repository, prompt.chunks
        )
        before, after = self._privacy.redact_parts(before, after)
        return context, before, after

    def _store_context(
        self, above: str, below: str, path: str, repository: str, chunks: tuple[Chunk, ...]
    ) -> int:
        parts = {
            "above": self._split(above),
            "below": self._split(below),
            "chunks": [[chunk.path, self._split(chunk.text)] for chunk in chunks],
        }
        pieces = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        digest = _digest("\0".join((path, repository, pieces)))
        found = self._connection.execute("SELECT id FROM contexts WHERE digest = ?", (digest,)).fetchone()
        if found:
            return found[0]
        return self._insert(
            "INSERT INTO contexts (digest, path, repository, pieces) VALUES (?, ?, ?, ?)",
            (digest, path, repository, pieces),
        )

    def _store_text(self, text: str) -> list[int]:
        return [self._piece(piece) for piece in cut(self._privacy.redact(text))]

    def _store_piece(self, piece: str) -> int:
        digest = _digest(piece)
        found = self._connection.execute("SELECT id FROM pieces WHERE digest = ?", (digest,)).fetchone()
        if found:
            return found[0]
        return self._insert("INSERT INTO pieces (digest, body) VALUES (?, ?)", (digest, _compress(piece)))

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        row = self._connection.execute(statement, values).lastrowid
        assert row is not None
        return row

    def _data_version(self) -> int:
        return self._connection.execute("PRAGMA data_version").fetchone()[0]


def cut(text: str) -> list[str]:
    """Cut the text into pieces at line ends; the same lines are cut the same way wherever they stand."""
    pieces: list[str] = []
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if _ends_piece(line) or len(lines) == _LONGEST:
            pieces.append("".join(lines))
            lines = []
    return [*pieces, "".join(lines)] if lines else pieces


@lru_cache(maxsize=16384)
def _ends_piece(line: str) -> bool:
    return zlib.crc32(_encode(line)) % _CUT_EVERY == 0


def read_prompt(connection: sqlite3.Connection, offer: int) -> Prompt:
    """Return the prompt of the offer with this row id, exactly as it was stored.

    Raises:
        KeyError: there is no such offer.
    """
    row = connection.execute(
        "SELECT path, repository, pieces, line_before, line_after FROM offers"
        " JOIN contexts ON contexts.id = offers.context WHERE offers.id = ?",
        (offer,),
    ).fetchone()
    if row is None:
        raise KeyError(offer)
    path, repository, pieces, before, after = row
    parts = json.loads(pieces)
    return Prompt(
        prefix=_read_text(connection, parts["above"]) + before,
        suffix=after + _read_text(connection, parts["below"]),
        path=path,
        repository=repository,
        chunks=tuple(Chunk(name, _read_text(connection, ids)) for name, ids in parts["chunks"]),
    )


def _read_text(connection: sqlite3.Connection, pieces: list[int]) -> str:
    bodies = (
        connection.execute("SELECT body FROM pieces WHERE id = ?", (piece,)).fetchone()[0] for piece in pieces
    )
    return "".join(zlib.decompress(body).decode("utf-8", "surrogatepass") for body in bodies)


def _compress(piece: str) -> bytes:
    # A window of 4 KiB holds any piece; preparing zlib's usual 32 KiB takes longer than the compression.
    compressor = zlib.compressobj(wbits=12, memLevel=5)
    return compressor.compress(_encode(piece)) + compressor.flush()


def _digest(text: str) -> bytes:
    return blake2b(_encode(text), digest_size=16).digest()


def _encode(text: str) -> bytes:
    # Half a surrogate pair can come from an editor; it must come back as it was.
    return text.encode("utf-8", "surrogatepass")
