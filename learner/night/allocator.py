"""Memory that was freed, given back to the system: an allocator may keep gigabytes of it for later."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress


def give_back() -> None:
    """Let the process hold what it uses and little more, where the allocator can be told so."""
    gc.collect()
    if sys.platform == "linux":
        # glibc's malloc_trim(3); other C libraries have none.
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
