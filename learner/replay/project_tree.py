"""The replayed project on the disk, at one moment: what an index may read there is never newer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from learner.replay.history import Change
from models.home import private_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.replay.history import Files, History, Step
    from learner.replay.sampling import FrozenCursor


class ProjectTree:
    """A project's files below one folder; :meth:`advance` brings them to a cursor's moment."""

    def __init__(self, root: Path, files: Files) -> None:
        """Write ``files`` below ``root``; what was there before is deleted."""
        shutil.rmtree(root, ignore_errors=True)
        self.root = private_directory(root)
        for path, text in files.items():
            self._put(path, text)

    def apply(self, change: Change) -> None:
        """Do to the files what the change did."""
        for gone in (change.was, change.path if change.after is None else ""):
            if gone:
                (self.root / gone).unlink(missing_ok=True)
        if change.after is not None:
            self._put(change.path, change.after)

    def _put(self, path: str, text: str) -> None:
        file = self.root / path
        # A file may come where a folder was, and a folder where a file was.
        if file.is_dir():
            shutil.rmtree(file)
        for folder in file.parents:
            if folder.is_file():
                folder.unlink()
        private_directory(file.parent)
        file.write_text(text, encoding="utf-8", newline="")
        file.chmod(0o600)


class Walk:
    """Goes through a history once, change by change, up to one cursor after the other."""

    def __init__(self, history: History) -> None:
        self._steps: Iterator[tuple[int, Step]] = enumerate(history.steps())
        self._left: list[Change] = []
        """Of the present step, what has not been passed."""
        self._number = -1
        self.step: Step | None = None

    def until(self, cursor: FrozenCursor) -> Iterator[Change]:
        """Yield the changes that came before the cursor's file; cursors are asked for in their order.

        A file that was renamed has its new name while its text is changed.
        """
        while self._number < cursor.step:
            yield from self._left
            found = next(self._steps, None)
            if found is None:
                self._left = []
                return
            self._number, self.step = found
            self._left = list(self.step.changes)
        while self._left and self._left[0].path < cursor.path:
            yield self._left.pop(0)
        here = self.at(cursor)
        if here is not None and here.was:
            self._left[0] = Change(here.path, here.before, here.after)
            yield Change(here.path, here.before, here.before, here.was)

    def at(self, cursor: FrozenCursor) -> Change | None:
        """Return the change that the cursor is in; None where the history has none."""
        here = self._left[0] if self._left else None
        known = self.step is not None and self.step.name == cursor.name
        return here if known and here is not None and here.path == cursor.path else None
