"""A launch agent of the user's own (launchd.plist(5), launchctl(1))."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from learner.schedule.plan import Entry, Plan, ScheduleError
from learner.schedule.tools import run_tool

LABEL = "dev.nightschool.train"


def agent(plan: Plan) -> bytes:
    """Return the agent's property list (XML)."""
    when: dict[str, Any] = (
        # A time that passes in sleep is made up for at waking up.
        {"StartCalendarInterval": {"Hour": plan.at.hour, "Minute": plan.at.minute}}
        if plan.at
        else {"StartInterval": 60 * (plan.every or 0)}
    )
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [str(plan.program), *plan.arguments],
            "EnvironmentVariables": {"NIGHTSCHOOL_HOME": str(plan.home)},
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 19,
            **when,
        }
    )


class LaunchdScheduler:
    """The user's launchd; ``agents`` is the folder of launch agents."""

    name = "launchd"
    catches_up = True

    def __init__(self, agents: Path | None = None) -> None:
        self._file = (agents or Path.home() / "Library" / "LaunchAgents") / f"{LABEL}.plist"

    def install(self, plan: Plan) -> None:
        text = agent(plan)
        _lint(text)
        self._unload()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(text)
        try:
            run_tool(["launchctl", "bootstrap", _domain(), str(self._file)])
        except ScheduleError:
            self._file.unlink()
            raise

    def remove(self) -> bool:
        if not self._file.exists():
            return False
        self._unload()
        self._file.unlink()
        return True

    def entry(self) -> Entry | None:
        try:
            found = plistlib.loads(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except plistlib.InvalidFileException as error:
            raise ScheduleError(f"{self._file}: {error}; run: nightschool schedule install") from None
        daily = found.get("StartCalendarInterval")
        when = (
            f"at {daily['Hour']:02}:{daily['Minute']:02}"
            if daily
            else f"every {found.get('StartInterval', 0)} s"
        )
        return Entry(self.name, str(self._file), when, shlex.join(found.get("ProgramArguments", [])))

    def _unload(self) -> None:
        # It fails where nothing is loaded, which is as well.
        run_tool(["launchctl", "bootout", f"{_domain()}/{LABEL}"], unless="")


def _lint(text: bytes) -> None:
    if not shutil.which("plutil"):
        return
    with tempfile.TemporaryDirectory(prefix="nightschool-") as folder:
        path = Path(folder, f"{LABEL}.plist")
        path.write_bytes(text)
        run_tool(["plutil", "-lint", str(path)])


def _domain() -> str:
    return f"gui/{os.getuid()}"
