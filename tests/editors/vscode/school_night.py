"""Stands for ``nightschool train --json --progress``: waits until the test says what is to come of it.

Usage: python -m tests.editors.vscode.school_night HOME FOLDER

It writes ``FOLDER/pid``, tells of progress, and waits for ``FOLDER/verdict``, which holds what it is to
print; the adapter that a promoting verdict names is promoted first. A night that nobody ends, since the
tests were killed, ends by itself.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from learner.registry import Registry
from models.home import Home

PROGRESS = {"phase": "train", "done": 10, "total": 20, "loss": 0.9, "seconds_left": 125}
LONGEST_S = 300.0


def main(home: Path, folder: Path) -> None:
    (folder / "pid").write_text(str(os.getpid()))
    sys.stdout.write(json.dumps({"progress": PROGRESS}) + "\n")
    sys.stdout.flush()
    verdict = folder / "verdict"
    dawn = time.monotonic() + LONGEST_S
    while not verdict.exists():
        if time.monotonic() > dawn:
            sys.exit("nobody ends this night")
        time.sleep(0.05)
    found = json.loads(verdict.read_text())
    if found["verdict"] == "promoted":
        Registry(Home(home)).promote(found["adapter"])
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
