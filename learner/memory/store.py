"""The memory: recalls on the caller's thread from a copy in RAM, learns on a thread of its own.

A keystroke must not wait for a disk, so the file is copied into an in-memory database when it is opened
(SQLite's backup), and what any process writes to the file later is carried over row by row. The same SQL runs
on both.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from learner.ledger_file import is_damaged
from learner.memory.copy import Copy
from learner.memory.keeper import Keeper
from learner.memory.recall import recall
from learner.memory.writing import completed
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from learner.facts import Event, Offered, Settlement
    from learner.memory.episode import Episode
    from learner.memory.keeper import Defines
    from learner.memory.place import MemoryPlace
    from learner.memory.recall import Recalled
    from learner.memory.rule import Rule

T = TypeVar("T")

_log = logging.getLogger(__name__)

CAPACITY = 10_000
"""Outcomes that wait to be learned at most; more are left out."""
BATCH = 200
GATHER_S = 0.05
"""How long a first outcome waits for others."""


@dataclass(frozen=True)
class _Course:
    """An offer and what has become of it by now; its episode is made on the memory's thread."""

    offer: Offered
    facts: tuple[Event | Settlement, ...]


@dataclass
class _Mark:
    """Something to do between two lessons; ``done`` is set afterwards."""

    symbols: bool = False
    """See which names are gone."""
    damaged: bool = False
    close: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class Memory:
    """What is remembered; made by :meth:`open`. :meth:`recall` and :meth:`refuses` are for one thread."""

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[str], None],
        privacy: PrivacyFilter,
        defines: Defines,
        clock: Callable[[], float],
    ) -> None:
        self._on_trouble = on_trouble
        self._privacy = privacy
        self._clock = clock
        self._told: set[str] = set()
        self._queue: queue.Queue[Episode | _Course | _Mark] = queue.Queue(CAPACITY)
        self._copy = Copy()
        self._keeper = Keeper(path, self._copy, self._trouble, defines, clock)
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_trouble: Callable[[str], None] = _log.warning,
        privacy: PrivacyFilter | None = None,
        defines: Defines = lambda project, names: None,
        clock: Callable[[], float] = time.time,
    ) -> Memory:
        """Return the memory kept at ``path``; its thread opens the file, the caller touches no disk.

        Args:
            on_trouble: called once per cause, on the memory's thread, with a message for the user.
            privacy: which files and texts may be remembered; by default private names and secrets are left
                out.
            defines: which of some names a project (its folder) defines now; None where that is not known.
                Called on the memory's thread.
            clock: Unix time.
        """
        memory = cls(path, on_trouble, privacy or PrivacyFilter(()), defines, clock)
        memory._thread.start()
        return memory

    @property
    def rule(self) -> Rule:
        """The learned rule as it is now."""
        return self._copy.rule

    @property
    def version(self) -> int:
        """Another one than before as soon as something new may be recalled."""
        return self._copy.version

    def serve(self, adapter: str | None) -> None:
        """Say which adapter serves from now on (its id; None for the base alone): what it knows is not
        believed meanwhile, since the model says it."""
        self._copy.serving = adapter or ""

    def recall(self, place: MemoryPlace, limit: int = 8) -> list[Recalled]:
        """Return what is remembered for the place, the likeliest first; nothing until the file is loaded."""

        def search(copy: sqlite3.Connection) -> list[Recalled]:
            vocabulary, serving = self._copy.vocabulary, self._copy.serving
            return recall(copy, vocabulary, self.rule, place, limit, self._clock(), serving)

        return self._asked(search, [])

    def believes(self, found: Recalled) -> bool:
        """Return whether the learned rule would offer it instead of asking the model."""
        return bool(found.text.strip()) and not found.known and found.score >= self.rule.bar

    def refuses(self, place: MemoryPlace, text: str) -> bool:
        """Return whether ``text`` was rejected at this place before, or taken and deleted."""

        def search(copy: sqlite3.Connection) -> bool:
            row = copy.execute(
                "SELECT 1 FROM refusals WHERE spot = ? AND line = ? AND stands = 1",
                (place.spot, completed(place, text)),
            ).fetchone()
            return row is not None

        return self._asked(search, False)

    def learn(self, episode: Episode) -> None:
        """Take an episode; returns at once. A later one of the same offer replaces it."""
        self._put(episode)

    def settle(self, offer: Offered, course: Sequence[Event | Settlement]) -> None:
        """Take an offer and what is recorded of it by now; returns at once."""
        self._put(_Course(offer, tuple(course)))

    def use_privacy(self, privacy: PrivacyFilter) -> None:
        """Let ``privacy`` decide what may be remembered from now on."""
        self._privacy = privacy

    def look(self, *, symbols: bool = False) -> None:
        """Notice soon what other processes wrote or deleted and, with ``symbols``, which names are gone."""
        self._put(_Mark(symbols=symbols))

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that came before is learned; return False if it took longer."""
        mark = _Mark()
        self._put(mark)
        return mark.done.wait(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Learn what waits and end the thread; return False if something was left over."""
        mark = _Mark(close=True)
        self._put(mark)
        self._thread.join(timeout_s)
        return mark.done.is_set()

    def _asked(self, search: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            return self._copy.ask(search, otherwise)
        except sqlite3.Error as error:
            _log.warning("the memory cannot be read: %s", error)
            if is_damaged(error):
                self._put(_Mark(damaged=True))
            return otherwise

    def _put(self, item: Episode | _Course | _Mark) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._trouble("full", f"{CAPACITY} outcomes wait to be remembered; new ones are left out")

    def _trouble(self, cause: str, message: str) -> None:
        _log.warning("%s", message)
        if cause not in self._told:
            self._told.add(cause)
            self._on_trouble(message)

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._keeper.learn([])
            closing = False
            while not closing:
                batch = self._gather()
                self._keeper.learn([each for item in batch if (each := self._episode(item)) is not None])
                for mark in batch:
                    if isinstance(mark, _Mark):
                        self._mind(mark)
                        closing = closing or mark.close
        except Exception:
            _log.exception("the memory's thread ended")
            self._trouble("bug", "nothing is remembered any longer; the log says why")
        self._keeper.close()

    def _gather(self) -> list[Episode | _Course | _Mark]:
        """Wait for an item, then for those that come with it; a mark ends the wait."""
        batch = [self._queue.get()]
        deadline = time.monotonic() + GATHER_S
        while len(batch) < BATCH and not isinstance(batch[-1], _Mark):
            try:
                batch.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def _episode(self, item: Episode | _Course | _Mark) -> Episode | None:
        """Return what is to be learned: nothing of a private file, and nothing with a secret."""
        # Imported here: it loads what decides where a completion ends, and the editor waits for a start.
        from learner.memory.private import cleaned
        from learner.memory.settled import episode_of

        if isinstance(item, _Mark):
            return None
        episode = episode_of(item.offer, item.facts) if isinstance(item, _Course) else item
        return cleaned(episode, self._privacy) if episode is not None else None

    def _mind(self, mark: _Mark) -> None:
        if mark.damaged and self._keeper.begin_anew(sqlite3.DatabaseError("it cannot be read")):
            self._keeper.learn([])
        if mark.symbols:
            self._keeper.forget_gone_symbols()
        if mark.close:
            self._copy.close()
        mark.done.set()
