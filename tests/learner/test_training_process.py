"""What the process that starts a training gives it, and says of one that breaks off."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from learner.job import JobError, JobFiles
from learner.training_process import run_training

if TYPE_CHECKING:
    from pathlib import Path

SAYS_ITS_LIMITS = """
import os, sys
sys.exit(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] + " and " + os.environ["LRU_CACHE_CAPACITY"])
"""


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    (tmp_path / "training").mkdir()
    return JobFiles(tmp_path / "training")


def test_few_compiled_multiplications_are_kept_unless_somebody_wants_more(
    files: JobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "512")
    with pytest.raises(JobError, match="ended with code 1: 128 and 512"):
        run_training(files, lambda _: None, ("-c", SAYS_ITS_LIMITS))


def test_what_a_training_says_is_its_users_alone(files: JobFiles) -> None:
    with pytest.raises(JobError, match="it said nothing"):
        run_training(files, lambda _: None, ("-c", ""))
    assert stat.S_IMODE((files.root / "training.log").stat().st_mode) == 0o600
