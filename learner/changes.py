"""Which files of a folder changed lately, and which lines: from git's history, else from the files' times.

Git is only asked to read commits and the index. Everything that lets a repository run a program of its own
(hooks, filters, external diffs, signature checks, a file-system monitor) or fetch something is kept out.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 90
"""How far back the history is read."""
PATIENCE_S = 20.0
"""Seconds that git may take for one answer."""
MOST_BYTES = 32_000_000
"""Of git's answer; the oldest history is left out."""
MOST_ENTRIES = 50_000
"""Files and folders that are looked at in a folder without git."""
SKIPPED_FOLDERS = frozenset(
    {"node_modules", "bower_components", "vendor", "third_party", "site-packages", "venv", "env",
     "__pycache__", "dist", "build", "target", "out", "coverage"}
)  # fmt: skip
"""Folders with other people's code, or generated code; and those whose name begins with a dot."""

_COMMIT = "\x01"
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_SETTINGS = ("core.quotePath=false", "core.fsmonitor=false", f"core.hooksPath={os.devnull}",
             "log.showSignature=false", "diff.renames=false")  # fmt: skip


@dataclass
class Changed:
    """A file, and what is known of its changes."""

    path: Path
    at: float
    """When it last changed, in unix seconds."""
    lines: set[str] = field(default_factory=set)
    """The lines that were added lately, stripped; none where that is not known."""


def changed_files(root: Path, now: float) -> list[Changed]:
    """Return the files below ``root``, the one that changed last first.

    With git these are those that it follows or does not ignore; ``now`` is a unix time in seconds. What
    cannot be read is left out.
    """
    names = ask_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if names is None:
        found = list(_walk(root))
    else:
        found = _from_git(root, [root / name for name in names.split("\0") if name], now)
    return sorted(found, key=lambda changed: (-changed.at, str(changed.path)))


def _from_git(root: Path, paths: list[Path], now: float) -> list[Changed]:
    """Return the files with the times of their commits; those that differ from the index with their own."""
    since = now - DAYS * 86400
    history = ask_git(
        root, "log", f"--since={int(since)}", "--no-color", "--no-merges", "--relative", "--no-textconv",
        "-p", "-U0", "--src-prefix=a/", "--dst-prefix=b/", f"--format={_COMMIT}%ct",
    )  # fmt: skip
    if history is None:
        return [Changed(path, _modified(path)) for path in dict.fromkeys(paths)]
    changed = _read_history(root, history)
    edited = ask_git(root, "diff-files", "-z", "--name-only", "--relative") or ""
    others = ask_git(root, "ls-files", "-z", "--others", "--exclude-standard") or ""
    for path in {root / name for name in (edited + others).split("\0") if name}:
        known = changed.setdefault(path, Changed(path, 0.0))
        known.at = max(known.at, _modified(path))
    return [changed.get(path) or Changed(path, since) for path in dict.fromkeys(paths)]


def _read_history(root: Path, history: str) -> dict[Path, Changed]:
    """Read ``git log -p``, newest commit first."""
    found: dict[Path, Changed] = {}
    at, current = 0.0, None
    for line in history.split("\n"):
        if line.startswith(_COMMIT):
            at, current = float(line[1:] or 0), None
        elif line.startswith("diff --git "):
            current = None
        elif line.startswith("+++ b/") and current is None:
            path = root / line[6:].rstrip("\t")
            current = found.setdefault(path, Changed(path, at))
        elif line.startswith("+") and current is not None:
            current.lines.add(line[1:].strip())
    return found


def git_command(root: Path, *arguments: str) -> list[str]:
    """Return the command by which git reads ``root`` and does nothing else."""
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    return ["git", "-C", str(root), *settings, *arguments]


def git_environment() -> dict[str, str]:
    """Return the environment for :func:`git_command`: nothing set there decides what is read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_ENVIRONMENT}


def ask_git(root: Path, *arguments: str) -> str | None:
    """Return what git says of ``root``, or None without git, outside of a repository, or after too long."""
    try:
        process = subprocess.Popen(
            git_command(root, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=git_environment(),
        )
    except OSError:
        return None
    alarm = threading.Timer(PATIENCE_S, process.kill)
    alarm.start()
    with process:
        assert process.stdout is not None
        output = process.stdout.read(MOST_BYTES)
        is_cut = len(output) == MOST_BYTES
        if is_cut:
            process.kill()
    alarm.cancel()
    return output.decode("utf-8", "replace") if is_cut or process.returncode == 0 else None


def _walk(root: Path) -> Iterator[Changed]:
    seen = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_skipped(name))
        seen += len(folders) + len(names)
        for name in names:
            path = Path(folder, name)
            yield Changed(path, _modified(path))
        if seen > MOST_ENTRIES:
            return


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def is_skipped(folder: str) -> bool:
    """Return whether a folder of this name holds no code of the developer's own."""
    return folder.startswith(".") or folder.lower() in SKIPPED_FOLDERS
