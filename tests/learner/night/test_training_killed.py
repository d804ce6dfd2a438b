"""The real training process: killed, stopped, and given what it cannot do."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from idioms import NAMES, idioms, options

from learner.job import (
    STOPPED,
    Failed,
    Job,
    JobFiles,
    Progress,
    Stopped,
    TrainingResult,
    from_line,
    write_job,
)
from models.checksum import sha256_of
from models.gguf_file import read_header

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from learner.job import Message

OPTIONS = options(epochs=3, layers=2, rank=2, anchor=0.1, batch=4, checkpoint_seconds=0.0)
STEPS = 9


@pytest.fixture
def files(tmp_path: Path, smollm: Path) -> JobFiles:
    files = JobFiles(tmp_path / "job")
    write_job(files, Job(smollm, sha256_of(smollm), "tonight", options=OPTIONS), idioms(NAMES[:12]))
    return files


def train(
    files: JobFiles, on_progress: Callable[[Progress, subprocess.Popen[str]], None] = lambda *_: None
) -> tuple[int, list[Message]]:
    """Run the process to its end; return its exit code and all that it said."""
    said: list[Message] = []
    with subprocess.Popen(
        [sys.executable, "-m", "learner.night", str(files.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(from_line(line))
            if isinstance(said[-1], Progress):
                on_progress(said[-1], process)
    return process.returncode, said


def steps_of(said: list[Message]) -> list[int]:
    return [message.done for message in said if isinstance(message, Progress) and message.phase == "train"]


@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_to_the_same_adapter(files: JobFiles):
    code, said = train(files)
    assert code == 0
    assert steps_of(said) == list(range(1, STEPS + 1))
    undisturbed = files.adapter.read_bytes()
    files.adapter.unlink()

    for moment in (2, STEPS - 1):

        def kill(progress: Progress, process: subprocess.Popen[str], moment: int = moment) -> None:
            if (progress.phase, progress.done) == ("train", moment):
                process.kill()

        code, _ = train(files, kill)
        assert code == -signal.SIGKILL
        assert not files.adapter.exists()
    code, said = train(files)

    assert code == 0
    # The last one is still to be done, and the one before where its checkpoint was not there yet.
    assert len(steps_of(said)) <= 2
    assert files.adapter.read_bytes() == undisturbed
    assert {path.name for path in files.root.iterdir()} == {"job.json", "examples.jsonl", "adapter.gguf"}


@pytest.mark.timeout(300)
def test_a_stopped_training_says_so_and_goes_on(files: JobFiles):
    def terminate(progress: Progress, process: subprocess.Popen[str]) -> None:
        if (progress.phase, progress.done) == ("train", 2):
            process.terminate()

    code, said = train(files, terminate)

    assert code == STOPPED
    assert said[-1] == Stopped("told to stop")
    done = steps_of(said)[-1]
    assert done < STEPS

    files.stop.touch()
    code, said = train(files)
    assert (code, steps_of(said)) == (STOPPED, [])

    files.stop.unlink()
    code, said = train(files)
    assert code == 0
    assert steps_of(said) == list(range(done + 1, STEPS + 1))
    (result,) = (message for message in said if isinstance(message, TrainingResult))
    assert (result.examples, result.steps) == (12, STEPS)
    assert read_header(files.adapter).architecture == "llama"


def test_a_model_that_was_replaced_is_named(files: JobFiles, smollm: Path):
    write_job(files, Job(smollm, "ab" * 32, "tonight", options=OPTIONS), idioms(NAMES[:4]))

    code, said = train(files)

    assert code == 1
    assert isinstance(said[-1], Failed)
    assert "the model was replaced" in said[-1].message


def test_a_model_that_cannot_be_trained_is_named(files: JobFiles, tmp_path: Path):
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF" + bytes(100))
    write_job(files, Job(model, sha256_of(model), "tonight", options=OPTIONS), idioms(NAMES[:4]))

    code, said = train(files)

    assert code == 1
    assert isinstance(said[-1], Failed)
    assert "broken.gguf" in said[-1].message


def test_nothing_to_learn_is_said(files: JobFiles, smollm: Path):
    job = Job(smollm, sha256_of(smollm), "tonight", options=replace(OPTIONS, rank=1))
    write_job(files, job, idioms(NAMES[:4], weight=0.0))

    code, said = train(files)

    assert code == 1
    assert isinstance(said[-1], Failed)
    assert "nothing to learn" in said[-1].message
