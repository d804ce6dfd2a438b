"""Looks now and then whether it is time for a micro-night, and starts it as any night is started."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.night import Night
    from models.home import Home

logger = logging.getLogger(__name__)

LOOK_S = 300.0
"""Between two looks: a query of the ledger at most."""


class MicroNights:
    """Starts at most one at a time, and none beside a night of the client's."""

    def __init__(self, home: Home, night: Night, now: Callable[[], float] = time.time) -> None:
        self._home, self._night, self._now = home, night, now
        self._looking: asyncio.Task[None] | None = None

    def start(self, base: Callable[[], str], is_wanted: Callable[[], bool]) -> None:
        """Begin to look.

        Args:
            base: the SHA-256 of the model that serves; empty while none does.
            is_wanted: what the settings say.
        """
        self._looking = asyncio.create_task(self._look_again(base, is_wanted), name="micro-nights")

    def close(self) -> None:
        """Look no more; a micro-night that runs goes on."""
        if self._looking is not None:
            self._looking.cancel()

    async def look(self, base: str) -> None:
        """Have one run, to its end, if it is time for it."""
        if not base or self._night.is_running:
            return
        if why := await asyncio.to_thread(self._waits_for, base):
            logger.debug("a micro-night waits for %s", why)
            return
        logger.info("a micro-night begins")
        await self._night.train_quietly(("--micro",))

    async def _look_again(self, base: Callable[[], str], is_wanted: Callable[[], bool]) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if not is_wanted():
                continue
            try:
                await self.look(base())
            except Exception as error:  # whatever is wrong with the disk, the next look may do better
                logger.warning("it cannot be told whether to train: %s", error)

    def _waits_for(self, base: str) -> str:
        from learner.give_way import Machine  # Here, for start-up does not need them.
        from learner.micro_night import waits_for

        return waits_for(self._home, base, self._now(), Machine(self._home.typing, self._now))
