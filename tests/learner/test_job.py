"""A job and its messages come back as they were written, or say what is wrong with them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from learner.examples import Example, Source
from learner.give_way import Reason
from learner.job import (
    Failed,
    Job,
    JobError,
    JobFiles,
    Message,
    Progress,
    Stopped,
    TrainingOptions,
    TrainingResult,
    from_line,
    read_examples,
    read_job,
    to_line,
    write_job,
)
from models.engine import Stop
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB = Job(
    model=Path("/models/base.gguf"),
    base="ab" * 32,
    name="2026-11-21",
    start=Path("/models/primer.gguf"),
    options=TrainingOptions(rank=4, give_way=(Reason.HEAT,)),
)
EXAMPLES = [
    Example(
        prompt=Prompt("def f(", "\n", "a.py", "r", (Chunk("b.py", "x = 1\n"),)),
        target="x):",
        weight=0.75,
        source=Source.OUTCOME,
        file="file:///a.py",
        at=1.5,
        ends=False,
        stop=Stop.BLOCK,
        indent=4,
        offer_id="7",
        rejected="y):",
    ),
    Example(Prompt("é\u2028", "\ud83d"), "", 0.1, Source.REPLAY, "b.py", 0.0),
]
MESSAGES: Sequence[Message] = [
    Progress("train", 3, 10, 1.25, 60.0, "x"),
    TrainingResult(9, {"too long": 1}, 1.5, 12, 0, 2.0, 1.0, 33.0, 900, "bfloat16", ("a", "b")),
    Stopped("told to stop"),
    Failed("the disk is full"),
]


def test_a_job_comes_back_as_it_was_written(tmp_path: Path):
    files = JobFiles(tmp_path / "night")

    write_job(files, JOB, EXAMPLES)

    assert read_job(files) == JOB
    assert read_examples(files) == EXAMPLES


def test_only_the_owner_may_read_a_job(tmp_path: Path):
    files = JobFiles(tmp_path / "night")

    write_job(files, JOB, EXAMPLES)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (files.job, files.examples)}
    assert modes == {0o600}
    assert stat.S_IMODE(files.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_comes_back_as_it_was_sent(message: Message):
    line = to_line(message)

    assert line.count("\n") == 1
    assert from_line(line) == message


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"kind": "song"}', '{"kind": "failed", "text": 1}'])
def test_what_is_no_message_is_refused(line: str):
    with pytest.raises(ValueError):
        from_line(line)


@pytest.mark.parametrize(
    "options", [{"rank": 0}, {"minutes": 0}, {"anchor": -1.0}, {"replay": 1.5}, {"learning_rate": 0.0}]
)
def test_an_impossible_option_is_named(options: dict[str, Any]):
    (name,) = options

    with pytest.raises(JobError, match=name):
        TrainingOptions(**options)


@pytest.mark.parametrize("content", ["", "{}", "[1]", json.dumps({"options": {}, "model": 1})])
def test_a_damaged_job_is_named(tmp_path: Path, content: str):
    files = JobFiles(tmp_path)
    files.job.write_text(content)
    files.examples.write_text(content or "{")

    with pytest.raises(JobError, match=r"job\.json"):
        read_job(files)
    with pytest.raises(JobError, match=r"examples\.jsonl"):
        read_examples(files)


def test_a_missing_job_is_told_apart(tmp_path: Path):
    with pytest.raises(JobError, match="holds no job"):
        read_job(JobFiles(tmp_path))
