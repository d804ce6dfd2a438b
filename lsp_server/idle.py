"""What the engine does while nobody asks: prefetch what follows an acceptance, and keep the prompt warm."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lsp_server.prediction import Predicted, Scene
from models.engine import EngineError, Purpose

if TYPE_CHECKING:
    from lsp_server.documents import Document, Point
    from lsp_server.permission import Permission
    from lsp_server.prediction import Predictor
    from lsp_server.recent import Key, Recent

logger = logging.getLogger(__name__)

PAUSE_S = 0.15
"""The next key of somebody who types comes sooner; work begun before would only take the processor away."""
QUIET_S = 1.5
"""Without a keystroke for so long, the developer is thinking."""


class Refresher(Protocol):
    """What idle work needs of :class:`lsp_server.context.Context`."""

    async def refresh(self, document: Document, point: Point) -> bool: ...


@dataclass
class _Prefetch:
    key: Key
    has_begun: bool = False
    task: asyncio.Task[None] = field(init=False)


class Idle:
    """At most one piece of work at a time, and any request for ghost text ends it."""

    def __init__(
        self, permission: Permission, recent: Recent, predictor: Predictor, context: Refresher
    ) -> None:
        self._permission = permission
        self._recent = recent
        self._predictor = predictor
        self._context = context
        self._prefetching: _Prefetch | None = None
        self._warming: asyncio.Task[None] | None = None
        self.is_warm = False
        """Whether the prompt that was to be warmed last is evaluated in full."""
        self.is_behind = False
        """Whether the engine answered last from the near prompt, since the full one is not evaluated."""

    def prefetch(self, scene: Scene, text: str) -> None:
        """Predict what follows once ``text`` is accepted at the scene's cursor."""
        following = scene.after(text)
        if self._prefetching and self._prefetching.key == following.key:
            return
        if following.key not in self._recent:
            self.stop_prefetching()
            self._begin(following, PAUSE_S)

    def catch_up(self, scene: Scene) -> None:
        """Evaluate the full prompt as soon as nothing else is to be done, if the engine is behind."""
        if self.is_behind:
            self.warm(scene.document, scene.point, scene.project, PAUSE_S)

    def warm(self, document: Document, point: Point, project: str, delay_s: float) -> None:
        """Bring the context up to date and evaluate the prompt, unless called again within ``delay_s``."""
        self._stop_warming()
        self.is_warm = False
        if self._permission.refusal(document, point.line) is None:
            self._warming = asyncio.create_task(self._warm(document, point, project, delay_s))

    async def give_way(self, key: Key) -> None:
        """Free the engine for a request at ``key``; where that is being prefetched, wait for it instead."""
        self._stop_warming()
        prefetching = self._prefetching
        if prefetching and prefetching.key == key and prefetching.has_begun:
            await asyncio.wait({prefetching.task})
        else:
            self.stop_prefetching()

    def stop(self) -> None:
        self.stop_prefetching()
        self._stop_warming()

    def stop_prefetching(self) -> None:
        """Stop what nobody has asked for yet."""
        if self._prefetching is not None:
            self._prefetching.task.cancel()
            self._prefetching = None

    def _stop_warming(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            self._warming = None

    def _begin(self, scene: Scene, delay_s: float) -> None:
        prefetching = self._prefetching = _Prefetch(scene.key)
        prefetching.task = asyncio.create_task(self._predict(scene, prefetching, delay_s))

    async def _predict(self, scene: Scene, prefetching: _Prefetch, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        prefetching.has_begun = True
        try:
            found = await self._predictor.predict(scene, self._permission.settings, Purpose.PREFETCH)
        except EngineError as error:
            logger.debug("nothing prefetched: %s", error)
            return
        # A line that needs nothing more: the developer will press Enter.
        below = scene.below() if isinstance(found, Predicted) and found.prediction.declined else None
        if below is not None and below.key not in self._recent and self._prefetching is prefetching:
            self._begin(below, 0)

    async def _warm(self, document: Document, point: Point, project: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._context.refresh(document, point)
        while self._prefetching is not None and not self._prefetching.task.done():
            await asyncio.wait({self._prefetching.task})
        try:
            self.is_warm = await self._predictor.warm(Scene.at(document, point, project))
        except EngineError as error:
            logger.debug("nothing warmed: %s", error)
            return
        self.is_behind = self.is_behind and not self.is_warm
