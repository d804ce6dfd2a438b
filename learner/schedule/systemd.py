"""A timer and a service of the user's own systemd (systemd.timer(5), systemd.service(5))."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from learner.schedule.plan import NAME, Entry, Plan, ScheduleError
from learner.schedule.tools import run_tool

SERVICE, TIMER = f"{NAME}.service", f"{NAME}.timer"


def unit_files(plan: Plan) -> dict[str, str]:
    """Return the text of both unit files by name."""
    return {SERVICE: _service(plan), TIMER: _timer(plan)}


def _service(plan: Plan) -> str:
    # systemd takes no program whose path has a quote or a backslash, but a shell may run one. The colon
    # keeps dollar signs from being replaced.
    words = ["/bin/sh", "-c", 'exec "$0" "$@"', str(plan.program), *plan.arguments]
    return "\n".join(
        [
            "[Unit]",
            "Description=Nightschool learns from the latest completions",
            "",
            "[Service]",
            "Type=oneshot",
            f"Environment={quoted(f'NIGHTSCHOOL_HOME={plan.home}')}",
            f"ExecStart=:{' '.join(map(quoted, words))}",
            # Nothing to do is no failure.
            "SuccessExitStatus=3",
            "Nice=19",
            "IOSchedulingClass=idle",
            "",
        ]
    )


def _timer(plan: Plan) -> str:
    when = (
        [f"OnCalendar=*-*-* {plan.at}:00", "Persistent=true"]
        if plan.at
        else [f"OnActiveSec={plan.every}min", f"OnUnitInactiveSec={plan.every}min"]
    )
    return "\n".join(
        [
            "[Unit]",
            f"Description=Nightschool learns {plan.when}",
            "",
            "[Timer]",
            *when,
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )


def quoted(word: str) -> str:
    """Return ``word`` as unit files quote it, so that no character of it has a meaning."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def verify(files: dict[str, str]) -> None:
    """Let systemd itself check the files, where ``systemd-analyze`` is installed.

    Raises:
        ScheduleError: it finds fault with them.
    """
    if not shutil.which("systemd-analyze"):
        return
    with tempfile.TemporaryDirectory(prefix="nightschool-") as folder:
        _write(Path(folder), files)
        paths = [str(Path(folder, name)) for name in files]
        run_tool(["systemd-analyze", "--user", "--man=no", "verify", *paths])


def is_available() -> bool:
    """Whether a systemd of the user's own answers."""
    return (
        shutil.which("systemctl") is not None
        and run_tool(["systemctl", "--user", "show-environment"], unless="") is not None
    )


class SystemdScheduler:
    """The user's systemd; ``config`` and ``data`` are the base directories where it looks and keeps state."""

    name = "systemd"
    catches_up = True

    def __init__(self, config: Path | None = None, data: Path | None = None) -> None:
        home = Path.home()
        config = config or Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        data = data or Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
        self._units = config / "systemd" / "user"
        self._stamp = data / "systemd" / "timers" / f"stamp-{TIMER}"
        """Where a persistent timer keeps when it last ran."""

    def install(self, plan: Plan) -> None:
        files = unit_files(plan)
        verify(files)
        _write(self._units, files)
        try:
            run_tool(["systemctl", "--user", "daemon-reload"])
            run_tool(["systemctl", "--user", "enable", TIMER])
            # Not only started: a timer that runs goes on by its old times.
            run_tool(["systemctl", "--user", "restart", TIMER])
        except ScheduleError:
            self.remove()
            raise

    def remove(self) -> bool:
        found = [path for path in (self._units / SERVICE, self._units / TIMER) if path.exists()]
        if found:
            run_tool(["systemctl", "--user", "disable", "--now", TIMER], unless="")
        for path in (*found, self._stamp):
            path.unlink(missing_ok=True)
        if found:
            run_tool(["systemctl", "--user", "daemon-reload"])
        return bool(found)

    def entry(self) -> Entry | None:
        timer = self._units / TIMER
        if not timer.exists():
            return None
        settings = dict(
            line.split("=", 1)
            for path in (timer, self._units / SERVICE)
            for line in _lines(path)
            if "=" in line
        )
        times = ("OnCalendar", "OnUnitInactiveSec")
        return Entry(
            scheduler=self.name,
            where=str(timer),
            when="; ".join(f"{name}={settings[name]}" for name in times if name in settings),
            command=settings.get("ExecStart", "").removeprefix(":"),
            next_run=self._next_run(),
        )

    def _next_run(self) -> str | None:
        shown = run_tool(
            ["systemctl", "--user", "show", TIMER, "--property=NextElapseUSecRealtime", "--value"], unless=""
        )
        return (shown or "").strip() or None


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        Path(folder, name).write_text(text, encoding="utf-8")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ScheduleError(
            f"{path} is missing; run: nightschool schedule install, or nightschool schedule remove"
        ) from None
