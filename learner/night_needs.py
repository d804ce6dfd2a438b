"""What a night needs of the machine, found out before anything is done."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

    from models.home import Home

LIBRARIES = ("torch", "peft", "gguf")
"""What only training needs."""
FREE_DISK = 500_000_000
"""Bytes, for the checkpoint, the adapter, and the adapter's copy among the others."""


class NightFailedError(Exception):
    """The night cannot be; the message names the thing, the value and the remedy."""


def check_machine(model: Path, home: Home) -> None:
    """See whether training of ``model`` can work here.

    Raises:
        NightFailedError: it cannot.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise NightFailedError(
            f"training needs {', '.join(missing)}, which the extra `learn` brings; run: "
            "pipx inject nightschool 'nightschool[learn]', or: pip install 'nightschool[learn]'"
        )
    free = shutil.disk_usage(home.root).free
    if free < FREE_DISK:
        raise NightFailedError(
            f"a night needs {FREE_DISK / 1e6:.0f} MB of disk, and {free / 1e6:.0f} MB are free for "
            f"{home.root}; make room there"
        )
    needed, available = memory_needed(model.stat().st_size), psutil.virtual_memory().available
    if available < needed:
        raise NightFailedError(
            f"training {model.name} needs about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} "
            "GB are free; close programs, or choose a smaller model with `nightschool model use`"
        )


def memory_needed(model_bytes: int) -> int:
    """Return about how many bytes of memory training takes.

    The weights are held with 16 bits each, whatever they are multiplied in; a usual GGUF file has 5. A
    gigabyte is for the rest.
    """
    return 3 * model_bytes + 1_000_000_000
