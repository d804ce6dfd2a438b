"""One completion, from a request to its offers: recent predictions first, else the engine."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from learner.declined import Declined
from learner.facts import Served
from learner.place import in_comment
from lsp_server.prediction import Scene
from lsp_server.recent import Found
from models.engine import EngineError, Purpose, Timings

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from learner.facts import Offered
    from learner.place import Place
    from lsp_server.debounce import Debounce
    from lsp_server.documents import Document, Point, Range
    from lsp_server.idle import Idle
    from lsp_server.permission import Permission
    from lsp_server.prediction import Predictor
    from lsp_server.recent import Prediction, Recent
    from lsp_server.settings import Settings

logger = logging.getLogger(__name__)

INVOKED_CANDIDATES = 3
_WORD_AT_END = re.compile(r"\w*$")


class Follower(Protocol):
    """What completing needs of :class:`lsp_server.outcomes.Outcomes`."""

    def offered(self, offer: Offered, document: Document) -> None: ...

    def repeated(self, offer_id: str, remainder: str) -> None: ...


class Rememberer(Protocol):
    """What completing needs of :class:`lsp_server.remembering.Remembering`."""

    @property
    def version(self) -> int: ...

    def rival(self, scene: Scene, settings: Settings) -> Prediction | None: ...

    def support(self, scene: Scene, text: str) -> int: ...


class Judge(Protocol):
    """What completing needs of :class:`lsp_server.gatekeeper.Gatekeeper`."""

    def hides(self, offer: Offered, place: Place, threshold: float) -> bool: ...


@dataclass(frozen=True)
class Menu:
    """The item selected in the editor's completion menu: ``text`` in place of what is from start to end."""

    start: Point
    end: Point
    text: str


@dataclass(frozen=True)
class Ask:
    """A request for ghost text."""

    document: Document
    point: Point
    project: str = ""
    invoked: bool = False
    menu: Menu | None = None
    allowed: Awaitable[bool] | None = None
    """Whether the privacy filter lets the file be seen, where that is not known to be so."""


@dataclass(frozen=True)
class Offer:
    """Ghost text: ``text`` in place of what stands in ``range``."""

    offer_id: str
    text: str
    range: Range
    """In the client's units, as the document was when this was offered."""
    word: str
    """The part of a word that stands left of the range."""


@dataclass(frozen=True)
class Answer:
    """The offers, best first, or why there are none; and what it took."""

    offers: tuple[Offer, ...] = ()
    declined: str | None = None
    served: Served | None = None
    waited_ms: float = 0.0
    """Spent waiting for the next keystroke."""
    latency_ms: float = 0.0
    """From the request's arrival, in all."""
    timings: Timings = field(default_factory=Timings)


