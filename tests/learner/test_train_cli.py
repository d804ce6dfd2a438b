"""``nightschool train``: exit codes, the two kinds of output, and a clean end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import house
import night_stubs
import pytest
from click.testing import CliRunner

from learner import train_cli
from learner.give_way import Reason
from learner.job import JobError, Progress
from learner.last_run import last_run
from learner.nightly import Night
from learner.training_process import TrainingStoppedError
from lsp_server.cli import main
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def worked(home: Path, smollm: Path) -> Path:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    house.record(home / "ledger.db", house.habits(90))
    return home


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parts of the command's night, and, once it was begun, the options it was given."""
    parts: dict[str, Any] = {"train": night_stubs.train, "examine": night_stubs.better}

    class Quick(Night):
        def __init__(self, home: Any, options: Any, on_progress: Any) -> None:
            super().__init__(home, options, on_progress, train=parts["train"], examine=parts["examine"])
            parts["options"] = options

    monkeypatch.setattr(train_cli, "Night", Quick)
    monkeypatch.setattr(train_cli, "lower_priority", lambda: None)
    return parts


def train(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["train", *arguments])


def test_the_verdict_comes_last_and_progress_before_it(worked: Path, nights: dict[str, Any]) -> None:
    result = train("--json", "--progress", "--now", "--minutes", "7", "--seed", "3")
    *lines, verdict = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0
    assert {"phase": "train", "done": 1, "total": 2, "loss": 0.5, "seconds_left": 1.0, "message": ""} in [
        line["progress"] for line in lines
    ]
    assert [line["progress"]["phase"] for line in lines] == ["lesson", "train", "exam"]
    assert set(verdict) == {"verdict", "adapter", "reasons", "exam", "seconds", "examples", "known"}
    assert (verdict["verdict"], verdict["reasons"]) == ("promoted", [])
    assert {"candidate", "serving", "base"} <= set(verdict["exam"])
    assert set(verdict["exam"]["candidate"]) == {"outcomes", "generic"}
    options = nights["options"]
    assert (options.training.minutes, options.training.seed, options.selection.seed) == (7.0, 3, 3)
    assert options.training.give_way == (Reason.MEMORY,)


def test_every_night_leaves_how_it_ended_and_a_micro_night_nothing(
    home: Path, smollm: Path, nights: dict[str, Any]
) -> None:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    assert train("--micro").exit_code == 3
    assert last_run(Home(home)) is None
    assert train("--scheduled").exit_code == 3
    nothing = last_run(Home(home))
    assert nothing is not None
    assert (nothing.exit_code, nothing.scheduled) == (3, True)
    assert nothing.reason.startswith("of 0 recorded outcomes 0 teach something")
    house.record(home / "ledger.db", house.habits(90))
    verdict = json.loads(train("--json").stdout)
    done = last_run(Home(home))
    assert done is not None
    assert (done.exit_code, done.scheduled, done.reason) == (0, False, f"{verdict['adapter']} promoted")


def test_a_person_reads_the_verdict_its_reasons_and_the_figures(worked: Path, nights: dict[str, Any]) -> None:
    nights["examine"] = night_stubs.worse
    result = train()
    assert result.exit_code == 0
    assert ": refused after" in result.stdout
    assert "not better than the serving adapter beyond noise" in result.stdout
    assert "your newest outcomes: exact match 100.0 %" in result.stdout
    assert "what served before serves on" in result.stdout
    assert nights["options"].training.give_way == tuple(Reason)


def test_with_nothing_to_learn_it_says_what_is_missing(home: Path, smollm: Path) -> None:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    result = train("--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert (found["verdict"], found["adapter"]) == ("nothing", None)
    assert "of 0 recorded outcomes" in found["reasons"][0]
    assert "but 40 are needed" in result.stderr


def test_the_schedule_learns_only_where_something_is_new(worked: Path, nights: dict[str, Any]) -> None:
    assert train("--scheduled").exit_code == 0
    second = train("--scheduled")
    assert second.exit_code == 3
    assert "0 outcomes are new" in second.stderr
    assert second.stdout == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (JobError("the loss was no number in 5 steps in a row"), "the loss was no number"),
        (TrainingStoppedError("paused for 30 min because you are typing"), "goes on from here"),
        (KeyboardInterrupt(), "stopped; the next `nightschool train` goes on from here"),
    ],
)
def test_a_broken_off_night_says_so_in_one_line(
    worked: Path, nights: dict[str, Any], error: BaseException, words: str
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    nights["train"] = fail
    result = train("--json")
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_progress_is_told_in_words() -> None:
    assert train_cli.told(Progress("train", 3, 40, 0.5, 75.0)) == "3/40, loss 0.500, 1:15 left"
    assert train_cli.told(Progress("pause", note="you are typing")) == "you are typing"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM cannot be caught there")
@pytest.mark.parametrize(
    "interrupt", [signal.default_int_handler, signal.SIG_IGN], ids=["front", "background"]
)
def test_sigterm_ends_it_as_ctrl_c_does(worked: Path, interrupt: Any) -> None:
    """The signal comes while the real training process loads; the night must be there to be gone on with.

    A shell lets what it runs in the background ignore Ctrl-C.
    """
    command = [sys.executable, "-m", "lsp_server.cli", "train", "--json", "--progress", "--now"]
    before = signal.signal(signal.SIGINT, interrupt)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout
        for line in process.stdout:
            if json.loads(line)["progress"]["phase"] == "load":
                process.terminate()
                break
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "goes on from here" in errors
    assert (worked / "night" / "tonight" / "plan.json").exists()
    assert not (worked / "night" / "tonight" / "training" / "stop").exists()
