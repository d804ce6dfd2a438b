"""One client's session: what its messages do to documents, context, completions and outcomes."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from learner.declined import Declined
from learner.facts import Served
from learner.facts import Session as SessionFact
from learner.ignored import keep_globs
from learner.privacy import PrivacyFilter
from lsp_server import __version__
from lsp_server.completion import Answer, Ask, Completer
from lsp_server.context import Context
from lsp_server.debounce import Debounce
from lsp_server.documents import Document, Point, Workspace
from lsp_server.engine_host import EngineHost
from lsp_server.gatekeeper import Gatekeeper
from lsp_server.home_watch import HomeWatch
from lsp_server.idle import QUIET_S, Idle
from lsp_server.live_check import LiveCheck
from lsp_server.outcomes import Outcomes
from lsp_server.permission import Permission
from lsp_server.prediction import Predictor
from lsp_server.recent import Recent
from lsp_server.remembering import Remembering
from lsp_server.reporter import State, Status
from lsp_server.rollback import roll_back
from lsp_server.typing_mark import TypingMark
from lsp_server.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from learner.facts import Fact
    from lsp_server.completion import Menu
    from lsp_server.engine_host import EngineMaker
    from lsp_server.reporter import Reporter
    from lsp_server.settings import Settings
    from models.home import Home
    from models.prompt import Chunk

logger = logging.getLogger(__name__)

TICK_S = 1.0
LONGEST_TICK_S = 60.0
"""Between two looks at the time while nothing happens."""


@dataclass(frozen=True)
class Surroundings:
    """What the process gives to a session; tests give something else."""

    home: Home
    make_engine: EngineMaker
    record: Callable[[Fact], None]
    model: str | None = None
    """The model that the command line names."""
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds, for intervals."""
    now: Callable[[], float] = time.time
    """Unix time, for stamps."""
    use_privacy: Callable[[PrivacyFilter], None] = lambda privacy: None
    """Called with what decides which facts may be kept, now and when it changes."""


