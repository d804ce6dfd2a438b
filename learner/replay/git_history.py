"""A git repository's history, along its first parents; git is asked to read objects and nothing else."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from learner.changes import git_command, git_environment
from learner.replay.history import (
    MOST_BYTES,
    Change,
    HistoryError,
    NothingToReplayError,
    Step,
    is_inside,
    text_of,
    with_renames,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.replay.history import Files

MOST_STEPS = 2000
"""Commits that are replayed, the newest."""
MOST_CHANGED = 2000
"""Files of one commit that are read; a commit with more is an import or a reorganisation, and the files
beyond are taken to be changed without having been seen."""
MOST_TYPED = 4000
"""Lines; a commit with more is an import, a formatter's work or a storm of merges."""
_REGULAR = ("100644", "100755")


class GitHistory:
    """The commits from which ``HEAD`` came, each against its first parent: a merge is one step."""

    def __init__(self, root: Path) -> None:
        """Read the repository at ``root``.

        Raises:
            HistoryError: there is none that git may read.
            NothingToReplayError: it has fewer than two commits.
        """
        self._root = root
        self.project = root.resolve().name.removesuffix(".git")
        if not self._ask("rev-list", "--all", "--max-count=1").strip():
            raise NothingToReplayError(f"{root} has no commit; a replay needs two at least")
        said = self._ask("rev-list", "--first-parent", "--timestamp", f"--max-count={MOST_STEPS + 1}", "HEAD")
        pairs = [line.split() for line in said.splitlines()]
        if len(pairs) < 2:
            raise NothingToReplayError(f"{root} has one commit; a replay needs two at least")
        self._commits = [(commit, float(at)) for at, commit in reversed(pairs)]
        self.identity = pairs[0][1]

    def start(self) -> Files:
        listed = self._ask("ls-tree", "-r", "-z", self._commits[0][0])
        wanted: dict[str, str] = {}
        for entry in filter(None, listed.split("\0")):
            about, _, path = entry.partition("\t")
            mode, _, blob = about.split()
            if mode in _REGULAR and is_inside(path):
                wanted[path] = blob
        with self._objects() as objects:
            texts = {path: objects.text(blob) for path, blob in wanted.items()}
        return {path: text for path, text in texts.items() if text is not None}

    def steps(self) -> Iterator[Step]:
        latest = 0.0
        with self._objects() as objects:
            for commit, at in self._commits[1:]:
                said = self._ask(
                    "diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", f"{commit}^1", commit
                )
                latest = max(latest, at)  # A rebase or a wrong clock may set times back.
                changes = with_renames(list(self._changes(said, objects)))
                yield Step(commit, latest, changes, MOST_TYPED)

    def _changes(self, said: str, objects: _Objects) -> Iterator[Change]:
        """Read ``git diff-tree -z``: ``:MODE MODE BLOB BLOB STATUS``, then the path."""
        parts = said.split("\0")
        for about, path in list(zip(parts[::2], parts[1::2], strict=False))[:MOST_CHANGED]:
            mode_before, mode_after, before, after, _ = about.lstrip(":").split()
            if not is_inside(path):
                continue
            old = objects.text(before) if mode_before in _REGULAR else None
            new = objects.text(after) if mode_after in _REGULAR else None
            if old != new:
                yield Change(path, old, new)

    def _ask(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                git_command(self._root, *arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=git_environment(),
                check=False,
            )
        except OSError as error:
            raise HistoryError(f"git cannot be run ({error.strerror}); a history needs it") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = said[0] if said else f"exit code {done.returncode}"
            raise HistoryError(f"git cannot read {self._root}: {why}")
        return done.stdout.decode("utf-8", "replace")

    @contextmanager
    def _objects(self) -> Iterator[_Objects]:
        process = subprocess.Popen(
            git_command(self._root, "cat-file", "--batch"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=git_environment(),
        )
        with process:
            try:
                yield _Objects(process)
            finally:
                process.kill()


class _Objects:
    """``git cat-file --batch``: blobs by their name."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout
        self._ask, self._answer = process.stdin, process.stdout

    def text(self, blob: str) -> str | None:
        """Return the blob's text; None for binary and large ones, and for one that is not here."""
        if set(blob) == {"0"}:
            return None
        try:
            self._ask.write(f"{blob}\n".encode())
            self._ask.flush()
        except OSError as error:
            raise HistoryError(f"git stopped answering: {os.strerror(error.errno or 0)}") from None
        about = self._answer.readline().split()
        if len(about) != 3:
            if not about:
                raise HistoryError("git stopped answering; is the repository damaged?")
            return None  # "missing": a partial clone, and nothing is fetched.
        size = int(about[2])
        content = self._answer.read(min(size, MOST_BYTES + 1))
        rest = size - len(content) + 1  # A newline follows.
        while rest > 0 and (passed := self._answer.read(min(rest, 1 << 20))):
            rest -= len(passed)
        return text_of(content)
