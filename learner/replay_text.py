"""Generic code against forgetting: the Python standard library of the interpreter that runs.

It is on every machine that Nightschool is on, its licence (PSF-2.0) permits this, and it belongs to no
project that is examined or measured on. Tests and bundled packages of others are left out.
"""

from __future__ import annotations

import platform
import random
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from learner.examples import Source
from learner.file_examples import SourceFile, file_examples, read_source
from learner.labels import REPLAY_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from learner.examples import Example
    from learner.privacy import PrivacyFilter

LICENCE = "PSF-2.0"
PER_FILE = 8
"""Examples of one file at most."""
_LEFT_OUT = frozenset(
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "_bundled", "lib2to3", "turtledemo",
     "pydoc_data", "__pycache__", "encodings"}
)  # fmt: skip


def origin() -> str:
    """Return what the replayed text is, with its licence."""
    return f"the standard library of Python {platform.python_version()} ({LICENCE})"


def standard_library() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def replay_examples(count: int, seed: int, privacy: PrivacyFilter) -> list[Example]:
    """Return ``count`` examples (fewer where the library is not there), the same for the same seed."""
    draw = random.Random(f"replay {seed}")
    root = standard_library()
    paths = sorted(_modules(root))
    draw.shuffle(paths)
    found: list[Example] = []
    for path in paths:
        if len(found) >= count:
            break
        if lines := read_source(path):
            name = path.relative_to(root).as_posix()
            source = SourceFile(name, "python", f"stdlib:{name}", lines, Source.REPLAY, REPLAY_WEIGHT, 0.0)
            found += file_examples(source, min(PER_FILE, count - len(found)), draw, privacy)
    return found


def _modules(root: Path) -> Iterator[Path]:
    for path in root.rglob("*.py"):
        if not _LEFT_OUT.intersection(path.relative_to(root).parts):
            yield path
