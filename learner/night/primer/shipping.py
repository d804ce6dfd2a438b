"""Where a trained primer goes: beside the others, with the record of how it was made."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from learner.night.primer.projects import PrimerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from learner.job import Job, JobFiles, TrainingResult

MOST_BYTES = 12_000_000
"""Of the file that ships."""


def ship(
    job: Job, files: JobFiles, result: TrainingResult, drawn: Mapping[str, Any], command: str, to: Path
) -> str:
    """Put the adapter and its record where primers are; return what was put there, in one line.

    Args:
        drawn: what the examples are made of, for each part.
        command: by which it was made.

    Raises:
        PrimerError: the adapter is larger than what ships.
    """
    size = files.adapter.stat().st_size
    if size > MOST_BYTES:
        raise PrimerError(
            f"{files.adapter} has {size:,} bytes, but a primer has at most {MOST_BYTES:,}; "
            "lower --rank or --layers"
        )
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{job.base[:16]}.gguf"
    shutil.copyfile(files.adapter, path)
    # Where time ran out, the last of the chosen ones were never seen.
    seen = min(result.examples, result.steps * job.options.batch)
    record = {
        "command": command,
        "model": job.model.name,
        "base": job.base,
        "options": asdict(job.options),
        "examples": seen,
        "drawn": drawn,
        "training": asdict(result),
        "bytes": size,
        # Not sha256_of, which keeps its answer beside the file.
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return f"{path} ({size / 1e6:.1f} MB): {seen} examples, loss {result.last_loss:.3f}"
