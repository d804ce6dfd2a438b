"""A line of the user's crontab (crontab(5)), where nothing better is there."""

from __future__ import annotations

import shlex

from learner.schedule.plan import NAME, Entry, Plan, ScheduleError, interval
from learner.schedule.tools import run_tool

MARK = f"# {NAME}"
"""Ends our line, so that it is found again."""


def line(plan: Plan) -> str:
    """Return the crontab's line, without a newline.

    Raises:
        ScheduleError: cron knows no such interval, or cannot hold the path.
    """
    home = quoted(f"{plan.home}")
    words = [quoted(str(plan.program)), *plan.arguments]
    return f"{_times(plan)} NIGHTSCHOOL_HOME={home} {' '.join(words)} {MARK}"


def _times(plan: Plan) -> str:
    if plan.at:
        return f"{plan.at.minute} {plan.at.hour} * * *"
    minutes = plan.every or 0
    if 60 % minutes == 0:
        return "0 * * * *" if minutes == 60 else f"*/{minutes} * * * *"
    if minutes % 60 == 0 and 24 % (minutes // 60) == 0:
        return "0 0 * * *" if minutes == 24 * 60 else f"0 */{minutes // 60} * * *"
    raise ScheduleError(
        f"cron cannot run something every {interval(minutes)}; take 30m, 1h, 2h, 3h, 4h, 6h, 8h or 12h"
    )


def quoted(word: str) -> str:
    """Return ``word`` for the shell, with each percent sign escaped from cron.

    Crons differ in whether they take the backslash away. Outside of the quotes, both leave a percent sign.

    Raises:
        ScheduleError: the word has a backslash, in which crons differ too.
    """
    if "\\" in word:
        raise ScheduleError(f"{word} has a backslash, which crons read differently; rename it")
    return "\\%".join(shlex.quote(part) if part else "" for part in word.split("%")) or "''"


class CronScheduler:
    """The user's crontab; other lines of it are left as they are."""

    name = "cron"
    catches_up = False

    def install(self, plan: Plan) -> None:
        wanted = line(plan)
        run_tool(["crontab", "-"], "".join(f"{each}\n" for each in [*self._others(), wanted]))

    def remove(self) -> bool:
        if self.entry() is None:
            return False
        others = self._others()
        if others:
            run_tool(["crontab", "-"], "".join(f"{each}\n" for each in others))
        else:
            run_tool(["crontab", "-r"])
        return True

    def entry(self) -> Entry | None:
        ours = [each for each in self._lines() if each.endswith(MARK)]
        if not ours:
            return None
        parts = ours[-1].removesuffix(MARK).split(maxsplit=5)
        return Entry(self.name, "crontab", " ".join(parts[:5]), parts[5].strip())

    def _others(self) -> list[str]:
        return [each for each in self._lines() if not each.endswith(MARK)]

    def _lines(self) -> list[str]:
        # Any other failure must not be taken for an empty table: it would be written back empty.
        return (run_tool(["crontab", "-l"], unless="no crontab for|No such file") or "").splitlines()
