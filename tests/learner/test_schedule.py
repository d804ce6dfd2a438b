"""What each platform is given, read back as the platform reads it."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
import stat
import subprocess
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from adapter_files import add_adapter
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from learner.job import JobError
from learner.last_run import noted
from learner.night_lock import NothingToLearnError
from learner.registry import Registry
from learner.schedule import cron, launchd, windows
from learner.schedule.plan import Clock, Plan, ScheduleError, interval, parse_minutes
from lsp_server.cli import main
from models.home import Home

NIGHT = Plan(Path("/opt/nightschool"), Path("/home/ada/school"), at=Clock(3, 0))
OFTEN = Plan(Path("/opt/nightschool"), Path("/home/ada/school"), every=120, min_outcomes=50)
NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=40
)


@pytest.mark.parametrize("text", ["03:00", "3:00", "23:59", "00:00"])
def test_a_time_of_day_is_read(text):
    assert int(str(Clock.parse(text))[:2]) == int(text.split(":")[0])


@pytest.mark.parametrize("text", ["24:00", "3", "12:60", "3am", "", "-1:00", "٣:00"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValueError, match="no time of day"):
        Clock.parse(text)


@pytest.mark.parametrize("minutes", [5, 60, 90, 1440])
def test_an_interval_is_written_as_it_is_read(minutes):
    assert parse_minutes(interval(minutes)) == minutes


@pytest.mark.parametrize("text", ["4m", "25h", "90", "1.5h", "-5m", ""])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ValueError, match="no interval"):
        parse_minutes(text)


def test_a_path_with_a_newline_is_refused_by_name():
    with pytest.raises(ScheduleError, match="control character"):
        Plan(Path("/a\nb"), Path("/h"), at=Clock(3, 0))


# launchd


@example("0", ".")
@given(NAMES, NAMES)
def test_launchd_gets_program_arguments_and_home_as_they_are(program, home):
    plan = Plan(Path("/", program), Path("/", home), at=Clock(23, 5))

    agent = plistlib.loads(launchd.agent(plan))

    assert agent["ProgramArguments"] == [str(plan.program), "train", "--scheduled"]
    assert agent["EnvironmentVariables"] == {"NIGHTSCHOOL_HOME": str(plan.home)}
    assert agent["StartCalendarInterval"] == {"Hour": 23, "Minute": 5}


def test_launchd_counts_an_interval_in_seconds():
    agent = plistlib.loads(launchd.agent(OFTEN))

    assert agent["StartInterval"] == 7200
    assert agent["ProgramArguments"][1:] == ["train", "--scheduled", "--min-outcomes", "50"]
    assert "StartCalendarInterval" not in agent


# cron


def as_cron_runs_it(line: str, keeps_backslash: bool) -> str:
    """Return the shell command of a crontab's line; crons differ in what they do with an escaped percent."""
    command = line.split(maxsplit=5)[5]
    assert not re.search(r"(?<!\\)%", command), "the rest would be the command's input"
    return command if keeps_backslash else command.replace("\\%", "%")


@example("0", ".", False)
@given(NAMES, NAMES, st.booleans())
def test_the_shell_that_cron_starts_sees_every_path_whole(program, home, keeps_backslash):
    plan = Plan(Path("/", program), Path("/", home), at=Clock(3, 0))
    command = as_cron_runs_it(cron.line(plan), keeps_backslash)

    words = shlex.split(command, comments=True)

    assert words == [f"NIGHTSCHOOL_HOME={plan.home}", str(plan.program), "train", "--scheduled"]


@pytest.mark.parametrize("keeps_backslash", [True, False])
def test_a_real_shell_reads_it_as_well(keeps_backslash):
    nasty = "/a  b%d'e\"f$HOME`g`;#&*ü"
    line = cron.line(Plan(Path("/usr/bin/env"), Path(nasty), at=Clock(3, 0)))
    command = as_cron_runs_it(line, keeps_backslash).replace("/usr/bin/env train --scheduled", "/usr/bin/env")

    output = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout

    assert f"NIGHTSCHOOL_HOME={nasty}\n" in output


@pytest.mark.parametrize(
    ("minutes", "times"),
    [(30, "*/30 * * * *"), (60, "0 * * * *"), (120, "0 */2 * * *"), (1440, "0 0 * * *")],
)
def test_cron_gets_what_it_can_express(minutes, times):
    plan = Plan(Path("/n"), Path("/h"), every=minutes)

    assert cron.line(plan).startswith(f"{times} NIGHTSCHOOL_HOME=/h /n train --scheduled #")


@pytest.mark.parametrize("minutes", [7, 90, 300])
def test_an_interval_that_cron_cannot_express_is_refused_with_some_that_it_can(minutes):
    with pytest.raises(ScheduleError, match="take 30m, 1h, 2h"):
        cron.line(Plan(Path("/n"), Path("/h"), every=minutes))


def test_cron_refuses_a_backslash_by_name():
    with pytest.raises(ScheduleError, match="backslash"):
        cron.line(Plan(Path("/a\\b"), Path("/h"), at=Clock(3, 0)))


# Windows

WINDOWS_NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters='<>:"/\\|?*%'), min_size=1, max_size=40
)
SPACE = {"t": windows.NAMESPACE}


