"""A task of Windows' Task Scheduler, given as XML (Task Scheduler schema 1.2, schtasks)."""

from __future__ import annotations

import csv
import tempfile
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from learner.schedule.plan import NAME, Entry, Plan, ScheduleError
from learner.schedule.tools import run_tool

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def task(plan: Plan, since: datetime) -> str:
    """Return the task's XML; ``since`` (local time) is when an interval begins to count.

    Raises:
        ScheduleError: a path has a character that the command interpreter would replace.
    """
    root = ET.Element("Task", version="1.2", xmlns=NAMESPACE)
    _add(root, "RegistrationInfo", {"Description": f"Nightschool learns {plan.when}"})
    _add(
        root,
        "Triggers",
        {"CalendarTrigger": _daily(plan, since)} if plan.at else {"TimeTrigger": _repeated(plan, since)},
    )
    _add(root, "Settings", {
        "MultipleInstancesPolicy": "IgnoreNew",
        # The run itself gives way to the battery and says so.
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "StartWhenAvailable": "true",
        "Hidden": "true",
        "ExecutionTimeLimit": "PT12H",
        "Priority": "9",
    })  # fmt: skip
    _add(root, "Actions", {"Exec": {"Command": "cmd.exe", "Arguments": arguments(plan)}})
    return '<?xml version="1.0" encoding="UTF-16"?>\n' + ET.tostring(root, encoding="unicode")


def arguments(plan: Plan) -> str:
    """Return what ``cmd.exe`` is given: a task cannot set a variable for its program.

    With ``/s`` the outermost quotes go and nothing else; within quotes only the percent sign and the quote
    mean anything.
    """
    for path in (plan.program, plan.home):
        if set(str(path)) & set('%"'):
            raise ScheduleError(
                f"{path} has a percent sign or a quote, which cmd.exe would replace; rename it"
            )
    return f'/d /s /c "set "NIGHTSCHOOL_HOME={plan.home}"&&"{plan.program}" {" ".join(plan.arguments)}"'


def _daily(plan: Plan, since: datetime) -> dict[str, object]:
    assert plan.at
    start = since.replace(hour=plan.at.hour, minute=plan.at.minute, second=0, microsecond=0)
    return {"StartBoundary": start.isoformat(), "ScheduleByDay": {"DaysInterval": "1"}}


def _repeated(plan: Plan, since: datetime) -> dict[str, object]:
    repetition = {"Interval": f"PT{plan.every}M"}
    return {"Repetition": repetition, "StartBoundary": since.replace(microsecond=0).isoformat()}


def _add(parent: ET.Element, name: str, content: object) -> None:
    element = ET.SubElement(parent, name)
    if isinstance(content, dict):
        for key, value in content.items():
            _add(element, key, value)
    else:
        element.text = str(content)


class TaskScheduler:
    """Windows' own scheduler."""

    name = "task scheduler"
    catches_up = True

    def install(self, plan: Plan) -> None:
        text = task(plan, datetime.now())
        with tempfile.TemporaryDirectory(prefix="nightschool-") as folder:
            path = Path(folder, "task.xml")
            path.write_text(text, encoding="utf-16")
            run_tool(["schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(path)])

    def remove(self) -> bool:
        return run_tool(["schtasks", "/Delete", "/F", "/TN", NAME], unless="") is not None

    def entry(self) -> Entry | None:
        text = run_tool(["schtasks", "/Query", "/TN", NAME, "/XML"], unless="")
        if text is None:
            return None
        listed = run_tool(["schtasks", "/Query", "/TN", NAME, "/FO", "CSV", "/NH"], unless="") or ""
        return entry_of(text, listed)


def entry_of(text: str, listed: str) -> Entry:
    """Return the entry that the task's XML and its row of schtasks' list describe."""
    # The declaration names the encoding that it had as a file.
    root = ET.fromstring(text.partition("?>")[2].strip() or text)
    space = {"t": NAMESPACE}
    daily = root.findtext(".//t:CalendarTrigger/t:StartBoundary", namespaces=space)
    repeated = root.findtext(".//t:Repetition/t:Interval", "", namespaces=space)
    row = next(iter(csv.reader(listed.strip().splitlines())), [])
    return Entry(
        scheduler=TaskScheduler.name,
        where=NAME,
        when=f"at {daily[11:16]}" if daily else f"every {repeated.removeprefix('PT').lower()}",
        command=root.findtext(".//t:Exec/t:Arguments", "", namespaces=space),
        next_run=row[1] if len(row) > 1 else None,
    )
