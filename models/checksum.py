"""A file's SHA-256, remembered beside it: hashing a model takes seconds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING

from models.home import private_opener

if TYPE_CHECKING:
    from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of ``path`` in hexadecimal; computed once for its size and time of change."""
    known = remembered_sha256(path)
    if known:
        return known
    seal = _seal(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # A directory of models that cannot be written to costs a hash at each start, nothing else.
    with contextlib.suppress(OSError):
        remember(_note(path), {**seal, "sha256": digest})
    return digest


def remembered_sha256(path: Path) -> str | None:
    """Return the SHA-256 of ``path`` where it was computed before and the file has not changed since."""
    # Absent, unreadable or damaged: then it is not known.
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(_note(path).read_text("ascii"))
        seal = _seal(path)
        if {name: known[name] for name in seal} == seal:
            return str(known["sha256"])
    return None


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256.json")


def _seal(path: Path) -> dict[str, object]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def remember(note: Path, content: dict[str, object]) -> None:
    """Write ``content`` as JSON, whole or not at all."""
    part = note.with_name(f"{note.name}.{os.getpid()}.part")
    with open(part, "w", encoding="ascii", opener=private_opener) as file:
        json.dump(content, file)
    part.replace(note)
