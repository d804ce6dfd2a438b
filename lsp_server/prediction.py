"""Asking the engine what follows at one place, and making offers of what it says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from learner.declined import Declined
from learner.facts import Offered, Served
from learner.languages import opens_block
from learner.place import place_at, stop_for
from learner.registry import id_of_path
from learner.trim import trim
from lsp_server.recent import Prediction, key_of
from models.engine import Purpose, Request, Stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from learner.place import Place
    from lsp_server.documents import Document, Point
    from lsp_server.recent import Key, Recent
    from lsp_server.settings import Settings
    from models.engine import Candidate, Completion, Engine
    from models.prompt import Prompt


class PromptSource(Protocol):
    """What predicting needs of :class:`lsp_server.context.Context`."""

    def prompt(self, document: Document, point: Point) -> Prompt: ...

    def near(self, document: Document, point: Point) -> Prompt: ...


class Recollection(Protocol):
    """What predicting needs of :class:`lsp_server.remembering.Remembering`."""

    def refuses(self, scene: Scene, text: str) -> bool:
        """Return whether ``text`` was rejected or deleted at the scene before."""
        ...

    def draft(self, scene: Scene) -> str:
        """Return what may follow; the engine is faster where it does."""
        ...


@dataclass(frozen=True)
class Scene:
    """The text to complete: a document, or a copy of it with some text inserted in advance."""

    document: Document
    point: Point
    key: Key
    project: str
    """The workspace folder's path, or empty."""

    @classmethod
    def at(cls, document: Document, point: Point, project: str) -> Scene:
        return cls(document, point, key_of(document, point), project)

    @cached_property
    def place(self) -> Place:
        document, point = self.document, self.point
        return place_at(document.lines, point.line, point.column, document.language_id)

    def after(self, text: str) -> Scene:
        """Return the scene once ``text`` is inserted at the cursor."""
        document = self.document.with_text(self.point, self.point, text)
        return Scene.at(document, self.point.after(text), self.project)

    def below(self) -> Scene | None:
        """Return the scene after Enter, indented as most editors do it; None within a line."""
        if self.place.after.strip() or not self.place.before.strip():
            return None
        indent = _leading(self.place.before)
        if opens_block(self.place.before, self.place.syntax):
            indent += min(filter(None, map(_leading, self.place.above)), key=len, default="    ")
        return self.after(f"\n{indent}")

    def offered(
        self,
        text: str,
        prompt: Prompt,
        *,
        session_id: str,
        offered_at: float,
        layout: str,
        model: str,
        served: Served,
        candidates: tuple[Candidate, ...],
        adapter: str | None = None,
        declined: str | None = None,
        invoked: bool = False,
        support: int = 0,
    ) -> Offered:
        """Return the fact that ``text`` was (or would be) offered here; it gets an id of its own."""
        return Offered(
            offer_id=uuid.uuid4().hex,
            session_id=session_id,
            offered_at=offered_at,
            uri=self.document.uri,
            project=self.project,
            language=self.document.language_id,
            line=self.point.line,
            column=self.point.column,
            text=text,
            replaced=0,
            prompt=prompt,
            layout=layout,
            model=model,
            adapter=adapter,
            candidates=candidates,
            declined=declined,
            invoked=invoked,
            served=served,
            latency_ms=0.0,
            support=support,
        )


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


@dataclass(frozen=True)
class Predicted:
    """A prediction and what the engine said of it."""

    prediction: Prediction
    completion: Completion


class Predictor:
    """Turns scenes into predictions and keeps them in ``recent``; one engine, many scenes."""

    def __init__(
        self,
        engine: Callable[[], Awaitable[Engine | None]],
        context: PromptSource,
        recent: Recent,
        session_id: str,
        now: Callable[[], float],
        memory: Recollection,
    ) -> None:
        self._engine = engine
        self._context = context
        self._recent = recent
        self._session_id = session_id
        self._now = now
        self._memory = memory

    async def predict(
        self, scene: Scene, settings: Settings, purpose: Purpose, candidates: int = 1
    ) -> Predicted | Declined:
        """Ask the engine; the answer is kept, whether it is worth offering or not.

        Raises:
            EngineError: the engine failed or is not running.
        """
        engine = await self._engine()
        if engine is None:
            return Declined.NO_MODEL
        stop, indent = stop_for(scene.place) if settings.multi_line else (Stop.LINE, 0)
        prompt = self._context.prompt(scene.document, scene.point)
        near = self._context.near(scene.document, scene.point)
        draft = self._memory.draft(scene)
        completion = await engine.complete(
            Request(prompt, purpose, stop, indent, settings.max_tokens, candidates, near, draft)
        )
        if completion is None:
            return Declined.SUPERSEDED
        prompt = near if completion.near else prompt
        prediction = Prediction(self._offers(scene, prompt, completion, purpose, candidates > 1), candidates)
        self._recent.keep(scene.key, prediction)
        return Predicted(prediction, completion)

    async def warm(self, scene: Scene) -> bool:
        """Evaluate the scene's prompt, so that the next request finds it done; return whether it came to it.

        Raises:
            EngineError: the engine failed or is not running.
        """
        if (engine := await self._engine()) is None:
            return False
        prompt = self._context.prompt(scene.document, scene.point)
        return await engine.complete(Request(prompt, Purpose.WARM)) is not None

    def _offers(
        self, scene: Scene, prompt: Prompt, completion: Completion, purpose: Purpose, invoked: bool
    ) -> tuple[Offered, ...]:
        """Return each distinct text worth offering, else the best candidate with why it is not."""
        verdicts = [
            trim(candidate.text, scene.place, truncated=candidate.stopped_by == "length")
            for candidate in completion.candidates
        ]
        if not invoked:
            verdicts = [
                Declined.REJECTED
                if not isinstance(text, Declined) and self._memory.refuses(scene, text)
                else text
                for text in verdicts
            ]
        texts = list(dict.fromkeys(text for text in verdicts if not isinstance(text, Declined)))
        silent = next((str(why) for why in verdicts if isinstance(why, Declined)), str(Declined.EMPTY))
        raw = completion.candidates[0].text if completion.candidates else ""
        return tuple(
            scene.offered(
                text,
                prompt,
                session_id=self._session_id,
                offered_at=self._now(),
                layout=completion.layout,
                model=completion.model,
                adapter=id_of_path(Path(completion.adapter)) if completion.adapter else None,
                candidates=completion.candidates,
                declined=declined,
                invoked=invoked,
                served=Served.PREFETCH if purpose is Purpose.PREFETCH else Served.MODEL,
            )
            for text, declined in ([(text, None) for text in texts] or [(raw, silent)])
        )
