"""The training process: ``python -m learner.night DIRECTORY`` does the job in the directory.

What it has to say goes to stdout, a line each (:mod:`learner.job`). SIGTERM and the stop file end it; the
same command goes on from the step it was in.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

# Threads that spin while they wait take the processor from others; read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

from learner.give_way import GiveWay, InterruptionError, Limits, Machine, lower_priority
from learner.job import (
    STOPPED,
    Failed,
    Job,
    JobError,
    JobFiles,
    Stopped,
    read_examples,
    read_job,
    to_line,
)
from learner.night import NightError
from models.catalogue import ModelError
from models.engine import EngineError

if TYPE_CHECKING:
    from learner.job import Message, TrainingResult


class Voice:
    """Writes messages; a reader that went away is the same as being told to stop."""

    def __init__(self, stream: TextIO, stop: threading.Event) -> None:
        self._stream, self._stop = stream, stop

    def say(self, message: Message) -> None:
        try:
            self._stream.write(to_line(message))
            self._stream.flush()
        except OSError:
            self._stop.set()


def main() -> int:
    """Do the job; return the exit code."""
    began_at = time.monotonic()
    files = JobFiles(Path(sys.argv[1]))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    voice = Voice(_messages_only(), stop)
    lower_priority()
    try:
        job = read_job(files)
        voice.say(do(job, files, voice, stop, began_at))
    except InterruptionError as error:
        voice.say(Stopped(str(error)))
        return STOPPED
    except (JobError, NightError, ModelError, EngineError) as error:
        voice.say(Failed(str(error)))
        return 1
    except OSError as error:
        voice.say(Failed(f"{error.filename or files.root}: {error.strerror or error}"))
        return 1
    return 0


def do(job: Job, files: JobFiles, voice: Voice, stop: threading.Event, began_at: float) -> TrainingResult:
    """Train and export the job's adapter.

    Raises:
        InterruptionError: it was told to stop.
        JobError, NightError, ModelError, EngineError, OSError: it cannot be done.
    """
    # Imported here: priority and signals must be settled before the seconds that torch takes.
    from learner.night.run import run

    def wait(seconds: float) -> bool:
        return stop.wait(seconds) or files.stop.exists()

    limits = Limits(patience_s=60 * job.options.patience_minutes)
    give_way = GiveWay(Machine(job.typing), job.options.give_way, wait=wait, limits=limits)
    return run(job, files, read_examples(files), give_way, voice.say, began_at)


def _messages_only() -> TextIO:
    """Return the process' stdout, and let what libraries print go to stderr instead."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


if __name__ == "__main__":
    sys.exit(main())
