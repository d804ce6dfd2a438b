"""The workspace index: which lines of which files speak of the same things, kept fresh in the background.

It keeps which words (runs of letters, the parts of identifiers) stand in which piece and where names are
defined, but no text: text is read from its file when it is shown, so that it is as new as the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import queue
import sqlite3
import stat
import threading
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from learner.folder_watch import FolderWatch
from learner.retrieval.definitions import definitions
from learner.retrieval.identifiers import parted
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from learner.privacy import PrivacyFilter

log = logging.getLogger(__name__)

ROWS = 20
"""Lines of a piece."""
MOST_BYTES = 1_000_000
MOST_FILES = 20_000
TERMS = 16
"""Words that a search looks for; of those asked for, the rarest, which tell most and cost least."""
MOST_ROWS = 20_000
"""Lines of a file that are indexed."""
LONG_LINES = 400
"""Bytes per line, on average, from which a file is taken as minified or as data."""
STALE_FILES = 5_000
"""So many older states of files may stay in the full text, besides three for each file."""
BATCH = 16
"""Files per transaction: another server on this workspace waits no longer than these take."""
BUSY_S = 10.0
SLICE_S, PAUSE_S = 0.001, 0.0002
"""Seconds of work after which the writer lets go of Python's lock, and for how long: a thread that only
computes keeps it for 5 ms from the event loop, each time that one comes back from the system."""

_VERSION = 2
_FILE_BITS = 13
"""A row's id is its file's id and, in this many bits, its place in the file."""
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "bower_components"})
_SKIPPED_NAMES = frozenset({"go.sum", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml"})
_SKIPPED_ENDS = (
    ".lock",
    ".min.js",
    ".min.css",
    ".map",
    ".svg",
    ".csv",
    ".tsv",
    ".log",
    ".ipynb",
    ".jsonl",
    ".po",
)
# Not ``detail=column``, which is no smaller here: without positions FTS5 ranks every row the same.
_SCHEMA = f"""
create table if not exists files (
    id integer primary key autoincrement,
    path text not null unique,
    modified_ns integer not null,
    bytes integer not null
);
create virtual table if not exists pieces using fts5(
    words, content='', tokenize="unicode61 remove_diacritics 0 categories 'L*'"
);
create virtual table if not exists vocabulary using fts5vocab(pieces, row);
create table if not exists symbols (name text not null, file integer not null, line integer not null);
create index if not exists symbols_by_name on symbols (name);
create index if not exists symbols_by_file on symbols (file);
pragma user_version = {_VERSION};
"""


@dataclass(frozen=True)
class Hit:
    """A place that the index points to."""

    path: str
    """Relative to the root, with forward slashes."""
    line: int


class Index:
    """One workspace's index: a thread of its own writes; searches run in another."""

    def __init__(self, root: Path, directory: Path, privacy: PrivacyFilter) -> None:
        """Index the files below ``root`` that ``privacy`` allows, in a database in ``directory``."""
        self.root = root
        self.file = directory / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.db"
        self.usable = threading.Event()
        """Set once every file has been seen."""
        self._privacy = privacy
        self._stop = threading.Event()
        self._changed: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._reader: sqlite3.Connection | None = None
        self._let_go_at = 0.0
        self._folder_watch = FolderWatch([root], self.update, recursive=True)

    def start(self, near: Path | None = None, watch: bool = True) -> None:
        """Begin to index, the files nearest to ``near`` first, and to follow changes on the disk."""
        tasks = [threading.Thread(target=self._write, args=(near,), name="index", daemon=True)]
        if watch:
            tasks.append(threading.Thread(target=self._watch, name="index watcher", daemon=True))
        self._threads = tasks
        for task in tasks:
            task.start()

    def update(self, path: Path) -> None:
        """Read the file again soon: it was written, or deleted."""
        self._changed.put(path)

    def close(self) -> None:
        """Stop within a file's time; call it from the thread that reads."""
        self._stop.set()
        self._changed.put(None)
        self._folder_watch.close()
        for task in self._threads:
            task.join(timeout=2)
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def search(self, terms: Sequence[str], limit: int) -> list[Hit]:
        """Return the pieces of :data:`ROWS` lines that match the rarest of ``terms`` best (BM25)."""
        rarest = sorted((count, term) for term in terms if (count := self._pieces_with(term)))[:TERMS]
        if not rarest:
            return []
        match = " OR ".join(f'"{term}"' for _, term in rarest)
        # More than asked for: pieces of older states of a file stay in the full text, without a file.
        query = "select rowid from pieces where pieces match ? order by rank limit ?"
        found = [row for (row,) in self._read(query, (match, 3 * limit))]
        hits = []
        for row in found:
            paths = self._read("select path from files where id = ?", (row >> _FILE_BITS,))
            hits += [Hit(path, (row & (1 << _FILE_BITS) - 1) * ROWS) for (path,) in paths]
        return hits[:limit]

    def _pieces_with(self, term: str) -> int:
        counts = self._read("select doc from vocabulary where term = ?", (term,))
        return counts[0][0] if counts else 0

    def symbols(self, name: str, limit: int = 50) -> list[Hit]:
        """Return where ``name`` is defined."""
        query = "select path, line from symbols join files on files.id = file where name = ? limit ?"
        return [Hit(path, line) for path, line in self._read(query, (name, limit))]

    def _read(self, query: str, values: tuple[object, ...]) -> list[tuple]:
        """Run a query; an index that does not exist yet, or is being rebuilt, knows nothing."""
        try:
            if self._reader is None:
                self._reader = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=1)
            return self._reader.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            log.debug("index %s cannot be read now: %s", self.file, error)
            if self._reader is not None:
                self._reader.close()
            self._reader = None
            return []

    def _write(self, near: Path | None) -> None:
        """The writer's thread: one full pass, then what changes."""
        while not self._stop.is_set():
            try:
                with contextlib.closing(self._open()) as database:
                    self._refresh_all(database, near)
                    self.usable.set()
                    self._follow(database)
            except sqlite3.DatabaseError as error:
                if not self._mend(error):
                    return

    def _mend(self, error: sqlite3.DatabaseError) -> bool:
        """Delete a damaged index, wait for a busy one; return whether to go on."""
        code = error.sqlite_errorcode & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            log.warning("index %s is damaged (%s); it is built again", self.file, error)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.file}{suffix}").unlink(missing_ok=True)
            return True
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return not self._stop.wait(1)
        log.error(
            "index %s cannot be written: %s; workspace context is off until the next start", self.file, error
        )
        return False

    def _open(self) -> sqlite3.Connection:
        private_directory(self.file.parent)
        os.close(private_opener(str(self.file), os.O_RDWR | os.O_CREAT))
        database = sqlite3.connect(self.file, timeout=BUSY_S, isolation_level=None)
        if not _is_sound(database):
            database.close()
            self.file.unlink()
            return self._open()
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")  # A lost index is built again.
        database.executescript(_SCHEMA)
        return database

    def _refresh_all(self, database: sqlite3.Connection, near: Path | None) -> None:
        known = {path for (path,) in database.execute("select path from files")}
        files = nearest_first(list(self._files()), near)
        for start in range(0, len(files), BATCH):
            if self._stop.is_set():
                return
            self._store(database, files[start : start + BATCH], walked=True)
        gone = known - {path.relative_to(self.root).as_posix() for path in files}
        self._store(database, [self.root / path for path in gone])

    def _follow(self, database: sqlite3.Connection) -> None:
        while not self._stop.is_set():
            path = self._changed.get()
            paths = {path}
            with contextlib.suppress(queue.Empty):
                while len(paths) < BATCH:
                    paths.add(self._changed.get_nowait())
            self._store(database, [path for path in paths if path is not None])

    def _watch(self) -> None:
        """The thread that begins to watch: there may be many folders."""
        try:
            self._folder_watch.start()
        except OSError as error:
            log.warning("%s cannot be watched (%s); the index follows saved files only", self.root, error)

    def _files(self) -> Iterator[Path]:
        count = 0
        for folder, folders, names in os.walk(self.root):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if self._enters(here / name))
            for name in sorted(names):
                path = here / name
                self._let_others_run()
                if self._stop.is_set() or count >= MOST_FILES:
                    return
                if _is_source(name) and self._privacy.allows(path):
                    count += 1
                    yield path

    def _enters(self, folder: Path) -> bool:
        skipped = folder.name.startswith(".") or folder.name in _SKIPPED_FOLDERS or folder.is_symlink()
        # Git ignores a folder by ignoring whatever is in it.
        return not skipped and self._privacy.allows(folder / "x")

    def _store(self, database: sqlite3.Connection, paths: Sequence[Path], *, walked: bool = False) -> None:
        """Bring the rows of these files up to date, in one transaction; ``walked`` ones are wanted."""
        entries = [entry for path in paths if (entry := self._entry(database, path, walked)) is not None]
        if not entries:
            return
        database.execute("begin immediate")
        try:
            for entry in entries:
                _replace(database, entry)
            database.execute("commit")
        except sqlite3.DatabaseError:
            if database.in_transaction:
                database.execute("rollback")
            raise

    def _entry(self, database: sqlite3.Connection, path: Path, walked: bool) -> _Entry | None:
        """Return what the index should say of a file; None where it says so already."""
        if not path.is_relative_to(self.root):
            return None
        name = path.relative_to(self.root).as_posix()
        known = database.execute("select modified_ns, bytes from files where path = ?", (name,)).fetchone()
        stamp = self._stamp(path, walked)
        if stamp == known:
            return None
        text = read_source(path) if stamp is not None else None
        lines = text.splitlines(keepends=True) if text is not None else []
        pieces: list[str] = []
        symbols: list[tuple[str, int]] = []
        # Piece by piece: one long call on a whole file would keep the event loop's thread waiting.
        for row in range(0, min(len(lines), MOST_ROWS), ROWS):
            self._let_others_run()
            piece = "".join(lines[row : row + ROWS])
            symbols += definitions(piece, row)
            pieces.append(parted(piece))
        return _Entry(name, stamp, pieces, symbols)

    def _let_others_run(self) -> None:
        if time.perf_counter() > self._let_go_at:
            time.sleep(PAUSE_S)
            self._let_go_at = time.perf_counter() + SLICE_S

    def _stamp(self, path: Path, walked: bool) -> tuple[int, int] | None:
        """Return time of change (ns) and size (bytes) of a file that is to be indexed, else None."""
        try:
            status = path.lstat()
            # Walking enters no linked folder and asks what is wanted, so that only a link is to be looked at.
            if not walked or stat.S_ISLNK(status.st_mode):
                status = path.stat()
                if not (path.resolve().is_relative_to(self.root.resolve()) and self._wanted(path)):
                    return None
        except OSError:
            return None
        wanted = stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
        return (status.st_mtime_ns, status.st_size) if wanted else None

    def _wanted(self, path: Path) -> bool:
        folders = path.relative_to(self.root).parts[:-1]
        hidden = any(part.startswith(".") or part in _SKIPPED_FOLDERS for part in folders)
        return not hidden and _is_source(path.name) and self._privacy.allows(path)