class Completer:
    """Answers requests for ghost text; a newer one ends an older one, which is then answered empty."""

    def __init__(
        self,
        permission: Permission,
        recent: Recent,
        debounce: Debounce,
        predictor: Predictor,
        idle: Idle,
        outcomes: Follower,
        gatekeeper: Judge,
        memory: Rememberer,
    ) -> None:
        self._permission = permission
        self._recent = recent
        self._debounce = debounce
        self._predictor = predictor
        self._idle = idle
        self._outcomes = outcomes
        self._gatekeeper = gatekeeper
        self._memory = memory
        self._running: asyncio.Task[Answer] | None = None
        self._running_for: Document | None = None

    def request(self, ask: Ask) -> Answer | Awaitable[Answer]:
        """Return the answer where it is known; else what to wait for."""
        arrived = time.perf_counter()
        self.stop()
        if refusal := self._permission.refusal(ask.document, ask.point.line):
            return Answer(declined=refusal)
        scene = _scene_of(ask)
        if isinstance(scene, Declined):
            return Answer(declined=scene)
        if not self._permission.settings.in_comments and in_comment(scene.place):
            return Answer(declined=Declined.IN_COMMENT)
        if ask.allowed is None and (answer := self._served_again(ask, scene, arrived)):
            return answer
        return self._wait_for(ask, scene, arrived)

    def stop(self, document: Document | None = None) -> None:
        """End the running request (if it is for ``document``); it is answered empty."""
        if self._running is not None and document in (None, self._running_for):
            self._running.cancel()
            self._running = None

    async def _wait_for(self, ask: Ask, scene: Scene, arrived: float) -> Answer:
        task = self._running = asyncio.create_task(self._complete(ask, scene, arrived))
        self._running_for = ask.document
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()  # the client cancelled the request: the engine must stop as well
            raise
        return Answer(declined=Declined.SUPERSEDED) if task.cancelled() else task.result()

    async def _complete(self, ask: Ask, scene: Scene, arrived: float) -> Answer:
        settings = self._permission.settings
        # Shielded: the answer serves later requests as well, even if this one is cancelled.
        if ask.allowed is not None and not await asyncio.shield(ask.allowed):
            return Answer(declined=Declined.IGNORED_FILE)
        waited = 0.0 if ask.invoked else self._debounce.remaining_s(settings.debounce)
        if waited:
            await asyncio.sleep(waited)
        await self._idle.give_way(scene.key)
        if answer := self._served_again(ask, scene, arrived):
            return answer
        try:
            predicted = await self._predictor.predict(
                scene, settings, Purpose.COMPLETE, INVOKED_CANDIDATES if ask.invoked else 1
            )
        except EngineError as error:
            # Whoever runs the engine has logged what happened to it.
            logger.debug("no completion: %s", error)
            return Answer(declined=Declined.ENGINE_FAILED)
        if isinstance(predicted, Declined):
            return Answer(declined=predicted)
        self._idle.is_behind = predicted.completion.near
        self._debounce.answered(predicted.completion.timings.total_ms / 1000)
        answer = self._serve(ask, scene, Found(predicted.prediction), arrived)
        return replace(answer, waited_ms=1000 * waited, timings=predicted.completion.timings)

    def _served_again(self, ask: Ask, scene: Scene, arrived: float) -> Answer | None:
        """Answer from a prediction made before or from memory, where there is one for this text."""
        found = self._known(ask, scene)
        if found is None:
            return None
        if ask.invoked:
            asked_enough = found.prediction.asked_for >= INVOKED_CANDIDATES
            return self._serve(ask, scene, found, arrived) if asked_enough else None
        if found.unwanted:
            return Answer(declined=Declined.REJECTED, served=Served.CACHE)
        return self._serve(ask, scene, found, arrived)

    def _known(self, ask: Ask, scene: Scene) -> Found | None:
        """Return a prediction made before, or what memory trusts itself to know better than the model."""
        found = self._recent.find(scene.document, scene.point)
        if ask.invoked or (found is not None and self._stays(found)):
            return found
        rival = self._memory.rival(scene, self._permission.settings)
        if found is not None:
            found.prediction.as_of = self._memory.version
        if rival is None or (found is not None and found.says(rival)):
            return found
        self._recent.keep(scene.key, rival)
        return Found(rival)

    def _stays(self, found: Found) -> bool:
        """Whether memory has no say: it is typed along, was unwanted here, or nothing was learned since."""
        is_current = found.prediction.was_judged and found.prediction.as_of == self._memory.version
        return bool(found.typed) or found.unwanted or is_current

    def _serve(self, ask: Ask, scene: Scene, found: Found, arrived: float) -> Answer:
        """Answer with what is left of a prediction, and have its fate followed."""
        self._idle.catch_up(scene)
        prediction = found.prediction
        if not (prediction.offered or prediction.declined or ask.invoked):
            self._gate(found, scene)
        latency_ms = 1000 * (time.perf_counter() - arrived)
        served = Served.CACHE if prediction.offered else prediction.offers[0].served
        rests = [(prediction.offers[0], "")] if prediction.declined else prediction.rests(found)
        # The best comes last: of those offered at one place, the last is taken to be on display.
        for offer, rest in reversed(rests):
            if prediction.offered:
                self._outcomes.repeated(offer.offer_id, rest)
            else:
                fact = replace(offer, text=rest or offer.text, latency_ms=latency_ms, invoked=ask.invoked)
                self._outcomes.offered(_as_inserted(fact, ask), ask.document)
        prediction.offered, prediction.as_of = True, self._memory.version
        if prediction.declined:
            return Answer(declined=prediction.declined, served=served, latency_ms=latency_ms)
        self._idle.prefetch(scene, rests[0][1])
        return Answer(tuple(_offer(each, rest, ask) for each, rest in rests), None, served, 0.0, latency_ms)

    def _gate(self, found: Found, scene: Scene) -> None:
        """Keep a prediction back that is better not shown; whoever asks for it by hand gets a new one."""
        prediction = found.prediction
        best, rest = prediction.rests(found)[0]
        best = replace(best, support=best.support or self._memory.support(scene, rest))
        offer = replace(best, text=rest)
        if self._gatekeeper.hides(offer, scene.place, self._permission.settings.gate):
            prediction.offers = (replace(offer, declined=Declined.HIDDEN),)
        else:
            prediction.offers = tuple(
                best if each.offer_id == best.offer_id else each for each in prediction.offers
            )


def _scene_of(ask: Ask) -> Scene | Declined:
    if ask.menu is None:
        return Scene.at(ask.document, ask.point, ask.project)
    start, end = ask.menu.start, ask.menu.end
    if not (start <= ask.point <= end and start.line == end.line):
        return Declined.CONTRADICTS_MENU
    document = ask.document.with_text(start, end, ask.menu.text)
    return Scene.at(document, start.after(ask.menu.text), ask.project)


def _offer(offer: Offered, rest: str, ask: Ask) -> Offer:
    menu = ask.menu or Menu(ask.point, ask.point, "")
    (word,) = _WORD_AT_END.findall(ask.document.lines[menu.start.line][: menu.start.column])[:1]
    return Offer(offer.offer_id, menu.text + rest, ask.document.range_of(menu.start, menu.end), word)


def _as_inserted(fact: Offered, ask: Ask) -> Offered:
    """Return the fact as it stands in the document itself: with what an accept inserts, and where."""
    if ask.menu is None:
        return replace(fact, line=ask.point.line, column=ask.point.column)
    start, end, text = ask.menu.start, ask.menu.end, ask.menu.text + fact.text
    word = ask.document.text_between(start, ask.point)
    if text.startswith(word):
        start, text = ask.point, text.removeprefix(word)
    return replace(fact, line=start.line, column=start.column, text=text, replaced=end.column - start.column)
