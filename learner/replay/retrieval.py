"""Pieces of a replayed project's other files, found as the server finds them, in the files of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.replay.history import HistoryError
from learner.retrieval.index import Index
from learner.retrieval.pieces import Finder, Question
from models.prompt import Chunk

if TYPE_CHECKING:
    from pathlib import Path

    from learner.privacy import PrivacyFilter
    from learner.replay.situation import Situation
    from learner.window import Budget

PATIENCE_S = 300.0
"""For reading every file once."""


class Retrieval:
    """Searches the files below one folder as they were when :meth:`refresh` was called last."""

    def __init__(self, root: Path, directory: Path, privacy: PrivacyFilter, budget: Budget) -> None:
        """``directory`` keeps the index."""
        self._root, self._directory, self._privacy = root, directory, privacy
        self._index = Index(root, directory, privacy)
        self._finder = Finder({root: self._index}, privacy, budget)
        self._fresh = False

    def stale(self) -> None:
        """The files have changed."""
        self._fresh = False

    def chunks(self, situation: Situation) -> tuple[Chunk, ...]:
        """Return the pieces that belong to the place, the most relevant last.

        Raises:
            HistoryError: the project cannot be indexed.
        """
        if not self._fresh:
            self._refresh()
        question = Question(
            path=self._root / situation.path,
            root=self._root,
            language=situation.language,
            line=situation.line,
            block="",
            lines=situation.lines,
            ring=(),
            open={},
        )
        found = self._finder.find(question)
        return tuple(Chunk(piece.path.relative_to(self._root).as_posix(), piece.text) for piece in found)

    def close(self) -> None:
        self._index.close()

    def _refresh(self) -> None:
        writer = Index(self._root, self._directory, self._privacy)
        writer.start(watch=False)
        self._fresh = writer.usable.wait(PATIENCE_S)
        writer.close()
        if not self._fresh:
            raise HistoryError(
                f"{self._root} cannot be indexed in {writer.file}; is there room on the disk, and may it be "
                "written?"
            )
