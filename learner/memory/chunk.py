"""What is remembered, shown to the model: what was written in like places, as a piece of another file."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from models.prompt import Chunk

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from learner.memory.recall import Recalled

SHOWN = 0.15
"""What is likely to be right with less than this is not shown."""
MOST = 3
"""Memories in one prompt."""
LONGEST = 700
"""Code points of them all."""


def chunk_of(found: Sequence[Recalled], seen: Collection[str]) -> Chunk | None:
    """Return what was found as one chunk, the likeliest last (next to the prefix); None where nothing helps.

    ``seen`` has the stripped lines that the prompt shows anyhow.
    """
    helping = (each for each in found if each.score >= SHOWN and not each.known)
    likely = sorted(helping, key=lambda each: -each.score)
    chosen: list[Recalled] = []
    left = LONGEST
    for each in likely:
        text = _shown(each)
        if each.pattern.line.partition("\n")[0].strip() in seen or len(text) > left or len(chosen) == MOST:
            continue
        chosen.append(each)
        left -= len(text)
    if not chosen:
        return None
    return Chunk(_path(chosen[0]), "\n\n".join(_shown(each).rstrip("\n") for each in reversed(chosen)) + "\n")


def _shown(found: Recalled) -> str:
    """Return the remembered lines below those that stood above them, without their common indentation."""
    pattern = found.pattern
    indent = pattern.before[: len(pattern.before) - len(pattern.before.lstrip())]
    return textwrap.dedent("\n".join([*found.context, indent + pattern.line]))


def _path(found: Recalled) -> str:
    """Return the file of the memory, relative to its project where it is in one."""
    path = Path(unquote(urlsplit(found.pattern.uri).path))
    project = found.pattern.project
    return path.relative_to(project).as_posix() if project and path.is_relative_to(project) else path.name
