"""Getting a model's file: from source to source until one delivers, resumed, verified, renamed at the end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Protocol

from models.catalogue import ModelError
from models.checksum import sha256_of
from models.gguf_file import read_header
from models.home import private_directory
from models.sources import LocalFile, SourceError, UnreachableError, fetch, length

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from models.catalogue import Model
    from models.home import Home
    from models.sources import AnySource

FRUITLESS_ATTEMPTS = 5
"""How often in a row a source that had begun to deliver may fail to add a byte."""
SPARE_BYTES = 200_000_000
"""Left free on the disk: a wheel on its way, and room for everybody else."""


class Watcher(Protocol):
    """Who is told how a download goes."""

    def begins(self, source: str) -> None: ...

    def progress(self, received: int) -> None:
        """``received`` bytes are here; some may have been from an earlier run."""
        ...

    def verifies(self) -> None: ...

    def passed_over(self, source: str, reason: str) -> None: ...


def get(model: Model, home: Home, watcher: Watcher, local: Path | None = None) -> bool:
    """Make ``model``'s file present in ``home``; return False if it already was, which needs no network.

    Args:
        local: a file to take it from, instead of the catalogue's sources.

    Raises:
        ModelError: the disk is too full, another process is getting a model, or no source delivers.
    """
    target = home.models / model.file
    with only_one(private_directory(home.models)):
        if target.is_file():
            watcher.verifies()
            if flaw(target, model, sha256_of) is None:
                return False
        reasons = []
        for source in (LocalFile(local),) if local else model.sources:
            watcher.begins(str(source))
            try:
                return deliver(source, model, target, watcher)
            except SourceError as error:
                watcher.passed_over(str(source), str(error))
                reasons.append(f"{source}: {error}")
            except OSError as error:
                raise ModelError(f"cannot write to {home.models}: {error.strerror}") from None
    raise ModelError(
        f"no source delivers {model.name}; mend the connection and run it again (it goes on where it "
        f"stopped), or give a file that you have: --from FILE [{'; '.join(reasons)}]"
    )


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Keep a second process from writing the same partial files; a killed one lets go by itself."""
    if sys.platform == "win32":  # no advisory locks there: a mixed-up file fails its checksum
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ModelError(f"another process is getting a model into {directory}; wait until it ends") from None
    finally:
        os.close(descriptor)


def deliver(source: AnySource, model: Model, target: Path, watcher: Watcher) -> bool:
    """Fetch from one source, verify, and put the file in its place by an atomic rename."""
    partial = target.with_name(f"{target.name}.{source.name}.part")
    check_disk(model, partial)
    fetch_patiently(source, partial, watcher)
    watcher.verifies()
    if reason := flaw(partial, model):
        partial.unlink()
        raise SourceError(reason)
    with partial.open("rb") as file:
        os.fsync(file.fileno())  # a power cut after the rename must not leave a file with holes
    partial.replace(target)
    for leftover in target.parent.glob(f"{target.name}.*.part"):
        leftover.unlink()
    return True


def check_disk(model: Model, partial: Path) -> None:
    needed = model.size - length(partial) + SPARE_BYTES
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        raise ModelError(
            f"{partial.parent} has {free / 1e9:.1f} GB free, but {model.name} needs {needed / 1e9:.1f} GB; "
            "free some, or set NIGHTSCHOOL_HOME to a directory on another disk"
        )


def fetch_patiently(
    source: AnySource, partial: Path, watcher: Watcher, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Fetch, and go on after an interruption as long as the source adds something now and then."""
    fruitless = FRUITLESS_ATTEMPTS
    while True:
        before = length(partial)
        try:
            return fetch(source, partial, watcher.progress)
        except UnreachableError:
            # A source that never added a byte is passed over at once.
            fruitless = 0 if length(partial) > before else fruitless + 1
            if fruitless >= FRUITLESS_ATTEMPTS:
                raise
            sleep(fruitless)


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flaw(path: Path, model: Model, digest: Callable[[Path], str] = hash_of) -> str | None:
    """Why the file at ``path`` is not ``model``'s, or None when it is."""
    try:
        read_header(path)
    except ModelError as error:
        return str(error)
    if model.sha256 is None:
        return None
    found = digest(path)
    return None if found == model.sha256 else f"the file's SHA-256 is {found}, not {model.sha256}"
