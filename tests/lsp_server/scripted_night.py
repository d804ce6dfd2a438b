"""Stands for ``nightschool train --json --progress`` in states that the real one cannot be brought to.

Its last words are options: ``--say JSON`` prints a line, ``--wait`` waits for the end of the world,
``--fail MESSAGE`` ends as a command that failed, ``--pid FILE`` leaves its process id.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main(words: list[str]) -> None:
    while words:
        word = words.pop(0)
        if word == "--say":
            sys.stdout.write(words.pop(0) + "\n")
            sys.stdout.flush()
        elif word == "--pid":
            Path(words.pop(0)).write_text(str(os.getpid()))
        elif word == "--wait":
            signal.pause()
        elif word == "--fail":
            sys.stderr.write(f"Warning: something else\nError: {words.pop(0)}\n")
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
