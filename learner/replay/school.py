"""Where a replay's adapters come from: whole nights over a ledger of the arm's own, as a developer has them.

Lesson, training, exam and promotion are the product's; only the clock is the history's. A night that is
refused leaves what served before.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from learner.examples import Selection
from learner.facts import REPLAY_CLIENT, Session
from learner.give_way import Reason
from learner.job import JobError, TrainingOptions
from learner.ledger import Ledger
from learner.night_needs import NightFailedError
from learner.nightly import Night, NightOptions, NothingToLearnError
from learner.registry import Registry
from learner.training_process import TrainingStoppedError
from models import primers
from models.choice import choose
from models.engine import EngineError
from models.home import Home, private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from learner.facts import Event, Offered, Settlement
    from learner.job import Progress
    from learner.nightly import NightResult
    from learner.replay.workplace import Workplace

logger = logging.getLogger(__name__)

LEAST = 40
"""Interactions before which no night can be: half of them are examined on."""
MINUTES = 60.0
"""Of one night."""
PATIENCE_S = 60.0


class NightSchool:
    """One arm's ledger and adapters; what was studied before a kill is not studied again."""

    def __init__(
        self,
        root: Path,
        model: Path,
        base: str,
        seed: int,
        on_progress: Callable[[Progress], None],
        is_due: Callable[[int], bool] = lambda interactions: True,
        run_night: Callable[[Night], NightResult] = Night.run,
    ) -> None:
        """``root`` is the arm's own home; its ledger is begun anew, its adapters stay.

        Args:
            base: the SHA-256 of the model's file.
            is_due: after how many interactions there is a night, of those at which one is asked for.
            run_night: takes up to an hour; tests bring their own.
        """
        self._home = Home(private_directory(root))
        self._seed, self._on_progress, self._is_due = seed, on_progress, is_due
        self._run_night = run_night
        self._base = base
        choose(self._home, str(model))
        for suffix in ("", "-wal", "-shm"):
            self._home.ledger.with_name(self._home.ledger.name + suffix).unlink(missing_ok=True)
        self._now = 0.0
        self._troubles: list[str] = []
        self._ledger = Ledger.open(
            self._home.ledger, on_trouble=self._troubles.append, clock=lambda: self._now
        )
        self._begun: set[str] = set()
        self._nights = self._home.root / "nights.json"
        self._serving: dict[str, str | None] = _read(self._nights)
        """The adapter's path by the interactions after which it was to serve."""
        self.adapter: Path | None = primers.primer_path(self._base)
        """What serves now; None is the bare base."""

    def enter(self, workplace: Workplace) -> None:
        """Nothing: the ledger names each offer's project."""

    def record(self, offer: Offered, facts: Sequence[Event | Settlement]) -> None:
        if offer.session_id not in self._begun:
            self._begun.add(offer.session_id)
            self._ledger.record(Session(offer.session_id, offer.offered_at, REPLAY_CLIENT, REPLAY_CLIENT, 0))
        for fact in (offer, *facts):
            self._ledger.record(fact)
        self._now = max(self._now, offer.offered_at, *(fact.at for fact in facts))

    async def study(self, interactions: int) -> None:
        """Do the night that is due after so many interactions.

        Raises:
            EngineError: it cannot be done here, or was stopped; the same replay goes on with it.
        """
        if interactions < LEAST or not self._is_due(interactions):
            return
        if str(interactions) in self._serving:
            found = self._serving[str(interactions)]
            self.adapter = Path(found) if found else None
            return
        if not self._ledger.flush(PATIENCE_S) or self._troubles:
            raise EngineError(
                f"a replay's ledger cannot be written: {'; '.join(self._troubles) or 'too slow'}"
            )
        ended = threading.Event()

        def on_progress(progress: Progress) -> None:
            if ended.is_set():
                raise TrainingStoppedError("the replay was ended")
            self._on_progress(progress)

        night = Night(self._home, self._options(), on_progress, now=lambda: self._now)
        try:
            # A night has event loops of its own; it ends at its next step where the replay is ended.
            await asyncio.to_thread(self._run_night, night)
        except NothingToLearnError as error:
            logger.info("no night after %s interactions: %s", interactions, error)
        except (JobError, NightFailedError) as error:
            raise EngineError(f"a replay's night after {interactions} interactions: {error}") from None
        finally:
            ended.set()
        serving = Registry(self._home).serving(self._base)
        self.adapter = serving.path if serving else None
        self._keep(interactions)

    def close(self) -> None:
        self._ledger.close(PATIENCE_S)

    def _options(self) -> NightOptions:
        # Nobody types in the replay's editor; only memory may hold a night up.
        training = TrainingOptions(minutes=MINUTES, seed=self._seed, give_way=(Reason.MEMORY,))
        return NightOptions(Selection(seed=self._seed), training)

    def _keep(self, interactions: int) -> None:
        self._serving[str(interactions)] = str(self.adapter) if self.adapter else None
        part = self._nights.with_suffix(".part")
        with open(part, "w", encoding="utf-8", opener=private_opener) as file:
            json.dump(self._serving, file)
        part.replace(self._nights)


class OtherSchool:
    """For each project the adapter that learned from another one, made before the replay began."""

    def __init__(self, adapters: Mapping[Path, Path | None]) -> None:
        """``adapters`` are by the folder of the project that they are for."""
        self._adapters = adapters
        self.adapter: Path | None = None

    def enter(self, workplace: Workplace) -> None:
        self.adapter = self._adapters[workplace.root]

    def record(self, offer: Offered, facts: Sequence[Event | Settlement]) -> None:
        """Nothing: it knows the other project, and never this one."""

    async def study(self, interactions: int) -> None:
        """Nothing: it has studied."""

    def close(self) -> None:
        """Nothing to close."""


def _read(path: Path) -> dict[str, str | None]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
