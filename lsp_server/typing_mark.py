"""Tells other processes that somebody is typing, so that training can give way."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class TypingMark:
    """Touches a file for keystrokes, at most once a second and never on the event loop."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._touched_at = float("-inf")

    def keystroke(self) -> None:
        now = self._clock()
        if now - self._touched_at >= EVERY_S:
            self._touched_at = now
            asyncio.get_running_loop().run_in_executor(None, self._touch)

    def _touch(self) -> None:
        try:
            self._path.touch(mode=0o600)
        except OSError as error:  # a full disk: training then gives way to nobody
            logger.info("%s cannot be touched: %s", self._path, error)