@example("0", ".")
@given(WINDOWS_NAMES, WINDOWS_NAMES)
def test_the_task_sets_home_and_runs_the_program(program, home):
    plan = Plan(Path("C:/", program), Path("C:/", home), at=Clock(3, 0))
    text = windows.task(plan, datetime(2026, 11, 21, 12, 30)).encode("utf-16")

    root = ET.fromstring(text)

    given_to_cmd = root.findtext(".//t:Arguments", "", SPACE)
    # cmd /s strips the outermost quotes, and nothing else.
    command = given_to_cmd.removeprefix('/d /s /c "').removesuffix('"')
    assert command == f'set "NIGHTSCHOOL_HOME={plan.home}"&&"{plan.program}" train --scheduled'


def test_the_task_makes_up_for_sleep_and_runs_every_day():
    root = ET.fromstring(windows.task(NIGHT, datetime(2026, 11, 21, 12, 30)).partition("?>")[2])

    assert root.findtext("t:Settings/t:StartWhenAvailable", "", SPACE) == "true"
    assert root.findtext(".//t:CalendarTrigger/t:StartBoundary", "", SPACE) == "2026-11-21T03:00:00"
    assert root.findtext(".//t:CalendarTrigger/t:ScheduleByDay/t:DaysInterval", "", SPACE) == "1"


def test_the_elements_come_in_the_schema_s_order():
    root = ET.fromstring(windows.task(OFTEN, datetime(2026, 11, 21, 12, 30)).partition("?>")[2])

    assert [re.sub(r"\{.*\}", "", element.tag) for element in root] == [
        "RegistrationInfo", "Triggers", "Settings", "Actions",
    ]  # fmt: skip
    (trigger,) = root.findall("t:Triggers/t:TimeTrigger", SPACE)
    assert [re.sub(r"\{.*\}", "", element.tag) for element in trigger] == ["Repetition", "StartBoundary"]


def test_an_installed_task_is_told_back():
    text = windows.task(OFTEN, datetime(2026, 11, 21, 12, 30))

    entry = windows.entry_of(text, '"\\nightschool-train","22.11.2026 03:00:00","Bereit"\n')

    assert (entry.when, entry.next_run) == ("every 120m", "22.11.2026 03:00:00")
    assert "train --scheduled --min-outcomes 50" in entry.command


@pytest.mark.parametrize("path", ["C:/100%/n.exe", 'C:/a"b'])
def test_what_cmd_would_replace_is_refused(path):
    with pytest.raises(ScheduleError, match="rename it"):
        windows.arguments(Plan(Path(path), Path("C:/h"), at=Clock(3, 0)))


# the command


@pytest.mark.parametrize(
    "words",
    [["--at", "25:00"], ["--every", "2d"], ["--at", "03:00", "--every", "2h"], ["--min-outcomes", "0"]],
)
def test_wrong_usage_is_exit_code_two(home, words):
    assert CliRunner().invoke(main, ["schedule", "install", *words]).exit_code == 2


def test_a_machine_without_any_scheduler_is_told_in_one_line(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    result = CliRunner().invoke(main, ["schedule", "install"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: this machine has neither a systemd for its users nor cron")
    assert result.stderr.count("\n") == 1


def test_the_status_tells_what_came_of_the_last_night(home, monkeypatch):
    registry = Registry(Home(home))
    add_adapter(registry, day=1, verdict="promoted", reasons=[])
    add_adapter(
        registry, day=2, verdict="refused", reasons=["it forgot: generic exact match fell by 4 points"]
    )
    monkeypatch.setattr("learner.schedule_cli.find_schedulers", list)

    result = CliRunner().invoke(main, ["schedule", "status"])
    as_json = CliRunner().invoke(main, ["schedule", "status", "--json"])

    assert result.exit_code == as_json.exit_code == 3
    assert "20261202-0300-0002 refused, it forgot: generic exact match fell by 4 points" in result.stdout
    assert json.loads(as_json.stdout)["last_night"]["verdict"] == "refused"
    assert json.loads(as_json.stdout)["last_run"] is None


def test_the_status_tells_of_a_run_that_had_nothing_to_do(home, monkeypatch):
    monkeypatch.setattr("learner.schedule_cli.find_schedulers", list)
    clock = iter([1_790_000_000.0, 1_790_086_400.0])

    with pytest.raises(JobError), noted(Home(home), scheduled=False, now=lambda: next(clock)):
        raise JobError("the disk is full")
    failed = CliRunner().invoke(main, ["schedule", "status"]).stdout
    with pytest.raises(NothingToLearnError), noted(Home(home), scheduled=True, now=lambda: next(clock)):
        raise NothingToLearnError("of 12 recorded outcomes 3 teach something")
    nothing = CliRunner().invoke(main, ["schedule", "status", "--json"])

    assert "by hand, failed (exit 1): the disk is full" in failed
    assert json.loads(nothing.stdout)["last_run"] == {
        "ended_at": 1_790_086_400.0,
        "exit_code": 3,
        "reason": "of 12 recorded outcomes 3 teach something",
        "scheduled": True,
    }
    assert stat.S_IMODE(Home(home).last_run.stat().st_mode) == 0o600


def test_a_damaged_record_of_the_last_run_is_none(home, monkeypatch):
    monkeypatch.setattr("learner.schedule_cli.find_schedulers", list)
    Home(home).last_run.write_text("{")

    assert "last run   none yet" in CliRunner().invoke(main, ["schedule", "status"]).stdout
