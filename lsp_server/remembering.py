"""The memory as the server uses it: told every fact, asked at every place that nobody has predicted yet."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from learner.declined import Declined
from learner.facts import Event, EventKind, Horizon, Offered, Served, Settlement
from learner.memory.chunk import chunk_of
from learner.memory.episode import is_right
from learner.memory.place import place_of
from learner.memory.store import Memory
from learner.trim import trim
from lsp_server.recent import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from learner.facts import Fact
    from learner.memory.place import MemoryPlace
    from learner.memory.recall import Recalled
    from learner.privacy import PrivacyFilter
    from lsp_server.documents import Change, Document, Point
    from lsp_server.prediction import Scene
    from lsp_server.recent import Key
    from lsp_server.reporter import Reporter
    from lsp_server.settings import Settings
    from models.prompt import Chunk, Prompt

MOST = 1024
"""Offers whose course is followed; the oldest settles early."""
CLOSE_S = 0.6
STILL_S = 3.0
"""A line that was edited less than this ago is still being written."""
MODEL = "memory"
"""What the ledger names as the model of an offer that none made."""
_SHOWN_AROUND = 120
"""Lines around the cursor that the prompt may show."""
_EARLY = (Horizon.S10, Horizon.S30)


class Contextual(Protocol):
    """What remembering needs of :class:`lsp_server.context.Context`."""

    def prompt(self, document: Document, point: Point) -> Prompt: ...

    def defines(self, project: str, names: Collection[str]) -> Collection[str] | None: ...


class Remembering:
    """Without a memory (the setting is off) nothing is recalled and nothing is learned."""

    def __init__(
        self,
        path: Path,
        reporter: Reporter,
        context: Contextual,
        session_id: str,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        """``path`` is the memory's file, ``clock`` monotonic seconds, ``now`` Unix time."""
        self._path, self._reporter = path, reporter
        self._context = context
        self._session_id = session_id
        self._clock, self._now = clock, now
        self._memory: Memory | None = None
        self._courses: OrderedDict[str, tuple[Offered, list[Event | Settlement]]] = OrderedDict()
        self._edited: dict[str, tuple[int, float]] = {}
        """The line of each document that was edited last, and when."""
        self._saved = False
        self._last: tuple[Key, Sequence[Recalled]] | None = None
        """The scene that was asked about last, and what was recalled."""

    # -- told ----------------------------------------------------------------------------------------

    def switch(self, on: bool, privacy: PrivacyFilter) -> None:
        """Remember what ``privacy`` allows from now on, or nothing any longer."""
        if self._memory is None and on:
            self._memory = Memory.open(
                self._path,
                on_trouble=partial(_tell, asyncio.get_running_loop(), self._reporter),
                privacy=privacy,
                defines=self._context.defines,
                clock=self._now,
            )
        elif self._memory is not None and not on:
            asyncio.get_running_loop().run_in_executor(None, self._memory.close)
            self._memory = None
            self._courses.clear()

    async def close(self) -> None:
        """Learn what has settled by the end, as far as there is time for it."""
        if self._memory is not None:
            memory, self._memory = self._memory, None
            await asyncio.to_thread(memory.close, CLOSE_S)

    def use_privacy(self, privacy: PrivacyFilter) -> None:
        if self._memory is not None:
            self._memory.use_privacy(privacy)

    def serve(self, adapter: str | None) -> None:
        """Say which adapter serves (its id): what it knows needs no memory meanwhile."""
        if self._memory is not None:
            self._memory.serve(adapter)

    def note_edit(self, document: Document, change: Change) -> None:
        self._edited[document.uri] = change.start.after(change.text).line, self._clock()

    def note_save(self) -> None:
        """Names may have gone from the project."""
        self._saved = True

    def note_close(self, document: Document) -> None:
        self._edited.pop(document.uri, None)

    def tick(self) -> None:
        """See whether another server or ``nightschool data forget`` has changed what is remembered."""
        if self._memory is not None:
            self._memory.look(symbols=self._saved)
            self._saved = False

    def record(self, fact: Fact) -> None:
        """A fact is recorded: what has settled is learned."""
        if self._memory is None:
            return
        if isinstance(fact, Offered):
            self._courses[fact.offer_id] = fact, []
            if len(self._courses) > MOST:
                self._courses.popitem(last=False)
        elif isinstance(fact, Event | Settlement) and (course := self._courses.get(fact.offer_id)):
            offer, facts = course
            facts.append(fact)
            if self._tells(offer, fact):
                self._memory.settle(offer, facts)
            if isinstance(fact, Settlement) and fact.horizon in (Horizon.MIN10, Horizon.CLOSE):
                del self._courses[fact.offer_id]

    def _tells(self, offer: Offered, fact: Event | Settlement) -> bool:
        """Whether something is known by this fact that is worth learning at once."""
        if isinstance(fact, Event):
            return fact.kind is EventKind.REJECTED
        line, at = self._edited.get(offer.uri, (-1, 0.0))
        is_being_written = fact.horizon in _EARLY and line == offer.line and self._clock() - at < STILL_S
        return not is_being_written

    # -- asked ---------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Another one than before as soon as something new may be known of a place."""
        return self._memory.version if self._memory is not None else 0

    def rival(self, scene: Scene, settings: Settings) -> Prediction | None:
        """Return what is known to follow at such a place, if the learned rule trusts it."""
        if self._memory is None:
            return None
        place = _place(scene)
        recalled = self._memory.recall(place)
        self._last = scene.key, recalled
        for found in recalled:
            if not self._memory.believes(found):
                continue
            text = trim(found.text if settings.multi_line else found.text.partition("\n")[0], scene.place)
            if not isinstance(text, Declined) and not self._memory.refuses(place, text):
                return Prediction((self._offer(scene, text, found, _support(recalled, text)),))
        return None

    def draft(self, scene: Scene) -> str:
        """Return the likeliest text that is remembered for the scene, trusted or not; else an empty one."""
        if self._memory is None:
            return ""
        if self._last is None or self._last[0] != scene.key:
            self._last = scene.key, self._memory.recall(_place(scene))
        return next((found.text for found in self._last[1] if found.text), "")

    def support(self, scene: Scene, text: str) -> int:
        """Return on how many occasions the first line of ``text`` was written in like places."""
        if self._memory is None:
            return 0
        return _support(self._memory.recall(_place(scene)), text)

    def refuses(self, scene: Scene, text: str) -> bool:
        """Return whether ``text`` was rejected here before, or taken and deleted."""
        return self._memory is not None and self._memory.refuses(_place(scene), text)

    def chunk(self, document: Document, point: Point, project: str) -> Chunk | None:
        """Return what was written in like places, for the prompt."""
        if self._memory is None:
            return None
        place = place_of(
            document.lines,
            point.line,
            point.column,
            uri=document.uri,
            project=project,
            language=document.language_id,
        )
        around = document.lines[max(0, point.line - _SHOWN_AROUND) : point.line + _SHOWN_AROUND]
        return chunk_of(self._memory.recall(place), {line.strip() for line in around})

    def _offer(self, scene: Scene, text: str, found: Recalled, support: int) -> Offered:
        return scene.offered(
            text,
            self._context.prompt(scene.document, scene.point),
            session_id=self._session_id,
            offered_at=self._now(),
            layout="memory-1",
            model=MODEL,
            served=Served.MEMORY,
            candidates=(found.candidate(text),),
            support=support,
        )


def _tell(loop: asyncio.AbstractEventLoop, reporter: Reporter, message: str) -> None:
    """Show the memory's message; called on its thread."""
    with suppress(RuntimeError):  # The loop has ended: nobody is there to be told.
        loop.call_soon_threadsafe(reporter.warn, message, message)


def _support(found: Sequence[Recalled], text: str) -> int:
    return sum(each.support for each in found if is_right(each.text, text))


def _place(scene: Scene) -> MemoryPlace:
    document, point = scene.document, scene.point
    return place_of(
        document.lines,
        point.line,
        point.column,
        uri=document.uri,
        project=scene.project,
        language=document.language_id,
    )
