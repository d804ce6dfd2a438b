"""The night around training and exam: what it leaves behind, whatever happens to it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import house
import night_stubs
import pytest
from filelock import FileLock

from learner.canaries import hatch
from learner.examples import Selection
from learner.job import JobError, TrainingOptions, read_examples
from learner.night_needs import NightFailedError
from learner.nightly import Night, NightOptions, NightResult, NothingToLearnError, Verdict
from learner.registry import Registry
from learner.tonight import Tonight
from learner.training_process import TrainingStoppedError
from models.checksum import sha256_of
from models.home import Home

if TYPE_CHECKING:
    from learner.job import Progress

OPTIONS = NightOptions(Selection(repository=0, replay_share=0.1), TrainingOptions(give_way=()))


@pytest.fixture
def base(smollm: Path) -> str:
    return sha256_of(smollm)


@pytest.fixture
def worked(home: Path, smollm: Path) -> Home:
    """A home with SmolLM2 in use and ninety outcomes."""
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    house.record(home / "ledger.db", house.habits(90))
    return Home(home)


def night(home: Home, options: NightOptions = OPTIONS, **parts: Any) -> Night:
    said: list[Progress] = []
    return Night(
        home, options, said.append, **{"train": night_stubs.train, "examine": night_stubs.better, **parts}
    )


def leftovers(home: Home) -> list[str]:
    return [path.name for path in (home.night / "tonight").iterdir()]


def test_who_passes_serves_at_once_and_the_report_says_on_what_grounds(worked: Home, base: str) -> None:
    result = night(worked).run()
    registry = Registry(worked)
    serving = registry.serving(base)
    assert serving is not None
    assert (result.verdict, result.reasons, result.adapter) == (Verdict.PROMOTED, [], serving.id)
    report = serving.report
    assert (
        report["exam"]["candidate"]["outcomes"]["log_loss"]
        < report["exam"]["serving"]["outcomes"]["log_loss"]
    )
    assert report["examples"] == result.examples
    assert (report["verdict"], report["base"], report["parent"]) == ("promoted", base, None)
    assert serving.data_from is not None
    assert serving.data_until is not None
    assert serving.data_from < serving.data_until < house.NOON + 60 * 90
    assert len(serving.offers) >= 50
    assert leftovers(worked) == []


def test_who_fails_is_kept_with_the_reasons_and_does_not_serve(worked: Home, base: str) -> None:
    result = night(worked, examine=night_stubs.worse).run()
    registry = Registry(worked)
    assert result.verdict is Verdict.REFUSED
    assert "not better than the serving adapter" in result.reasons[0]
    assert registry.serving(base) is None
    assert registry.find(result.adapter).report["reasons"] == result.reasons


def test_examined_outcomes_are_newer_than_all_that_is_trained_on_and_canaries_are_among_it(
    worked: Home,
) -> None:
    def stopped(*_: Any) -> Any:
        raise TrainingStoppedError("told to stop")

    with pytest.raises(TrainingStoppedError):
        night(worked, train=stopped).run()
    tonight = Tonight(worked.night / "tonight")
    plan = tonight.plan()
    assert plan is not None
    training, exam = read_examples(tonight.files), tonight.exam()
    assert max(example.at for example in training) < min(example.at for example in exam)
    assert {example.offer_id for example in exam}.isdisjoint(plan.offers)
    secrets = {canary.secret for canary in hatch(plan.id)}
    assert secrets == {example.target for example in training[: len(secrets)]}
    # They stand nowhere but in what is deleted with the night.
    assert not any(secret.encode() in (worked.root / "ledger.db").read_bytes() for secret in secrets)


def test_a_stopped_training_goes_on_with_the_same_examples(worked: Home) -> None:
    seen = []

    def stopped(files: Any, _: Any) -> Any:
        seen.append(files.examples.read_bytes())
        raise TrainingStoppedError("told to stop")

    def train(files: Any, on_progress: Any) -> Any:
        seen.append(files.examples.read_bytes())
        return night_stubs.train(files, on_progress)

    with pytest.raises(TrainingStoppedError):
        night(worked, train=stopped).run()
    plan = Tonight(worked.night / "tonight").plan()
    result = night(worked, train=train).run()
    assert plan is not None
    assert result.adapter == plan.id
    assert seen[0] == seen[1]


def test_a_failed_training_is_not_tried_again_with_the_same_examples(worked: Home) -> None:
    def failed(*_: Any) -> Any:
        raise JobError("the loss was no number in 5 steps in a row")

    with pytest.raises(JobError, match="no number"):
        night(worked, train=failed).run()
    assert leftovers(worked) == []
    assert night(worked).run().verdict is Verdict.PROMOTED


def test_what_was_trained_is_not_trained_again_after_a_failed_exam(worked: Home) -> None:
    def broken(*_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night(worked, examine=broken).run()

    def never(*_: Any) -> Any:
        raise AssertionError("trained twice")

    assert night(worked, train=never).run().verdict is Verdict.PROMOTED


@pytest.mark.parametrize("change", ["model", "seed", "age", "damage"])
def test_an_unfinished_night_that_would_do_something_else_is_forgotten(
    worked: Home, qwen: Path, change: str
) -> None:
    def stopped(*_: Any) -> Any:
        raise TrainingStoppedError("told to stop")

    with pytest.raises(TrainingStoppedError):
        night(worked, train=stopped).run()
    tonight = Tonight(worked.night / "tonight")
    before = tonight.plan()
    assert before is not None
    options = OPTIONS
    parts: dict[str, Any] = {"train": stopped}
    if change == "model":
        # Outcomes are kept when the model is replaced; adapters and what was begun are not.
        (worked.root / "model.json").write_text(json.dumps({"model": str(qwen)}))
    elif change == "seed":
        options = replace(OPTIONS, training=replace(OPTIONS.training, seed=1))
    elif change == "age":
        parts["now"] = lambda: time.time() + 24 * 3600
    else:
        tonight.files.examples.write_text("{")
    with pytest.raises(TrainingStoppedError):
        night(worked, options, **parts).run()
    after = tonight.plan()
    assert after is not None
    assert after.id != before.id
    assert (after.base == before.base) == (change != "model")
    assert after.training == before.training


def test_two_nights_at_once_are_one_too_many(worked: Home) -> None:
    worked.night.mkdir(mode=0o700)
    with FileLock(worked.night / "lock"), pytest.raises(NothingToLearnError, match="another night"):
        night(worked).run()
    assert night(worked).run().verdict is Verdict.PROMOTED


def test_too_few_outcomes_are_counted_and_named(home: Path, smollm: Path) -> None:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    with pytest.raises(NothingToLearnError, match="of 0 recorded outcomes 0 teach something"):
        night(Home(home)).run()
    house.record(home / "ledger.db", house.habits(30))
    with pytest.raises(NothingToLearnError, match=r"of 30 recorded outcomes 30 .* but 40 are needed"):
        night(Home(home)).run()


def test_nothing_is_done_where_less_is_new_than_was_asked_for(worked: Home) -> None:
    night(worked).run()
    with pytest.raises(NothingToLearnError, match="0 outcomes are new since the last night"):
        night(worked, replace(OPTIONS, least_new=1)).run()


def test_without_the_training_libraries_the_message_says_how_to_get_them(
    worked: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learner.night_needs.find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(NightFailedError, match=r"needs torch, .*nightschool\[learn\]"):
        night(worked).run()


@pytest.mark.parametrize(
    ("patched", "value", "words"),
    [
        ("shutil.disk_usage", SimpleNamespace(free=2_000_000), "500 MB of disk, and 2 MB are free"),
        (
            "psutil.virtual_memory",
            SimpleNamespace(available=10**9),
            "about 1.3 GB of memory, and 1.0 GB",
        ),
    ],
)
def test_a_machine_without_room_is_told_before_anything_is_done(
    worked: Home, monkeypatch: pytest.MonkeyPatch, patched: str, value: Any, words: str
) -> None:
    monkeypatch.setattr(f"learner.night_needs.{patched}", lambda *_: value)
    with pytest.raises(NightFailedError, match=words):
        night(worked).run()


def test_a_disk_that_fills_up_leaves_the_night_to_be_gone_on_with(
    worked: Home, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "report.json")

    with monkeypatch.context() as patch:
        patch.setattr("learner.registry.write_synced", full)
        with pytest.raises(NightFailedError, match=r"the disk that holds .* is full; make room"):
            night(worked).run()
    assert Registry(worked).adapters() == []

    def never(*_: Any) -> Any:
        raise AssertionError("trained twice")

    assert night(worked, train=never).run().verdict is Verdict.PROMOTED


KILLED = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import night_stubs
from test_nightly import OPTIONS, night
from models.home import Home
print("begin", flush=True)
night(Home(Path({home!r}))).run()
"""


def test_killed_at_any_moment_nothing_is_torn_and_the_next_night_works(worked: Home, base: str) -> None:
    """Eight kills, each later in the night than the one before; and each meets what the last left."""
    script = KILLED.format(tests=str(Path(__file__).parent), home=str(worked.root))
    for number in range(8):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline() == b"begin\n"
        with process, contextlib.suppress(subprocess.TimeoutExpired):
            try:
                process.wait(0.05 + 0.15 * number)
            finally:
                process.kill()
        registry = Registry(worked)
        for adapter in registry.adapters():
            registry.check(adapter)
        serving = registry.serving(base)
        assert serving is None or serving.report["verdict"] == "promoted"
        if serving:
            break
    result: NightResult = night(worked).run()
    assert result.verdict is Verdict.PROMOTED
    serving = Registry(worked).serving(base)
    assert serving is not None
    assert serving.id == result.adapter
    assert leftovers(worked) == []
