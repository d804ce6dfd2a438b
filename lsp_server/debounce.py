"""How long to wait after a keystroke before the engine is asked: the developer may be typing on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.settings import ADAPTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_S = 0.2
PAUSE_S = 1.0
"""A longer gap between two keystrokes is thinking, not typing."""
PATIENCE = 1.5
"""Typing intervals after which the next key is no longer expected (Tabby waits 1.5 to 3)."""
SMOOTHING = 0.2


class Debounce:
    """Learns the pace of typing and of answers; waits the one less the other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._typed_at = float("-inf")
        self._interval_s: float | None = None
        self._latency_s = 0.0

    def keystroke(self) -> None:
        now = self._clock()
        interval = now - self._typed_at
        self._typed_at = now
        if interval < PAUSE_S:
            self._interval_s = _smoothed(self._interval_s, interval)

    def answered(self, latency_s: float) -> None:
        self._latency_s = _smoothed(self._latency_s, latency_s)

    def remaining_s(self, setting: int | str) -> float:
        """Return the seconds still to wait: those since the last keystroke have been waited already."""
        wait = self._adaptive_s() if setting == ADAPTIVE else float(setting) / 1000
        return max(0.0, self._typed_at + wait - self._clock())

    def _adaptive_s(self) -> float:
        if self._interval_s is None:
            return 0.0
        return min(max(0.0, PATIENCE * self._interval_s - self._latency_s), LONGEST_S)


def _smoothed(old: float | None, new: float) -> float:
    return new if old is None else (1 - SMOOTHING) * old + SMOOTHING * new
