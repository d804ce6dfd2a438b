"""The systemd timer in a real systemd of its own, which the tests start and end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from learner.schedule.plan import Clock, Plan, ScheduleError
from learner.schedule.systemd import SERVICE, TIMER, SystemdScheduler, unit_files, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARY = next(
    (p for p in map(Path, ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")) if p.exists()), None
)
NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=30
)
NASTY = """ it's "n" %h $HOME ${HOME} \\ \\x41 \\" ;&ü """
# systemd runs for users only where it runs the machine, or where it is told so by this directory.
AS_IF_BOOTED = 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec "$@"'


@pytest.fixture(scope="module")
def folders() -> Iterator[dict[str, Path]]:
    """A running systemd's XDG directories, by variable; the environment names them while the tests run."""
    if BINARY is None or not shutil.which("systemctl"):
        pytest.fail("systemd is missing; run: apt-get install systemd", pytrace=False)
    # Not pytest's folder: a socket's path has room for about a hundred characters.
    root = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    found = {f"XDG_{name}": root / name for name in ("RUNTIME_DIR", "CONFIG_HOME", "DATA_HOME")}
    for path in found.values():
        path.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        for variable, path in found.items():
            patch.setenv(variable, str(path))
        stack.callback(shutil.rmtree, root)
        stack.enter_context(user_manager(root))
        yield found


@contextlib.contextmanager
def user_manager(root: Path) -> Iterator[None]:
    command = [str(BINARY), "--user"]
    if not Path("/run/systemd/system").exists():
        command = ["unshare", "--mount", "sh", "-c", AS_IF_BOOTED, "sh", *command]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(root / "ready"))
        ready.settimeout(20)
        environment = os.environ | {"NOTIFY_SOCKET": str(root / "ready")}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while b"READY=1" not in ready.recv(4096):
                pass
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def systemctl(*words: str) -> str:
    return subprocess.run(
        ["systemctl", "--user", *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """A program that writes down how it was called."""
    path = tmp_path / "recorder"
    path.write_text(f'#!/bin/sh\nprintf "%s\\0" "$0" "$NIGHTSCHOOL_HOME" "$@" >"{tmp_path}/called"\n')
    path.chmod(0o755)
    return path


def called(recorder: Path) -> list[str]:
    return (recorder.parent / "called").read_text(encoding="utf-8").split("\0")[:-1]


@example(NASTY, NASTY)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, NAMES)
def test_systemd_runs_any_program_with_any_home(folders, recorder, name, home):
    folder = recorder.parent / "odd"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    program = folder / f"n{name}"
    shutil.copy(recorder, program)
    scheduler = SystemdScheduler()
    try:
        scheduler.install(Plan(program, Path("/h", f"x{home}"), at=Clock(3, 0)))
        systemctl("start", SERVICE)
    finally:
        scheduler.remove()

    assert called(recorder) == [str(program), f"/h/x{home}", "train", "--scheduled"]


def test_the_timer_waits_for_its_time_and_makes_up_for_a_missed_one(folders, recorder):
    scheduler = SystemdScheduler()
    scheduler.install(Plan(recorder, Path("/h"), at=Clock(3, 0)))

    assert systemctl("is-enabled", TIMER) == "enabled"
    assert systemctl("show", TIMER, "--property=Persistent", "--value") == "yes"
    entry = scheduler.entry()
    assert entry
    assert entry.when == "OnCalendar=*-*-* 03:00:00"
    assert " 03:00:00 " in (entry.next_run or "")


def test_a_second_installation_replaces_the_first(folders, recorder):
    scheduler = SystemdScheduler()
    scheduler.install(Plan(recorder, Path("/h"), at=Clock(3, 0)))
    scheduler.install(Plan(recorder, Path("/other"), every=90, min_outcomes=50))

    systemctl("start", SERVICE)

    assert called(recorder)[1:] == ["/other", "train", "--scheduled", "--min-outcomes", "50"]
    assert "OnUnitInactiveUSec=1h 30min" in systemctl("show", TIMER, "--property=TimersMonotonic")
    assert systemctl("show", TIMER, "--property=TimersCalendar", "--value") == ""


def test_nothing_to_do_is_no_failure(folders, recorder):
    recorder.write_text("#!/bin/sh\nexit 3\n")
    SystemdScheduler().install(Plan(recorder, Path("/h"), at=Clock(3, 0)))

    systemctl("start", SERVICE)

    assert systemctl("show", SERVICE, "--property=Result", "--value") == "success"


def test_the_command_installs_tells_and_leaves_nothing_behind(folders, home, tmp_path):
    def nightschool(*words: str) -> tuple[int, dict[str, object]]:
        command = [str(Path(sys.executable).with_name("nightschool")), "schedule", *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    SystemdScheduler().remove()
    assert nightschool("status") == (3, {"installed": False, "last_night": None, "last_run": None})
    code, installed = nightschool("install", "--at", "04:30")
    assert (code, installed["scheduler"], installed["when"]) == (0, "systemd", "OnCalendar=*-*-* 04:30:00")
    assert nightschool("install", "--at", "04:30")[1] == installed
    assert nightschool("status") == (0, installed | {"last_night": None, "last_run": None})
    assert nightschool("remove")[1] == {"removed": ["systemd"]}
    assert nightschool("remove") == (3, {"removed": []})
    left = [path for name in ("CONFIG_HOME", "DATA_HOME") for path in folders[f"XDG_{name}"].rglob("*")]
    assert [path for path in left if not path.is_dir()] == []
    assert systemctl("list-timers", "--all", "--output=json") == "[]"


def test_what_systemd_finds_fault_with_is_not_installed(folders, recorder, monkeypatch):
    files = unit_files(Plan(recorder, Path("/h"), at=Clock(3, 0)))
    verify(files)
    broken = files | {TIMER: files[TIMER].replace("03:00:00", "03:99:00")}

    with pytest.raises(ScheduleError, match="systemd-analyze"):
        verify(broken)
