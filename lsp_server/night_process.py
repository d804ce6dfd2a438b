"""The process of a night: started at the lowest priority, heard through a file, and left to itself."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from models.home import Home

Json = dict[str, Any]

LOOK_S = 0.25
"""Between two looks at what the process has said."""
NOTHING_TO_DO = 3
LOWEST = 19


class NightEndedError(Exception):
    """The process ended without a verdict; the message is its own."""


async def run_night(
    command: Sequence[str],
    home: Home,
    on_progress: Callable[[Json], None],
    outlives: Callable[[], bool],
) -> Json:
    """Run a night and return its verdict, as ``nightschool train --json`` prints it.

    The process writes to a file, not to a pipe: it goes on when the server leaves (an editor that is closed
    or restarted), and the adapter serves from then on all the same.

    Args:
        on_progress: told each line of ``nightschool train --progress``.
        outlives: asked when this is cancelled: whether the process is to go on.

    Raises:
        NightEndedError: it failed.
    """
    starting = asyncio.ensure_future(asyncio.to_thread(_Process, command, home))
    verdict: Json = {}
    try:
        # Shielded: a process that is started while this is cancelled must be ended as well.
        process = await asyncio.shield(starting)
        while True:
            has_ended = process.has_ended
            for said in process.objects():
                if isinstance(said.get("progress"), dict):
                    on_progress(said["progress"])
                else:
                    verdict = said
            if has_ended:
                break
            await asyncio.sleep(LOOK_S)
        if process.code not in (0, NOTHING_TO_DO) or not verdict:
            raise NightEndedError(process.last_words)
    except asyncio.CancelledError:
        if not outlives():
            (await starting).end()
        raise
    finally:
        (await starting).close()
    return verdict


class _Process:
    """The night's process; it has the lowest priority and is in a session of its own."""

    def __init__(self, command: Sequence[str], home: Home) -> None:
        """Start it: not for the event loop."""
        self._rest = b""
        package = {"PYTHONPATH": str(Path(models.__path__[0]).parent), "NIGHTSCHOOL_HOME": str(home.root)}
        with ExitStack() as ends:
            out, self._out = _file(ends)
            err, self._err = _file(ends)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=os.environ | package,
                start_new_session=True,
            )
        import psutil  # Here, for start-up does not need it.

        with suppress(psutil.Error):  # it has ended already
            lowest = psutil.IDLE_PRIORITY_CLASS if sys.platform == "win32" else LOWEST
            psutil.Process(self._process.pid).nice(lowest)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def objects(self) -> Iterator[Json]:
        """Yield what it has printed since the last call; a line that is not yet whole comes later."""
        *lines, self._rest = (self._rest + self._out.read()).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                if isinstance(found := json.loads(line), dict):
                    yield found

    @property
    def last_words(self) -> str:
        lines = self._err.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("Error: ") if lines else f"it ended with code {self.code}"

    def end(self) -> None:
        """Tell it to stop; it ends what it has started, and the next night goes on from there."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def close(self) -> None:
        """Listen no longer; where it goes on, a thread waits for its end, so that it leaves no zombie."""
        self._out.close()
        self._err.close()
        if not self.has_ended:
            threading.Thread(target=self._process.wait, name="night", daemon=True).start()


def _file(ends: ExitStack) -> tuple[int, BinaryIO]:
    """Return a new file's two ends, each with a position of its own: to write (closed by ``ends``), to read.

    Nobody else needs its name.
    """
    import tempfile  # Here, for start-up does not need it.

    descriptor, name = tempfile.mkstemp(prefix="nightschool-night-")
    ends.callback(os.close, descriptor)
    reading = Path(name).open("rb")  # noqa: SIM115 - outlives this call
    with suppress(PermissionError):  # Windows keeps it, with nothing of the developer's in it
        Path(name).unlink()
    return descriptor, reading
