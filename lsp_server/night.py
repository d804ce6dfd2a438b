"""Runs ``nightschool train`` for the client, as a process that outlives the server; relays its progress."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from learner.phases import PHASES
from lsp_server.jsonrpc import REQUEST_FAILED, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from lsp_server.jsonrpc import Connection
    from lsp_server.reporter import Reporter
    from models.home import Home

logger = logging.getLogger(__name__)

Json = dict[str, Any]

# With -P, a `lsp_server` package of the user's project, in the working directory, is not taken for ours.
COMMAND = (sys.executable, "-P", "-m", "lsp_server.cli", "train", "--json", "--progress")
LOOK_S = 0.25
"""Between two looks at what the process has said."""
NOTHING_TO_DO = 3
CREATE_S = 5.0
"""A client that does not answer whether it shows progress within this gets none."""
LOWEST = 19


class Night:
    """At most one training of this server's at a time.

    The process writes to a file, not to a pipe: it goes on when the server leaves (an editor that is closed
    or restarted), and the adapter serves from then on all the same. Only the client's cancelling ends it.
    """

    def __init__(
        self, home: Home, connection: Connection, reporter: Reporter, command: Sequence[str] = COMMAND
    ) -> None:
        self._home = home
        self._connection = connection
        self._reporter = reporter
        self._command = command
        self._progress: Progress | None = None
        self._running: asyncio.Task[Any] | None = None
        self._is_leaving = False

    async def train(self, options: Sequence[str], token: object, *, shows_progress: bool) -> Json:
        """Train, examine and perhaps promote; return the verdict as ``nightschool train --json`` prints it.

        Args:
            options: more words for the command.
            token: the client's own token for progress; None has the server ask for one.
            shows_progress: whether the client can be asked for one.

        Raises:
            RpcError: a night is running already, or it failed; the message says why.
        """
        if self._running is not None:
            raise RpcError(REQUEST_FAILED, "a night is running already; wait for it or cancel it")
        self._running = asyncio.current_task()
        try:
            progress = self._progress = Progress(self._connection, token)
            if token is None and shows_progress:
                await progress.create()
            progress.begin("Nightschool: learning")
            try:
                verdict = await self._run(options, progress)
            except asyncio.CancelledError:
                if not self._is_leaving:
                    progress.end("cancelled; the next night goes on from here")
                raise
            except RpcError as error:
                progress.end(str(error))
                raise
            progress.end(verdict_line(verdict))
        finally:
            self._running = self._progress = None
        self._reporter.inform(verdict_line(verdict))
        return verdict

    def cancel(self, token: object) -> None:
        """The client has cancelled the progress with this token."""
        if self._running is not None and self._progress is not None and self._progress.token == token:
            self._running.cancel()

    def leave(self) -> None:
        """The server ends; the night does not."""
        self._is_leaving = True

    async def _run(self, options: Sequence[str], progress: Progress) -> Json:
        starting = asyncio.ensure_future(asyncio.to_thread(_Process, [*self._command, *options], self._home))
        verdict: Json = {}
        try:
            # Shielded: a process that is started while this is cancelled must be ended as well.
            process = await asyncio.shield(starting)
            while True:
                has_ended = process.has_ended
                for said in process.objects():
                    if isinstance(said.get("progress"), dict):
                        progress.report(said["progress"])
                    else:
                        verdict = said
                if has_ended:
                    break
                await asyncio.sleep(LOOK_S)
            if process.code not in (0, NOTHING_TO_DO) or not verdict:
                raise RpcError(REQUEST_FAILED, f"the night failed: {process.last_words}")
        except asyncio.CancelledError:
            if not self._is_leaving:
                (await starting).end()
            raise
        finally:
            (await starting).close()
        return verdict


class Progress:
    """LSP's work-done progress, which the client may cancel; sends nothing where it has no token."""

    def __init__(self, connection: Connection, token: object) -> None:
        self._connection = connection
        self.token = token
        self._percentage = 0

    async def create(self) -> None:
        """Ask the client to show progress; one that will not is left alone."""
        token = f"nightschool-{uuid.uuid4().hex}"
        with suppress(RpcError, TimeoutError):
            await asyncio.wait_for(
                self._connection.ask("window/workDoneProgress/create", {"token": token}), CREATE_S
            )
            self.token = token

    def begin(self, title: str) -> None:
        self._send({"kind": "begin", "title": title, "cancellable": True, "percentage": 0})

    def report(self, found: Json) -> None:
        """Pass on where the night is; ``found`` is a line of ``nightschool train --progress``."""
        done, total = found.get("done") or 0, found.get("total") or 0
        if total and (share := SHARES.get(str(found.get("phase")))):
            first, last = share
            self._percentage = round(first + (last - first) * min(1, done / total))
        self._send({"kind": "report", "message": progress_line(found), "percentage": self._percentage})

    def end(self, message: str) -> None:
        self._send({"kind": "end", "message": message})

    def _send(self, value: Json) -> None:
        if self.token is not None:
            self._connection.notify("$/progress", {"token": self.token, "value": value})


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


SHARES = {"train": (0, 60), "exam": (60, 100)}
"""Which percentages the phases that count go through."""


def progress_line(found: Json) -> str:
    """Return what the client shows of a line of ``nightschool train --progress``."""
    parts = [PHASES.get(str(found.get("phase")), str(found.get("phase")))]
    if found.get("total"):
        parts[0] += f" {found.get('done')}/{found['total']}"
    if (loss := found.get("loss")) is not None:
        parts.append(f"loss {loss:.3f}")
    if (left := found.get("seconds_left")) is not None:
        parts.append(f"{left / 60:.0f} min left" if left >= 60 else f"{left:.0f} s left")
    if found.get("message"):
        parts.append(str(found["message"]))
    return ", ".join(parts)


def verdict_line(verdict: Json) -> str:
    """Return in one line what became of a night; ``verdict`` is what ``nightschool train --json`` prints."""
    adapter, reasons = verdict.get("adapter"), list(verdict.get("reasons") or ())
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    why = f"{reasons[0]}{more}" if reasons else ""
    match verdict.get("verdict"):
        case "promoted":
            return f"adapter {adapter} passed its exam and serves now{_figures(verdict)}"
        case "refused":
            return f"adapter {adapter} did not pass its exam, what served serves on: {why}"
        case _:
            return f"nothing was learned: {why}"


def _figures(verdict: Json) -> str:
    try:
        arms = [verdict["exam"][arm]["outcomes"]["exact_match"] for arm in ("serving", "candidate")]
    except (KeyError, TypeError):
        return ""
    before, after = (f"{100 * share:.1f} %" for share in arms)
    return f": exact match on your newest outcomes {before} → {after}"
