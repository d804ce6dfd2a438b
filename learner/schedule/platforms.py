"""Which scheduler this machine has."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from learner.schedule.cron import CronScheduler
from learner.schedule.launchd import LaunchdScheduler
from learner.schedule.plan import ScheduleError
from learner.schedule.systemd import SystemdScheduler, is_available
from learner.schedule.windows import TaskScheduler

if TYPE_CHECKING:
    from learner.schedule.plan import Scheduler


def find_schedulers() -> list[Scheduler]:
    """Return this machine's schedulers, the best first.

    Raises:
        ScheduleError: there is none.
    """
    if sys.platform == "darwin":
        return [LaunchdScheduler()]
    if sys.platform == "win32":
        return [TaskScheduler()]
    found: list[Scheduler] = []
    if is_available():
        found.append(SystemdScheduler())
    if shutil.which("crontab"):
        found.append(CronScheduler())
    if not found:
        raise ScheduleError(
            "this machine has neither a systemd for its users nor cron; install cron, or run "
            "nightschool train when it suits"
        )
    return found
