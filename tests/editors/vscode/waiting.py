"""Waiting for what a workbench, a browser or a server does in its own time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0

T = TypeVar("T")


def until(find: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return what ``find`` returns once it is neither None nor false."""
    pause = threading.Event()
    deadline = time.monotonic() + patience_s
    while True:
        if found := find():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {patience_s:g} s")
        pause.wait(0.05)
