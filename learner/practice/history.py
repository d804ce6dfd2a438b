"""Files as they were at earlier commits: what was written when, in the surroundings of its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from learner.changes import DAYS, ask_git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAST_ADDED = 4
"""Lines that are not blank; a smaller change is a rename or a version more often than something to learn."""
_COMMIT = "\x01"


@dataclass
class Version:
    """A file at the commit that changed it."""

    root: Path
    name: str
    """Relative to ``root``, with forward slashes."""
    commit: str
    at: float
    """The commit's unix time."""
    lines: set[str] = field(default_factory=set)
    """Those that it added, stripped."""

    @property
    def path(self) -> Path:
        return self.root / self.name

    def content(self) -> bytes | None:
        """Return the file's content then; None where it cannot be read."""
        text = ask_git(self.root, "cat-file", "blob", f"{self.commit}:./{self.name}")
        return None if text is None else text.encode("utf-8")


def past_versions(root: Path, now: float) -> list[Version]:
    """Return the changes of the files below ``root`` that others followed, newest first.

    The last one of each file is left out: it is the file as it is now. ``now`` is a unix time in seconds.
    """
    history = ask_git(
        root, "log", f"--since={int(now - DAYS * 86400)}", "--no-color", "--no-merges", "--relative",
        "--no-textconv", "--diff-filter=AM", "-p", "-U0", "--src-prefix=a/", "--dst-prefix=b/",
        f"--format={_COMMIT}%H %ct",
    )  # fmt: skip
    seen: set[str] = set()
    found = []
    for version in _read(root, history or ""):
        if version.name in seen and len(version.lines - {""}) >= LEAST_ADDED:
            found.append(version)
        seen.add(version.name)
    return found


def _read(root: Path, history: str) -> Iterator[Version]:
    """Read ``git log -p``, newest commit first."""
    commit, at = "", 0.0
    version: Version | None = None
    for line in history.split("\n"):
        if line.startswith((_COMMIT, "diff --git ")):
            if version:
                yield version
            version = None
        if line.startswith(_COMMIT):
            commit, _, stamp = line[1:].partition(" ")
            at = float(stamp or 0)
        elif line.startswith("+++ b/") and version is None:
            version = Version(root, line[6:].rstrip("\t"), commit, at)
        elif line.startswith("+") and version is not None:
            version.lines.add(line[1:].strip())
    if version:
        yield version
