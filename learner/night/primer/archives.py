"""Reading the files within a project's archive, whatever its registry packs them in."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from learner.night.primer.projects import PrimerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def read_members(archive: Path, wanted: Callable[[str, int], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each regular file for which ``wanted(name, bytes)`` holds, in order.

    Names are as the archive has them; nothing is written to the disk.

    Raises:
        PrimerError: the archive cannot be read.
    """
    try:
        if archive.suffix == ".whl":
            yield from _of_zip(archive, wanted)
        else:
            with _opened(archive) as tar:
                yield from _of_tar(tar, wanted)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise PrimerError(f"cannot read {archive}: {error}; delete its folder to fetch it again") from None


def _of_zip(archive: Path, wanted: Callable[[str, int], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if not member.is_dir() and wanted(member.filename, member.file_size):
                yield member.filename, opened.read(member)


def _of_tar(tar: tarfile.TarFile, wanted: Callable[[str, int], bool]) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        name = member.name.removeprefix("./")
        if member.isfile() and wanted(name, member.size) and (file := tar.extractfile(member)):
            yield name, file.read()


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    if archive.suffix != ".deb":
        with tarfile.open(archive) as tar:
            yield tar
        return
    # dpkg-deb knows every compression that packages come in.
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], capture_output=True, check=False)
    if unpacked.returncode:
        raise PrimerError(
            f"dpkg-deb cannot read {archive}: {unpacked.stderr.decode(errors='replace').strip()}"
        )
    with tarfile.open(fileobj=io.BytesIO(unpacked.stdout)) as tar:
        yield tar
