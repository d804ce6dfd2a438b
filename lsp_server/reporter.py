"""What the user is told: the state in the status bar, and a message once per cause."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Notify = Callable[[str, object], None]

logger = logging.getLogger(__name__)

WARNING, INFO = 2, 3
"""LSP's ``MessageType``."""


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    OFF = "off"
    ERROR = "error"


@dataclass(frozen=True)
class Status:
    """The parameters of ``nightschool/status``."""

    state: State = State.STARTING
    message: str = ""
    remedy: str = ""
    model: str = ""
    adapter: str | None = None


class Reporter:
    """Sends ``nightschool/status`` when the status changes, and no message twice for one cause."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._told: set[str] = set()
        self.status: Status | None = None

    def show(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._notify("nightschool/status", asdict(status))

    def warn(self, cause: str, message: str) -> None:
        """Show ``message`` unless one with the same ``cause`` was shown before."""
        if cause not in self._told:
            self._told.add(cause)
            logger.warning("%s", message)
            self._notify("window/showMessage", {"type": WARNING, "message": f"Nightschool: {message}"})

    def inform(self, message: str) -> None:
        """Show the result of something that the user asked for."""
        logger.info("%s", message)
        self._notify("window/showMessage", {"type": INFO, "message": f"Nightschool: {message}"})

    def mended(self, cause: str) -> None:
        """The cause is gone; should it come back, that is news."""
        self._told.discard(cause)