class Session:
    """Everything that exists once per client, made when it has said who it is."""

    def __init__(
        self, outside: Surroundings, workspace: Workspace, settings: Settings, client: str, reporter: Reporter
    ) -> None:
        self.workspace = workspace
        self.last = Answer()
        """The answer given last, for ``nightschool.status``."""
        self._reporter = reporter
        self._home = outside.home
        self._privacy = PrivacyFilter(workspace.folders, settings.ignore)
        self._visibility = Visibility()
        self._permission = Permission(settings, outside.clock)
        self._clock = outside.clock
        self._recent = Recent()
        self._debounce = Debounce(outside.clock)
        self._context = Context(
            workspace, self._privacy, outside.home.index, settings.context, self._remembered
        )
        self._gatekeeper = Gatekeeper(outside.home.ledger, outside.now)

        def record(fact: Fact) -> None:
            for keep in (outside.record, self._gatekeeper.note, self._memory.record):
                keep(fact)

        self._outcomes = Outcomes(record, outside.clock, outside.now)
        # What the adapter before has predicted goes, and what it still would; an offer is recorded as of
        # the one that made it anyhow.
        self._host = EngineHost(
            outside.home,
            outside.model,
            outside.make_engine,
            reporter,
            on_swapping=lambda: self._idle.stop_prefetching(),
            on_swapped=self._swapped,
        )
        self._live = LiveCheck(outside.home, reporter, outside.now)
        self._typing = TypingMark(outside.home.typing, outside.clock)
        session_id = uuid.uuid4().hex
        self._memory = Remembering(
            outside.home.memory, reporter, self._context, session_id, outside.clock, outside.now
        )
        self._memory.switch(settings.memory, self._privacy)
        predictor = Predictor(
            self._host.present, self._context, self._recent, session_id, outside.now, self._memory
        )
        self._idle = Idle(self._permission, self._recent, predictor, self._context)
        self._completer = Completer(
            self._permission,
            self._recent,
            self._debounce,
            predictor,
            self._idle,
            self._outcomes,
            self._gatekeeper,
            self._memory,
        )
        self._looked_at = outside.clock()
        self._stirred = asyncio.Event()
        """Set while the client does something."""
        self._ticking: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._watch = HomeWatch(outside.home, asyncio.get_running_loop(), self._follow_soon)
        self._waking: asyncio.TimerHandle | None = None
        """Ends the snooze."""
        self._ignored = outside.home.ignored
        self._use_privacy = outside.use_privacy
        self._use_privacy(self._privacy)
        outside.record(SessionFact(session_id, outside.now(), client, __version__, os.getpid()))

    # Documents

    def opened(self, document: Document) -> None:
        self._stir()
        self._outcomes.opened(document)
        self._visibility.look_up(document, self._privacy)
        self._idle.warm(document, Point(0, 0), self._project_of(document), delay_s=0)

    def changed(self, document: Document, events: Sequence[Mapping[str, Any]]) -> None:
        self._stir()
        self._completer.stop(document)
        changes = []
        for event in events:
            change = document.apply(event)
            changes.append(change)
            self._context.note_edit(document, change)
            self._memory.note_edit(document, change)
        self._outcomes.changed(document, changes)
        self._debounce.keystroke()
        self._typing.keystroke()
        if changes:
            point = changes[-1].start.after(changes[-1].text)
            self._idle.warm(document, document.clamp(point), self._project_of(document), QUIET_S)

    def saved(self, document: Document) -> None:
        self._context.note_save(document)
        self._memory.note_save()
        self._visibility.look_up(document, self._privacy)

    def closed(self, document: Document) -> None:
        self._completer.stop(document)
        self._idle.stop()
        self._visibility.forget(document)
        self._context.note_close(document)
        self._outcomes.closed(document)
        self._memory.note_close(document)

    def use_folders(self) -> None:
        """The workspace folders or the ignored globs have changed."""
        self._privacy = PrivacyFilter(self.workspace.folders, self._permission.settings.ignore)
        self._use_privacy(self._privacy)
        self._memory.use_privacy(self._privacy)
        self._context.use_folders(self._privacy)
        self._keep_ignored()
        for document in self.workspace:
            self._visibility.look_up(document, self._privacy)

    def _keep_ignored(self) -> None:
        """Let the night know which files it must leave out."""
        folders, globs = list(self.workspace.folders), self._permission.settings.ignore
        asyncio.get_running_loop().run_in_executor(None, keep_globs, self._ignored, folders, globs)

    # Ghost text

    def complete(
        self, document: Document, point: Point, *, invoked: bool, menu: Menu | None
    ) -> Answer | Awaitable[Answer]:
        """Return the answer where it is known, else what to wait for."""
        self._stir()
        self._outcomes.moved(document, point)
        self._context.note_visit(document, point)
        allowed = self._visibility.of(document)
        if allowed is False:
            return self._keep(Answer(declined=Declined.IGNORED_FILE))
        ask = Ask(
            document, point, self._project_of(document), invoked, menu, None if allowed is True else allowed
        )
        answer = self._completer.request(ask)
        return self._keep(answer) if isinstance(answer, Answer) else self._kept(answer)

    async def _kept(self, answer: Awaitable[Answer]) -> Answer:
        return self._keep(await answer)

    def _keep(self, answer: Answer) -> Answer:
        self.last = answer
        if answer.served in (Served.MODEL, Served.PREFETCH):
            self._live.answered()
        return answer

    def accepted(self, offer_id: str) -> None:
        if prediction := self._recent.of_offer(offer_id):
            prediction.accepted = True
        self._outcomes.accepted(offer_id)

    def rejected(self, offer_ids: Sequence[str]) -> None:
        for offer_id in offer_ids:
            if prediction := self._recent.of_offer(offer_id):
                prediction.rejected = True
        self._outcomes.rejected(offer_ids)

    def shown(self, offer_id: str) -> None:
        self._outcomes.shown(offer_id)

    def partially_accepted(self, offer_id: str, length: int) -> None:
        self._outcomes.partially_accepted(offer_id, length)

    # Settings and state

    @property
    def settings(self) -> Settings:
        return self._permission.settings

    @property
    def base(self) -> str:
        """The SHA-256 of the model that serves; empty while none does."""
        return self._host.base

    def configure(self, settings: Settings) -> None:
        ignore_changed = settings.ignore != self._permission.settings.ignore
        self._host.look_again()
        self._follow_soon()
        self._permission.change(settings)
        self._context.use_budget(settings.context)
        self._recent.clear()
        self._memory.switch(settings.memory, self._privacy)
        if ignore_changed:
            self.use_folders()
        self._silence_if_off()

    def snooze(self, minutes: float | None) -> None:
        """Keep silent for ``minutes`` (the setting's, if None); 0 ends it."""
        minutes = self._permission.settings.snooze_minutes if minutes is None else minutes
        if self._waking is not None:
            self._waking.cancel()
        self._permission.snooze(minutes)
        self._silence_if_off()
        if minutes > 0:
            self._waking = asyncio.get_running_loop().call_later(60 * minutes, self.snooze, 0)

    def status(self) -> dict[str, Any]:
        shown = self._reporter.status or Status()
        last = self.last
        return {
            **asdict(shown),
            **self._host.adapter_status(),
            "engine": str(self._host.engine.status.state) if self._host.engine else "stopped",
            "warm": self._idle.is_warm,
            "settings": asdict(self._permission.settings),
            "gate": self._gatekeeper.status(self._permission.settings.gate),
            "last_completion": {
                **asdict(last.timings),
                "served": last.served,
                "declined": last.declined,
                "debounce_ms": last.waited_ms,
                "latency_ms": last.latency_ms,
            },
        }

    async def roll_back(self) -> dict[str, Any]:
        """Let the adapter before serve again; see :func:`lsp_server.rollback.roll_back`."""
        await self.follow()
        found = await roll_back(self._home, self._host.base, self._reporter)
        await self.follow()
        return found

    async def follow(self) -> None:
        """See to it that the engine runs which the settings and the files ask for."""
        try:
            if await self._host.follow(self._permission.settings):
                self._recent.clear()
        except OSError as error:
            self._reporter.warn("engine start", f"the engine cannot be started: {error}")
        self._memory.serve(self._host.serving)
        self._silence_if_off()

    def _swapped(self) -> None:
        self._recent.drop_answers()
        self._memory.serve(self._host.serving)

    def start(self) -> None:
        self._context.use_folders(self._privacy)
        self._keep_ignored()
        self._watch.start()
        self._ticking = asyncio.create_task(self._tick())
        self._loading = asyncio.create_task(self._gatekeeper.load())

    async def close(self) -> None:
        """Settle the offers and end the engine; within two seconds, whatever hangs."""
        for each in (self._ticking, self._loading, self._following, self._waking):
            if each is not None:
                each.cancel()
        self._watch.close()
        self._completer.stop()
        self._idle.stop()
        self._outcomes.shutdown()
        await self._memory.close()
        await self._host.close()
        await asyncio.to_thread(self._context.close)

    def _follow_soon(self) -> None:
        self._following = asyncio.create_task(self.follow())

    async def _tick(self) -> None:
        """See to the engine, where no watcher could, and let time settle the offers.

        Each second while something happens, then more and more seldom: nobody may notice an idle server.
        """
        await self.follow()
        # The filter takes a tenth of a second to load: the first prompt should not have to wait for it.
        await asyncio.to_thread(self._privacy.load)
        pause = TICK_S
        while True:
            await self.follow()
            self._look_at_offers()
            self._memory.tick()
            await self._live.tick(self._host.base)
            await asyncio.sleep(TICK_S)
            is_busy = self._stirred.is_set() or self._host.waits
            pause = TICK_S if is_busy else min(2 * pause, LONGEST_TICK_S)
            self._stirred.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), pause - TICK_S)

    def _stir(self) -> None:
        """Something is about to happen: what time has settled by now is settled without it."""
        self._stirred.set()
        if self._clock() - self._looked_at >= TICK_S:
            self._look_at_offers()

    def _look_at_offers(self) -> None:
        self._looked_at = self._clock()
        self._outcomes.tick()

    def _silence_if_off(self) -> None:
        off = self._permission.off
        shown = self._reporter.status
        if off is not None:
            self._completer.stop()
            self._idle.stop()
            self._reporter.show(Status(State.OFF, off))
        elif shown is not None and shown.state is State.OFF:
            self._host.report()

    def _remembered(self, document: Document, point: Point) -> Chunk | None:
        return self._memory.chunk(document, point, self._project_of(document))

    def _project_of(self, document: Document) -> str:
        folder = self.workspace.folder_of(document)
        return str(folder) if folder else ""
