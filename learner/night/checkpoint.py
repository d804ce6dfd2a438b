"""Where a training goes on after a kill at any moment: written whole or not at all, for one job alone.

It needs no state of random numbers: all order is a function of the seed (:mod:`learner.night.batches`), and
the adapter's first values are part of the state.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from models.home import private_opener

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from learner.job import Job, JobFiles

_FORMAT = 1
"""Raise this when the same step would mean something else."""
_FREE = ("minutes", "memory_mb", "give_way", "patience_minutes", "checkpoint_seconds")
"""Options that may change between a stop and going on: they do not change what is learned."""


@dataclass
class Checkpoint:
    """A training's whole state after some step."""

    examples: list[int]
    """The indices of those that are trained on; fewer than there are where time is short."""
    epochs: int
    """As many of the wanted ones as there is time for."""
    adapter: dict[str, Tensor]
    optimizer: dict[str, Any]
    step: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)
    """Per step that counted: the weighted log-loss, and the weight of its tokens."""
    dropped: int = 0
    seconds: float = 0.0
    """Of work so far, without pauses."""
    notes: list[str] = field(default_factory=list)


class CheckpointFile:
    """The checkpoint of one job, in that job's directory."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self._digest = path, digest

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the file; a kill or a full disk leaves the one before.

        Raises:
            OSError: it cannot be written.
        """
        content = io.BytesIO()
        torch.save({"digest": self._digest, **vars(checkpoint)}, content)
        # Its own name: an orphan of the night before may still be at it.
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb", opener=private_opener) as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        _sync_directory(self.path.parent)

    def read(self) -> Checkpoint | None:
        """Return the checkpoint; None where there is none, or it is damaged or another job's."""
        try:
            content = torch.load(self.path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
            return None
        if not isinstance(content, dict) or content.pop("digest", None) != self._digest:
            return None
        return Checkpoint(**content)

    def remove(self) -> None:
        """Delete the file, and what a kill left of an unfinished one."""
        for path in [self.path, *self.path.parent.glob(f"{self.path.name}.*.part")]:
            path.unlink(missing_ok=True)


def digest_of(job: Job, files: JobFiles, dtype: str) -> str:
    """Return what tells a job apart from any that would learn something else, hexadecimal."""
    options = {name: value for name, value in asdict(job.options).items() if name not in _FREE}
    seal = {"format": _FORMAT, "base": job.base, "dtype": dtype, "options": options}
    digest = hashlib.sha256(json.dumps(seal, sort_keys=True).encode())
    for path in (files.examples, job.start):
        digest.update(hashlib.sha256(path.read_bytes() if path else b"").digest())
    return digest.hexdigest()


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power cut, where a directory can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
