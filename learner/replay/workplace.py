"""Where one project is replayed: its files as they stood at the start and as they are now, with indexes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from learner.privacy import PrivacyFilter
from learner.replay.project_tree import ProjectTree, Walk
from learner.replay.retrieval import Retrieval

if TYPE_CHECKING:
    from pathlib import Path

    from learner.replay.history import History
    from learner.replay.questions import Question
    from learner.window import Budget


class Workplace:
    """A project's two folders; cursors are moved to in their order."""

    def __init__(self, folder: Path, history: History, budget: Budget) -> None:
        self._folder = folder
        files = history.start()
        self._walk = Walk(history)
        self._now = ProjectTree(folder / "now" / history.project, files)
        then = ProjectTree(folder / "start" / history.project, files)
        privacy = PrivacyFilter([self._now.root, then.root])
        self.live = Retrieval(self._now.root, folder / "index", privacy, budget)
        """The project as it is."""
        self.static = Retrieval(then.root, folder / "index", privacy, budget)
        """The project as it stood at the start."""

    @property
    def root(self) -> Path:
        """The folder of the project as it is."""
        return self._now.root

    def move_to(self, question: Question) -> None:
        """Bring the files to the question's moment."""
        for change in self._walk.until(question.cursor):
            self._now.apply(change)
            self.live.stale()

    def close(self) -> None:
        """Delete the files again: they are another copy of somebody's code."""
        self.live.close()
        self.static.close()
        shutil.rmtree(self._folder, ignore_errors=True)
