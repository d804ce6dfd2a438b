"""A mapped file's pages in this process's memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path


def let_go_of_pages(path: Path) -> None:
    """Drop the mapped file's pages, whose weights have been copied; what is still needed comes back.

    To map the file is faster than to read it, and keeps what is not repacked out of the process's own memory.
    But the pages that were only read to be copied would be counted as this process's.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    with Path("/proc/self/maps").open("rb") as maps:
        for line in maps:
            addresses, _, rest = line.partition(b" ")
            if rest.rstrip(b"\n").endswith(b" " + os.fsencode(path.resolve())):
                first, end = (int(address, 16) for address in addresses.split(b"-"))
                libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), mmap.MADV_DONTNEED)
