"""A folder of successive releases, unpacked or as archives: each release is one step.

Archives are read where they lie; nothing of them is run or unpacked by the names that they say.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.changes import is_skipped
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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from learner.replay.history import Files

MOST_FILES = 20_000
MOST_RELEASE_BYTES = 300_000_000
"""Unpacked, of one release; a small archive may be made to fill a machine's memory."""
STEP_S = 86_400.0
"""From one release to the next: archives seldom tell when they were made."""
_ENDS = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_VERSION = re.compile(
    r"(?:^|[-_v])(\d+(?:\.\d+)*(?:[._-]?(?:a|b|c|rc|alpha|beta|pre|dev|post)[._-]?\d*)*)(?![.\w])", re.I
)
_UNREADABLE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
)
"""What archives raise: of unknown methods and of encrypted members too."""
_BEFORE = {"dev": -5, "a": -4, "alpha": -4, "b": -3, "beta": -3, "c": -2, "rc": -2, "pre": -2}
"""What a word in a version says of its place before the release of that number."""


@dataclass(frozen=True)
class _Release:
    path: Path
    version: str
    kind: str
    """``folder``, ``wheel`` or ``source``: the same project has another layout in each."""


class ReleaseHistory:
    """The releases in a folder, ordered by version; of several forms, the one of which there are most."""

    def __init__(self, folder: Path) -> None:
        """Look at ``folder``.

        Raises:
            NothingToReplayError: it holds fewer than two releases.
        """
        found = [release for path in sorted(folder.iterdir()) if (release := _release(path))]
        kinds = [release.kind for release in found]
        kind = max(("folder", "wheel", "source"), key=kinds.count)
        chosen = {release.version: release for release in found if release.kind == kind}
        if len(chosen) < 2:
            raise NothingToReplayError(
                f"{folder} is no git repository and holds {len(chosen)} releases; a replay needs two at "
                "least, folders or archives whose names end in a version"
            )
        self._releases = sorted(chosen.values(), key=lambda release: version_key(release.version))
        self.project = _project(self._releases)
        told = [f"{each.path.name} {each.path.stat().st_mtime_ns}" for each in self._releases]
        self.identity = hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()

    def start(self) -> Files:
        return _read(self._releases[0])

    def steps(self) -> Iterator[Step]:
        before = self.start()
        for number, release in enumerate(self._releases[1:], start=1):
            after = _read(release)
            changes = [
                Change(path, before.get(path), after.get(path))
                for path in sorted(before.keys() | after.keys())
                if before.get(path) != after.get(path)
            ]
            yield Step(release.path.name, number * STEP_S, with_renames(changes))
            before = after


def version_key(version: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Return what sorts versions: ``1.10rc1 < 1.10 < 1.10.post1 < 1.11``."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    head = numbers.group() if numbers else ""
    release = [int(part) for part in head.split(".") if part]
    while release and release[-1] == 0:
        release.pop()
    words = re.findall(r"([a-z]+)[._-]?(\d*)", version[len(head) :].lower())
    ranks = [(_BEFORE.get(word, 1), int(number or 0)) for word, number in words]
    return tuple(release), (*ranks, (0, 0))


def _release(path: Path) -> _Release | None:
    end = next((end for end in _ENDS if path.name.lower().endswith(end)), None)
    is_folder = path.is_dir() and not path.name.startswith(".")
    if not is_folder and (end is None or not path.is_file()):
        return None
    name = path.name if is_folder else path.name[: -len(end or "")]
    if end == ".whl":
        name = "-".join(name.split("-")[:2])
    found = _VERSION.findall(name)
    if not found:
        return None
    return _Release(path, found[-1], "folder" if is_folder else "wheel" if end == ".whl" else "source")


def _project(releases: Sequence[_Release]) -> str:
    last = releases[-1]
    name = last.path.name[: last.path.name.rfind(last.version)].rstrip("-_.v")
    return name or last.path.parent.resolve().name


def _read(release: _Release) -> Files:
    """Return a release's texts, without the folder that holds all of an archive and without its metadata.

    Raises:
        HistoryError: it cannot be read, or is too large.
    """
    try:
        contents = dict(_within_limits(release, _contents(release)))
    except _UNREADABLE as error:
        raise HistoryError(f"{release.path} cannot be read: {error}; take it out of the folder") from None
    tops = {path.split("/")[0] for path in contents}
    if len(tops) == 1 and all("/" in path for path in contents) and release.kind == "source":
        contents = {path.split("/", 1)[1]: content for path, content in contents.items()}
    texts = {path: text_of(content) for path, content in contents.items() if _is_wanted(path)}
    return {path: text for path, text in texts.items() if text is not None}


def _is_wanted(path: str) -> bool:
    *folders, _ = path.split("/")
    metadata = any(folder.endswith((".dist-info", ".egg-info", ".data")) for folder in folders)
    return is_inside(path) and not metadata and not any(map(is_skipped, folders))


def _within_limits(release: _Release, contents: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    total = 0
    for number, (path, content) in enumerate(contents):
        total += len(content)
        if total > MOST_RELEASE_BYTES or number >= MOST_FILES:
            raise HistoryError(
                f"{release.path} holds more than {MOST_FILES} files or {MOST_RELEASE_BYTES // 10**6} MB; "
                "take it out of the folder"
            )
        yield path, content


def _contents(release: _Release) -> Iterator[tuple[str, bytes]]:
    """Yield the paths and contents of all regular files; of a large one, just more than may be read."""
    path = release.path
    if release.kind == "folder":
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink():
                with file.open("rb") as opened:
                    yield file.relative_to(path).as_posix(), opened.read(MOST_BYTES + 1)
    elif path.name.lower().endswith((".whl", ".zip")):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as opened:
                        yield member.filename, opened.read(MOST_BYTES + 1)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and (opened := archive.extractfile(member)):
                    yield member.name.removeprefix("./"), opened.read(MOST_BYTES + 1)
