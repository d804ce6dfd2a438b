"""What the engine does while nobody asks: prefetch what follows an acceptance, and keep the prompt warm."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from lsp_server.prediction import Scene
from models.engine import EngineError, Purpose

if TYPE_CHECKING:
    from lsp_server.documents import Document, Point
    from lsp_server.permission import Permission
    from lsp_server.prediction import Predictor
    from lsp_server.recent import Key, Recent

logger = logging.getLogger(__name__)

QUIET_S = 1.5
"""Without a keystroke for so long, the developer is thinking."""


class Refresher(Protocol):
    """What idle work needs of :class:`lsp_server.context.Context`."""

    async def refresh(self, document: Document, point: Point) -> bool: ...


class Idle:
    """At most one piece of work at a time, and any request for ghost text ends it."""

    def __init__(
        self, permission: Permission, recent: Recent, predictor: Predictor, context: Refresher
    ) -> None:
        self._permission = permission
        self._recent = recent
        self._predictor = predictor
        self._context = context
        self._prefetching: tuple[Key, asyncio.Task[None]] | None = None
        self._warming: asyncio.Task[None] | None = None
        self.is_warm = False
        """Whether the prompt that was to be warmed last is evaluated in full."""

    def prefetch(self, scene: Scene, text: str) -> None:
        """Predict what follows once ``text`` is accepted at the scene's cursor."""
        following = scene.after(text)
        if following.key in self._recent or (self._prefetching and self._prefetching[0] == following.key):
            return
        self._stop_prefetching()
        self._prefetching = (following.key, asyncio.create_task(self._predict(following)))

    def warm(self, document: Document, point: Point, project: str, delay_s: float) -> None:
        """Bring the context up to date and evaluate the prompt, unless called again within ``delay_s``."""
        self._stop_warming()
        self.is_warm = False
        if self._permission.refusal(document, point.line) is None:
            self._warming = asyncio.create_task(self._warm(document, point, project, delay_s))

    async def give_way(self, key: Key) -> None:
        """Free the engine for a request at ``key``; where that is being prefetched, wait for it instead."""
        self._stop_warming()
        if self._prefetching is not None and self._prefetching[0] == key:
            await asyncio.wait({self._prefetching[1]})
        else:
            self._stop_prefetching()

    def stop(self) -> None:
        self._stop_prefetching()
        self._stop_warming()

    def _stop_prefetching(self) -> None:
        if self._prefetching is not None:
            self._prefetching[1].cancel()
            self._prefetching = None

    def _stop_warming(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            self._warming = None

    async def _predict(self, scene: Scene) -> None:
        try:
            await self._predictor.predict(scene, self._permission.settings, Purpose.PREFETCH)
        except EngineError as error:
            logger.info("nothing prefetched: %s", error)

    async def _warm(self, document: Document, point: Point, project: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._context.refresh(document, point)
        if self._prefetching is not None:
            await asyncio.wait({self._prefetching[1]})
        try:
            self.is_warm = await self._predictor.warm(Scene.at(document, point, project))
        except EngineError as error:
            logger.info("nothing warmed: %s", error)