@dataclass(frozen=True)
class _Entry:
    """What the index says of one file."""

    path: str
    stamp: tuple[int, int] | None
    """None for a file that is gone or not to be indexed."""
    pieces: list[str]
    symbols: list[tuple[str, int]]


def nearest_first(files: list[Path], near: Path | None) -> list[Path]:
    """Sort by the number of folders between each file and ``near``."""
    if near is None:
        return files
    here = near.parent.parts

    def distance(path: Path) -> int:
        there = path.parent.parts
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))
        return len(here) + len(there) - 2 * shared

    return sorted(files, key=distance)


def _is_sound(database: sqlite3.Connection) -> bool:
    """Whether the index is new, or of this version and not mostly made of older states of files."""
    version = database.execute("pragma user_version").fetchone()[0]
    if version != _VERSION:
        return version == 0
    files = database.execute("select count(*) from files").fetchone()[0]
    used = database.execute("select coalesce(max(seq), 0) from sqlite_sequence").fetchone()[0]
    return used <= 4 * files + STALE_FILES


def _replace(database: sqlite3.Connection, entry: _Entry) -> None:
    known = database.execute("select id from files where path = ?", (entry.path,)).fetchone()
    if known is not None:
        # Its pieces stay in the full text, which keeps no text to delete them by; their file's id is gone.
        database.execute("delete from symbols where file = ?", known)
        database.execute("delete from files where id = ?", known)
    if entry.stamp is None:
        return
    insert = "insert into files (path, modified_ns, bytes) values (?, ?, ?)"
    file = database.execute(insert, (entry.path, *entry.stamp)).lastrowid or 0
    rows = [((file << _FILE_BITS) + place, piece) for place, piece in enumerate(entry.pieces) if piece]
    database.executemany("insert into pieces (rowid, words) values (?, ?)", rows)
    database.executemany(
        "insert into symbols values (?, ?, ?)", [(name, file, line) for name, line in entry.symbols]
    )


def _is_source(name: str) -> bool:
    """Whether a file's name lets one expect text that somebody wrote."""
    return name not in _SKIPPED_NAMES and not name.lower().endswith(_SKIPPED_ENDS)


def read_source(path: Path) -> str | None:
    """Return the text of a file; None for binary and minified ones."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if b"\0" in content or len(content) > LONG_LINES * (content.count(b"\n") + 1):
        return None
    return text
