"""Asks now and then, beside the event loop, whether a new adapter does worse than the one before."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING

from learner.registry import AdapterError, Registry
from learner.schema import NewerLedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from learner.live_watch import Harm
    from lsp_server.reporter import Reporter
    from models.home import Home

logger = logging.getLogger(__name__)

EVERY = 25
"""Answers of the model between two looks."""


class LiveCheck:
    """Counts the model's answers; :meth:`tick` is called each second or so."""

    def __init__(self, home: Home, reporter: Reporter, now: Callable[[], float]) -> None:
        self._home = home
        self._reporter = reporter
        self._now = now
        self._answers = 0

    def answered(self) -> None:
        self._answers += 1

    async def tick(self, base: str) -> None:
        """Roll the adapter for the model with SHA-256 ``base`` back if it is time to look and it is worse."""
        if not base or self._answers < EVERY:
            return
        self._answers = 0
        try:
            found = await asyncio.to_thread(self._look, base)
        except (sqlite3.Error, OSError, NewerLedgerError, AdapterError) as error:
            logger.warning("the adapter's outcomes cannot be judged: %s", error)
            return
        if found is not None:
            serving, harm = found
            self._reporter.warn(
                f"rolled back {serving}",
                f"the adapter {serving} did worse and was rolled back: {harm.reason}; "
                f"to use it all the same: nightschool adapters use {serving}",
            )

    def _look(self, base: str) -> tuple[str, Harm] | None:
        from learner.live_watch import roll_back_if_worse  # Here, for start-up does not need it.

        registry = Registry(self._home)
        serving = registry.choice(base).adapter
        harm = roll_back_if_worse(self._home.ledger, registry, base, self._now())
        return (serving, harm) if harm else None
