"""How the last night ended, whether it made an adapter or not: a schedule works where nobody looks."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from learner.night_lock import NothingToLearnError
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from models.home import Home

logger = logging.getLogger(__name__)

DONE, FAILED, NOTHING_TO_DO = 0, 1, 3


@dataclass(frozen=True)
class LastRun:
    ended_at: float
    """Unix time."""
    exit_code: int
    """0 made an adapter, 1 failed, 3 had nothing to do."""
    reason: str
    """Why it made none; else the verdict."""
    scheduled: bool
    """Nobody had asked for it by hand."""

    @property
    def outcome(self) -> str:
        """What the exit code says."""
        return {DONE: "done", NOTHING_TO_DO: "nothing to do"}.get(self.exit_code, "failed")


@contextmanager
def noted(
    home: Home, *, scheduled: bool, now: Callable[[], float] = time.time
) -> Iterator[Callable[[str], None]]:
    """Keep how the block ends; it calls what this yields with its verdict."""
    told: list[str] = []

    def keep(exit_code: int, reason: str) -> None:
        _write(home, LastRun(now(), exit_code, reason, scheduled))

    try:
        yield told.append
    except NothingToLearnError as error:
        keep(NOTHING_TO_DO, str(error))
        raise
    except KeyboardInterrupt:
        keep(FAILED, "stopped")
        raise
    except Exception as error:
        keep(FAILED, str(error))
        raise
    keep(DONE, "; ".join(told))


def last_run(home: Home) -> LastRun | None:
    """Return how the last training ended; None before the first, and where the file is damaged."""
    try:
        return LastRun(**json.loads(home.last_run.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s says nothing of the last training: %s", home.last_run, error)
        return None


def _write(home: Home, run: LastRun) -> None:
    """Replace the file; a night does not fail because this cannot be written."""
    part = home.last_run.with_suffix(".part")
    try:
        private_directory(home.root)
        with open(part, "w", encoding="utf-8", opener=private_opener) as file:
            json.dump(asdict(run), file)
        part.replace(home.last_run)
    except OSError as error:
        logger.warning("%s cannot be written: %s", home.last_run, error)
