"""The prompt: what the model is shown, and the one place that knows the sentinel tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """A piece of another place in the workspace, shown in front of the current file."""

    path: str
    """Relative to its workspace, with forward slashes."""
    text: str


@dataclass(frozen=True)
class Prompt:
    """What is around the cursor, as text; the same type serves completing, recording and training."""

    prefix: str
    """The text before the cursor, from the start of a line on."""
    suffix: str
    """The text after the cursor."""
    path: str = ""
    """The current file, relative to its workspace, with forward slashes."""
    repository: str = ""
    """The workspace's name."""
    chunks: tuple[Chunk, ...] = ()
