"""Where the developer wants no ghost text: everything that is known before the model is asked."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from learner.declined import Declined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsp_server.documents import Document
    from lsp_server.settings import Settings

LARGEST_DOCUMENT = 2_000_000
"""Code points; a larger text is not completed (and one that is much larger not even kept)."""
LONGEST_LINE = 20_000


class Permission:
    """Says whether a document may be completed now, from settings and snoozing."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._snoozed_until = float("-inf")
        self._is_disabled = lru_cache(1000)(_path_matcher(settings.disabled_paths))

    def change(self, settings: Settings) -> None:
        self.settings = settings
        self._is_disabled = lru_cache(1000)(_path_matcher(settings.disabled_paths))

    @property
    def off(self) -> Declined | None:
        """Why nothing at all is offered at present."""
        if not self.settings.enabled:
            return Declined.OFF
        return Declined.SNOOZED if self._clock() < self._snoozed_until else None

    def snooze(self, minutes: float) -> None:
        """Keep silent for ``minutes`` from now; 0 ends it."""
        self._snoozed_until = self._clock() + 60 * minutes

    def refusal(self, document: Document, line: int) -> Declined | None:
        if off := self.off:
            return off
        if not self.settings.allows_language(document.language_id):
            return Declined.LANGUAGE_OFF
        if document.path is not None and self._is_disabled(document.path):
            return Declined.PATH_OFF
        if document.length > LARGEST_DOCUMENT or len(document.lines[line]) > LONGEST_LINE:
            return Declined.TOO_LARGE
        return None


def _path_matcher(globs: tuple[str, ...]) -> Callable[[Path], bool]:
    if not globs:
        return lambda path: False
    # Imported here: few set a glob, and everybody waits for the imports of a starting server.
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(globs)
    return lambda path: spec.match_file(path.as_posix().removeprefix(path.anchor))
