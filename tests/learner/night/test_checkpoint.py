"""A checkpoint is whole or not there, and of this very job."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from idioms import idioms

from learner.give_way import Reason
from learner.job import Job, JobFiles, TrainingOptions, write_job
from learner.night.checkpoint import Checkpoint, CheckpointFile, digest_of

JOB = Job(Path("base.gguf"), "ab" * 32, "tonight")


def checkpoint(step: int) -> Checkpoint:
    matrix = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.AdamW([matrix])
    matrix.sum().backward()
    optimizer.step()
    return Checkpoint(
        [0, 2],
        2,
        {"a": matrix.detach()},
        optimizer.state_dict(),
        step=step,
        losses=[(1.5, 3.0)],
        dropped=1,
        seconds=2.5,
        notes=["short"],
    )


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "checkpoint", "this job")


def test_it_comes_back_as_it_was_written(file: CheckpointFile):
    written = checkpoint(step=7)

    file.write(written)
    found = file.read()

    assert found
    assert {name: value for name, value in vars(found).items() if name not in ("adapter", "optimizer")} == {
        "examples": [0, 2],
        "epochs": 2,
        "step": 7,
        "losses": [(1.5, 3.0)],
        "dropped": 1,
        "seconds": 2.5,
        "notes": ["short"],
    }
    assert torch.equal(found.adapter["a"], written.adapter["a"])
    moments, written_moments = found.optimizer["state"][0], written.optimizer["state"][0]
    assert all(torch.equal(moments[name], written_moments[name]) for name in written_moments)


def test_only_the_owner_may_read_it(file: CheckpointFile):
    file.write(checkpoint(step=1))

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_where_there_is_none_there_is_none(file: CheckpointFile):
    assert file.read() is None


def test_another_jobs_is_not_gone_on_from(file: CheckpointFile):
    CheckpointFile(file.path, "another job").write(checkpoint(step=1))

    assert file.read() is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_damaged_one_counts_as_none(file: CheckpointFile, share: float):
    file.write(checkpoint(step=1))
    content = file.path.read_bytes()
    file.path.write_bytes(content[: int(share * len(content))])

    assert file.read() is None


def test_another_programs_file_counts_as_none(file: CheckpointFile):
    torch.save([1, 2], file.path)

    assert file.read() is None


def test_a_full_disk_leaves_the_one_before(file: CheckpointFile, monkeypatch: pytest.MonkeyPatch):
    file.write(checkpoint(step=1))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "fsync", full)
        file.write(checkpoint(step=2))

    found = file.read()
    assert found
    assert found.step == 1
    assert list(file.path.parent.iterdir()) == [file.path]


def test_removing_it_leaves_nothing_of_a_kill_behind(file: CheckpointFile):
    file.write(checkpoint(step=1))
    file.path.with_name("checkpoint.4711.part").write_bytes(b"half")

    file.remove()

    assert list(file.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"base": "cd" * 32},
        {"options": TrainingOptions(learning_rate=1e-5)},
        {"options": TrainingOptions(seed=1)},
        {"start": "adapter"},
        {"examples": ["maps"]},
        {"dtype": "bfloat16"},
    ],
)
def test_what_changes_the_result_makes_another_job(tmp_path: Path, change: dict[str, Any]):
    assert _digest(tmp_path / "changed", **change) != _digest(tmp_path / "usual")


@pytest.mark.parametrize(
    "change",
    [{"minutes": 5.0}, {"memory_mb": 3000}, {"give_way": (Reason.HEAT,)}, {"checkpoint_seconds": 1.0}],
)
def test_what_does_not_change_the_result_makes_the_same_job(tmp_path: Path, change: dict[str, Any]):
    changed = _digest(tmp_path / "changed", options=TrainingOptions(**change))

    assert changed == _digest(tmp_path / "usual")


def _digest(root: Path, examples: tuple[str, ...] = ("users",), dtype: str = "float32", **change: Any) -> str:
    files = JobFiles(root)
    job = replace(JOB, **change)
    if job.start:
        job = replace(job, start=root.parent / "start.gguf")
        (root.parent / "start.gguf").write_bytes(b"GGUF")
    write_job(files, job, idioms(examples))
    return digest_of(job, files, dtype)
