"""One night at a time across processes; a short night ends where a full one wants to begin."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from learner.job import JobFiles
from learner.tonight import Tonight
from learner.training_process import TrainingStoppedError
from models.home import private_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.home import Home

FULL, MICRO = "tonight", "micro"
"""The folders of a whole and of a short night, below that of the nights."""
SUPERSEDE_S = 120.0
"""A short night that is asked to end finishes the step or the question that it is in, and its checkpoint."""


class NothingToLearnError(Exception):
    """There is too little to learn from, or another night is at it; the message says what is missing."""


def discard_unfinished(home: Home) -> bool:
    """Delete the nights that were broken off, with the examples that they hold.

    Returns:
        False where a night is under way, which is left alone.
    """
    if not home.night.is_dir():
        return True
    try:
        with NightLock(home, is_micro=True).held():
            for name in (FULL, MICRO):
                Tonight(home.night / name).discard()
    except NothingToLearnError:
        return False
    return True


class NightLock:
    """The lock that one night at a time has; the system lets go of a killed one's."""

    def __init__(self, home: Home, *, is_micro: bool, patience_s: float = SUPERSEDE_S) -> None:
        self._folder = home.night
        self._is_micro, self._patience_s = is_micro, patience_s
        self._micro = home.night / "micro-lock"
        """Held as well by a short night: by it a full one knows whom it meets."""
        self._asked = home.night / "full-night-waits"
        """While this file exists, a short night ends as soon as it can."""
        self._training = JobFiles(home.night / MICRO / "training")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock.

        Raises:
            NothingToLearnError: another night has it, and does not end for this one.
        """
        path = private_directory(self._folder) / "lock"
        lock = FileLock(path, timeout=0, mode=0o600)
        try:
            self._acquire(lock)
        except Timeout:
            raise NothingToLearnError(
                f"another night is under way (it holds {path}); wait for it, or end it"
            ) from None
        finally:
            if not self._is_micro:
                self._asked.unlink(missing_ok=True)
        try:
            if not self._is_micro:
                yield
                return
            # A full night that was killed while it waited has left its wish behind.
            self._asked.unlink(missing_ok=True)
            with FileLock(self._micro, timeout=self._patience_s, mode=0o600):
                yield
        finally:
            lock.release()

    def check(self) -> None:
        """Say whether this night is to go on; asked at every step.

        Raises:
            TrainingStoppedError: it is a short one, and a full one waits.
        """
        if self._is_micro and self._asked.exists():
            raise TrainingStoppedError("a full night begins")

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire()
        except Timeout:
            if self._is_micro or not self._is_held(self._micro):
                raise
            self._asked.touch(mode=0o600)
            if self._training.root.is_dir():
                # Its training process hears this within a second, and the file above is heard a step later.
                self._training.stop.touch(mode=0o600)
            lock.acquire(timeout=self._patience_s)

    @staticmethod
    def _is_held(path: object) -> bool:
        try:
            with FileLock(str(path), timeout=0, mode=0o600):
                return False
        except Timeout:
            return True
