"""The adapters of this home: immutable directories, and which of them serves each base model."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learner.current import (
    OFF,
    PRIMER,
    Change,
    Choice,
    Current,
    CurrentError,
    is_adapter_id,
    read_current,
    sync_directory,
    write_current,
    write_synced,
)
from models import primers
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from models.home import Home

logger = logging.getLogger(__name__)

GGUF = "adapter.gguf"
REPORT = "report.json"
LOCK = ".lock"
LOCK_S = 10.0
"""Changes take milliseconds: who waits longer than this waits for a process that hangs."""


class AdapterError(Exception):
    """An adapter cannot be used; the message names the thing, the value and the remedy."""


class NothingToDoError(AdapterError):
    """What was asked for is so already, or there is nothing to do it with."""


@dataclass(frozen=True)
class Adapter:
    """One adapter on the disk, or the primer that ships."""

    id: str
    path: Path
    """The GGUF file."""
    base: str
    """The SHA-256 (hexadecimal) of the base model's file."""
    created: float
    """Unix time, as all times here."""
    parent: str | None
    """The adapter whose weights its training began from."""
    data_from: float | None
    data_until: float | None
    """When the oldest and the newest outcome were offered that it was trained on."""
    report: dict[str, Any]
    """All that is recorded of it."""

    @property
    def offers(self) -> frozenset[str]:
        """The ids of the offers that it was trained on."""
        return frozenset(map(str, self.report.get("offers") or ()))


def adapter_id(created: float, seed: str) -> str:
    """Return an id that sorts by the time ``created`` (UTC); ``seed`` tells two of one minute apart."""
    stamp = time.strftime("%Y%m%d-%H%M", time.gmtime(created))
    return f"{stamp}-{hashlib.sha256(seed.encode()).hexdigest()[:4]}"


def id_of_path(path: Path) -> str:
    """Return the id of the adapter whose GGUF file is ``path``."""
    return PRIMER if path.parent == primers.PRIMERS else path.parent.name


