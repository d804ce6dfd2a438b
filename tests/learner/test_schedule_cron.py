"""The real ``crontab``, with its folder hidden behind an empty one: nobody's own table is touched."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SPOOL = Path("/var/spool/cron/crontabs")
THEIRS = "# my own\nMAILTO=\"\"\n15 5 * * 1 /usr/bin/backup --to '100 \\%'\n"


@pytest.fixture
def shell(tmp_path, home):
    """Return a function that runs a script where ``nightschool`` is on the PATH and no table is there yet."""
    if not shutil.which("crontab"):
        pytest.fail("crontab is missing; run: apt-get install cron", pytrace=False)
    binary = Path(sys.executable).with_name("nightschool")
    spool = tmp_path / "spool"
    spool.mkdir()

    def run(script: str) -> str:
        hidden = f'mount --bind "{spool}" "{SPOOL}" && cd "{tmp_path}" && set -e\n'
        return subprocess.run(
            ["unshare", "--mount", "bash", "-c", f"{hidden}{script.replace('nightschool', str(binary))}"],
            # No systemd of the user's own, whatever machine this is.
            env=os.environ | {"XDG_RUNTIME_DIR": "/nonexistent", "DBUS_SESSION_BUS_ADDRESS": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def test_our_line_comes_and_goes_and_the_others_stay(shell, tmp_path):
    (tmp_path / "theirs").write_text(THEIRS)

    both = shell("crontab theirs; nightschool schedule install --at 4:05 --json >installed; crontab -l")
    again = shell("nightschool schedule install --every 2h --json >/dev/null; crontab -l")
    left = shell("nightschool schedule remove >/dev/null; crontab -l")

    assert both.startswith(THEIRS)
    assert both.removeprefix(THEIRS).startswith("5 4 * * * NIGHTSCHOOL_HOME=")
    assert both.endswith(" train --scheduled # nightschool-train\n")
    assert again.startswith(f"{THEIRS}0 */2 * * * ")
    assert again.count("nightschool-train") == 1
    assert left == THEIRS
    assert json.loads((tmp_path / "installed").read_text())["scheduler"] == "cron"


def test_a_table_of_nothing_but_our_line_is_removed_whole(shell, tmp_path):
    shell("nightschool schedule install >/dev/null; nightschool schedule remove >/dev/null")

    assert list((tmp_path / "spool").iterdir()) == []


def test_crontab_itself_finds_nothing_wrong_with_an_odd_home(shell, tmp_path):
    odd = str(tmp_path / '100% a\'b "c" $HOME ü')

    script = "nightschool schedule install >/dev/null; crontab -l >table; crontab -n table; cat table"
    listed = shell(f"export NIGHTSCHOOL_HOME={shlex.quote(odd)}\n{script}")

    assert "\\%" in listed


def test_that_cron_does_not_make_up_for_sleep_is_said(shell):
    assert "does not make up for what it missed" in shell("nightschool schedule install")


def test_an_interval_that_cron_lacks_is_one_line_and_changes_nothing(shell):
    output = shell("nightschool schedule install --every 90m 2>&1 || crontab -l 2>&1 || true")

    assert output.startswith("Error: cron cannot run something every 90m; take 30m, 1h, 2h")
    assert "no crontab for" in output


def test_a_crontab_that_cannot_be_read_is_not_replaced(shell, tmp_path):
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "crontab").write_text(
        '#!/bin/sh\n[ "$1" = -l ] && { echo "cannot open" >&2; exit 1; }\ncat >written\n'
    )
    (fake / "crontab").chmod(0o755)

    output = shell(f'PATH="{fake}:$PATH" nightschool schedule install 2>&1 || true')

    assert output == "Error: crontab -l failed: cannot open\n"
    assert not (tmp_path / "written").exists()
