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
    stat = path.stat()
    seal = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    note = path.with_name(path.name + ".sha256.json")
    # Absent, unreadable or damaged: then it is computed.
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = json.loads(note.read_text("ascii"))
        if {name: known[name] for name in seal} == seal:
            return str(known["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # A directory of models that cannot be written to costs a hash at each start, nothing else.
    with contextlib.suppress(OSError):
        remember(note, {**seal, "sha256": digest})
    return digest


def remember(note: Path, content: dict[str, object]) -> None:
    """Write ``content`` as JSON, whole or not at all."""
    part = note.with_name(f"{note.name}.{os.getpid()}.part")
    with open(part, "w", encoding="ascii", opener=private_opener) as file:
        json.dump(content, file)
    part.replace(note)