class Registry:
    """Reads and changes ``Home.adapters``; any number of processes may at once.

    What is damaged is told by ``warn`` and then passed over: a reader always has an answer. Changes are
    made one after the other, under a lock that a killed process lets go of.
    """

    def __init__(
        self,
        home: Home,
        warn: Callable[[str], None] = logger.warning,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = home.adapters
        self._warn = warn
        self._now = now

    @property
    def current(self) -> Path:
        """The file that says what serves."""
        return self._folder / "current"

    # What there is

    def adapters(self) -> list[Adapter]:
        """Return the adapters of all bases, newest first, without the primer."""
        found = []
        for identity in self._ids():
            try:
                found.append(self.find(identity))
            except AdapterError as error:
                self._warn(str(error))
        return sorted(found, key=lambda adapter: (adapter.created, adapter.id), reverse=True)

    def find(self, identity: str, base: str = "") -> Adapter:
        """Return the adapter with this id; the primer only together with its ``base``.

        Raises:
            AdapterError: there is none, its report is damaged, or it is for another base than the one named.
        """
        if identity == PRIMER:
            return _primer(base)
        adapter = self._read(identity)
        if base and adapter.base != base:
            raise AdapterError(
                f"the adapter {identity} was made for {adapter.report.get('base_name') or 'another model'} "
                f"({adapter.base[:16]}), but the model in use is {base[:16]}; choose its model with "
                "`nightschool model use`, or train one for this model: nightschool train"
            )
        return adapter

    def check(self, adapter: Adapter) -> None:
        """Read the whole file to see that it is what was added.

        Raises:
            AdapterError: it is not.
        """
        expected = adapter.report.get("sha256")
        try:
            with adapter.path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AdapterError(f"{adapter.path} cannot be read: {error.strerror}; {_ANOTHER}") from None
        if expected and found != expected:
            raise AdapterError(f"{adapter.path} is damaged: its SHA-256 is no longer its own; {_ANOTHER}")

    def learned_from(
        self, offers: Collection[str], is_meant: Callable[[str], bool] = lambda file: False
    ) -> list[Adapter]:
        """Return the adapters that were trained on one of these offers (ids), or began as one that was.

        ``is_meant`` says of a file (URI) whether its code counts, too.
        """
        wanted = frozenset(offers)
        found: dict[str, Adapter] = {}
        for adapter in reversed(self.adapters()):
            has_read = any(map(is_meant, adapter.report.get("files") or ()))
            if adapter.parent in found or adapter.offers & wanted or has_read:
                found[adapter.id] = adapter
        return list(found.values())

    # What serves

    def choice(self, base: str) -> Choice:
        """Return what was chosen for the base; unless anything was, its primer, if one ships."""
        return self._choice(self._current(), base)

    def serving(self, base: str) -> Adapter | None:
        """Return the adapter that is to serve the base, or None for the base alone."""
        chosen = self.choice(base).adapter
        if chosen == OFF:
            return None
        try:
            return self.find(chosen, base)
        except AdapterError as error:
            primer = self.find(PRIMER, base) if primers.primer_path(base) else None
            self._warn(f"{error}; meanwhile the {'primer' if primer else 'base model alone'} serves")
            return primer

    def history(self) -> tuple[Change, ...]:
        """Return the last changes of what serves, oldest first."""
        return self._current().history

    def _choice(self, current: Current, base: str) -> Choice:
        default = PRIMER if primers.primer_path(base) else OFF
        return current.serving.get(base) or Choice(default, 0.0)

    def _current(self) -> Current:
        try:
            return read_current(self.current)
        except CurrentError as error:
            self._warn(str(error))
            return Current()

    # Changes

    def add(self, gguf: Path, identity: str, record: Mapping[str, Any]) -> Adapter:
        """Take the file in under ``identity``, with its report; it serves when it is promoted.

        ``record`` has at least ``base`` and ``created``. The directory is complete or not there at all.

        Raises:
            AdapterError: the id is taken.
            OSError: the disk is full or cannot be written; ``gguf`` is still where it was.
        """
        assert is_adapter_id(identity), identity
        with gguf.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with self._locked():
            target, part = self._folder / identity, self._folder / f".{identity}.part"
            if target.exists():
                raise AdapterError(f"the adapter {identity} is there already")
            _remove(part)
            try:
                report = {**record, "id": identity, "sha256": digest}
                write_synced(part / REPORT, json.dumps(report, indent=1))
                _copy_synced(gguf, part / GGUF)
                sync_directory(part)
                part.rename(target)
            finally:
                _remove(part)
            sync_directory(self._folder)
        gguf.unlink()
        return self.find(identity)

    def promote(self, identity: str | None, base: str = "", *, by: str = "night", reason: str = "") -> None:
        """Let the adapter serve; ``primer`` and None (the base alone) need the ``base`` they are meant for.

        Raises:
            AdapterError: it is absent, damaged or for another base.
            NothingToDoError: it serves already.
        """
        chosen = OFF if identity is None else identity
        if identity is not None:
            adapter = self.find(identity, base)
            self.check(adapter)
            base = adapter.base
        assert base, "which base?"
        with self._locked():
            current = self._current()
            old = self._choice(current, base)
            if old.adapter == chosen and base in current.serving:
                raise NothingToDoError(f"{_spoken(chosen)} serves already")
            before = old.before if old.adapter == chosen else (old.adapter, *old.before)
            change = Change(self._now(), base, chosen, old.adapter, by, reason)
            write_current(self.current, current.changed(change, before))

    def rollback(
        self, base: str, *, by: str = "user", reason: str = "", expected: str | None = None
    ) -> Adapter | None:
        """Let serve again what served the base before, and return it: None is the base alone.

        Args:
            expected: what is to be rolled back; if another serves by now, nothing is done.

        Raises:
            NothingToDoError: nothing that is still here served before, or another serves than expected.
        """
        with self._locked():
            current = self._current()
            old = self._choice(current, base)
            if expected not in (None, old.adapter):
                raise NothingToDoError(f"{_spoken(old.adapter)} serves by now, not {expected}")
            for number, identity in enumerate(old.before, start=1):
                try:
                    adapter = None if identity == OFF else self.find(identity, base)
                except AdapterError:
                    continue  # pruned since
                change = Change(self._now(), base, identity, old.adapter, by, reason)
                write_current(self.current, current.changed(change, old.before[number:]))
                return adapter
        raise NothingToDoError(f"{_spoken(old.adapter)} serves, and nothing served before it")

    def prune(self, keep: int = 10) -> list[str]:
        """Delete all but the newest, those that serve, their parents and what served before them.

        Returns:
            The ids of those deleted.
        """
        with self._locked():
            known = {adapter.id: adapter.parent for adapter in self.adapters()}
            spared = set(list(known)[:keep])
            for choice in self._current().serving.values():
                spared |= {choice.adapter, known.get(choice.adapter) or OFF, *choice.before[:1]}
            deleted = [identity for identity in self._ids() if identity not in spared]
            for identity in deleted:
                # Renamed first: no reader ever sees half of one.
                (self._folder / identity).rename(self._folder / f".{identity}.part")
            for leftover in self._folder.glob(".*.part"):
                _remove(leftover)
        return deleted

    def _ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if is_adapter_id(path.name))

    def _read(self, identity: str) -> Adapter:
        if not is_adapter_id(identity):
            raise AdapterError(f"{identity!r} is no adapter's id; see: nightschool adapters list")
        folder = self._folder / identity
        try:
            report = json.loads((folder / REPORT).read_text("utf-8"))
            return Adapter(
                identity,
                folder / GGUF,
                str(report["base"]),
                float(report["created"]),
                report.get("parent"),
                report.get("data_from"),
                report.get("data_until"),
                report,
            )
        except FileNotFoundError:
            raise AdapterError(f"there is no adapter {identity}; see: nightschool adapters list") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AdapterError(
                f"{folder / REPORT} is damaged ({type(error).__name__}: {error}); {_ANOTHER}"
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Imported here: a server, which only reads, starts without it.
        from filelock import FileLock, Timeout

        private_directory(self._folder)
        try:
            with FileLock(self._folder / LOCK, timeout=LOCK_S, mode=0o600):
                yield
        except Timeout:
            raise AdapterError(
                f"another process has held {self._folder / LOCK} for {LOCK_S:g} s; end it and try again"
            ) from None


_ANOTHER = "choose another: nightschool adapters use ID"


def _primer(base: str) -> Adapter:
    path = primers.primer_path(base)
    if path is None:
        raise AdapterError(
            f"no primer ships for the model in use ({base[:16]}); see: nightschool adapters list, "
            "or serve the model alone: nightschool adapters off"
        )
    note = path.with_suffix(".json")
    report = json.loads(note.read_text("utf-8")) if note.is_file() else {}
    return Adapter(PRIMER, path, base, float(report.get("created", 0.0)), None, None, None, report)


def _spoken(choice: str) -> str:
    return {PRIMER: "the primer", OFF: "the base model alone"}.get(choice, choice)


def _copy_synced(source: Path, target: Path) -> None:
    """Copy a file (the source may lie on another disk) and wait until the disk has it; mode 0600."""
    with source.open("rb") as reading, open(target, "wb", opener=private_opener) as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
