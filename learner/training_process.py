"""Runs the training process: starts it, passes on what it says, and ends it when the night ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import learner
from learner.job import Failed, JobError, Progress, Stopped, TrainingResult, from_line
from models.home import private_opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from learner.job import JobFiles

_STOP_S = 30.0
"""A training that was told to stop finishes its step and writes its checkpoint first."""
_CACHES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "128"}
"""oneDNN and torch's wrapper of it each keep 1,024 compiled multiplications, one for every number of rows
that came by, with their working memory: half a gigabyte and more, of which nearly none is used again."""
_LAST_WORDS = 2000
"""Characters of what a process that broke off has said on stderr."""


def run_training(
    files: JobFiles,
    on_progress: Callable[[Progress], None],
    program: tuple[str, ...] = ("-P", "-m", "learner.night"),
) -> TrainingResult:
    """Do the job in ``files``, or go on with it; return what was done.

    Whatever exception comes by here, Ctrl-C included, stops the training; the same job goes on later.

    Args:
        program: what the Python interpreter runs; tests run others.

    Raises:
        TrainingStoppedError: it stopped half-way.
        JobError: it cannot be done; the message says why.
    """
    files.stop.unlink(missing_ok=True)
    log = files.root / "training.log"
    with open(log, "w+", encoding="utf-8", errors="replace", opener=private_opener) as errors:
        process = subprocess.Popen(
            [sys.executable, *program, str(files.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            # With -P and not in the user's directory, a module there is not taken for ours.
            cwd=Path(learner.__path__[0]).parent,
            # Ctrl-C in a terminal reaches the whole process group; what stops training is said here alone.
            start_new_session=True,
            env=_CACHES | os.environ,
        )
        try:
            return _listen(process, on_progress)
        except _BrokeOffError:
            errors.seek(0)
            said = errors.read()[-_LAST_WORDS:].strip().splitlines()
            words = said[-1] if said else "it said nothing"
            raise JobError(f"the training process ended with code {process.wait()}: {words}") from None
        finally:
            _end(process, files)


class TrainingStoppedError(JobError):
    """It gave way for too long, or was told to stop; the same job goes on from there."""


class _BrokeOffError(Exception):
    """The process ended without having said why."""


def _listen(process: subprocess.Popen[str], on_progress: Callable[[Progress], None]) -> TrainingResult:
    assert process.stdout
    for line in process.stdout:
        try:
            message = from_line(line)
        except ValueError as error:
            raise JobError(str(error)) from None
        if isinstance(message, Progress):
            on_progress(message)
        elif isinstance(message, TrainingResult):
            return message
        elif isinstance(message, Failed):
            raise JobError(message.message)
        elif isinstance(message, Stopped):
            raise TrainingStoppedError(message.reason)
    raise _BrokeOffError


def _end(process: subprocess.Popen[str], files: JobFiles) -> None:
    """Let the process end; where it still works, tell it to, and kill it where it does not hear."""
    if process.poll() is None:
        files.stop.touch()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        files.stop.unlink(missing_ok=True)
        if process.stdout:
            process.stdout.close()
