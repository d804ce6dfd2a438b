"""Running a platform's own tools, and telling in one line what they said."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from learner.schedule.plan import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 30


def run_tool(command: Sequence[str], text: str | None = None, *, unless: str | None = None) -> str | None:
    """Run ``command`` with ``text`` on its stdin; return its stdout.

    Args:
        unless: a regular expression; where the command fails and what it says matches, the answer is None.

    Raises:
        ScheduleError: it failed otherwise, hangs, or is not installed.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise ScheduleError(f"{command[0]} is not installed; install it, or train by hand") from None
    except subprocess.TimeoutExpired:
        raise ScheduleError(f"{command[0]} did not end within {TIMEOUT_S} s; try again later") from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split()) or f"exit code {done.returncode}"
    if unless is not None and re.search(unless, said):
        return None
    raise ScheduleError(f"{' '.join(command[:3])} failed: {said}")
