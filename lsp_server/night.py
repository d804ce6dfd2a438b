"""Runs ``nightschool train`` for the client, as a process that outlives the server; relays its progress."""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from learner.phases import PHASES
from lsp_server.jsonrpc import REQUEST_FAILED, RpcError
from lsp_server.night_process import NightEndedError, run_night

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lsp_server.jsonrpc import Connection
    from lsp_server.reporter import Reporter
    from models.home import Home

logger = logging.getLogger(__name__)

Json = dict[str, Any]

# With -P, a `lsp_server` package of the user's project, in the working directory, is not taken for ours.
COMMAND = (sys.executable, "-P", "-m", "lsp_server.cli", "train", "--json", "--progress")
CREATE_S = 5.0
"""A client that does not answer whether it shows progress within this gets none."""


class Night:
    """At most one training of this server's at a time.

    It goes on when the server leaves; only the client's cancelling ends it, and a short one ends for a
    whole one.
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
        self._expected: object = None
        """The token of the night that was asked for last and may not have begun yet ..."""
        self._is_unwanted = False
        """... and whether it was cancelled before it has."""
        self._quiet: asyncio.Task[Any] | None = None
        self._is_leaving = False

    @property
    def is_running(self) -> bool:
        return self._running is not None or self._quiet is not None

    def train(self, options: Sequence[str], token: object, *, shows_progress: bool) -> Awaitable[Json]:
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
        self._expected, self._is_unwanted = token, False
        return self._train(options, token, shows_progress=shows_progress)

    async def _train(self, options: Sequence[str], token: object, *, shows_progress: bool) -> Json:
        if self._running is not None:
            raise RpcError(REQUEST_FAILED, "a night is running already; wait for it or cancel it")
        self._running = asyncio.current_task()
        try:
            progress = self._progress = Progress(self._connection, token)
            if token is None and shows_progress:
                await progress.create()
            progress.begin("Nightschool: learning")
            try:
                if self._is_unwanted:
                    raise asyncio.CancelledError
                verdict = await self._run(options, progress.report)
            except asyncio.CancelledError:
                if not self._is_leaving:
                    progress.end("cancelled; the next night goes on from here")
                raise
            except RpcError as error:
                progress.end(str(error))
                raise
            progress.end(verdict_line(verdict))
        finally:
            self._running = self._progress = self._expected = None
        self._reporter.inform(verdict_line(verdict))
        return verdict

    async def train_quietly(self, options: Sequence[str]) -> None:
        """Train without a word but where something better serves now; a whole night ends it by itself."""
        if self.is_running:
            return
        self._quiet = asyncio.current_task()
        try:
            verdict = await self._run(options, lambda said: None)
        except RpcError as error:
            logger.info("%s", error)
            return
        finally:
            self._quiet = None
        if verdict.get("verdict") == "promoted":
            self._reporter.inform(verdict_line(verdict))
        else:
            logger.info("%s", verdict_line(verdict))

    def cancel(self, token: object) -> None:
        """The client has cancelled the progress with this token."""
        if self._running is not None and self._progress is not None and self._progress.token == token:
            self._running.cancel()
        elif token is not None and token == self._expected:
            self._is_unwanted = True

    def leave(self) -> None:
        """The server ends; the night does not."""
        self._is_leaving = True

    async def _run(self, options: Sequence[str], on_progress: Callable[[Json], None]) -> Json:
        command = [*self._command, *options]
        try:
            return await run_night(command, self._home, on_progress, lambda: self._is_leaving)
        except NightEndedError as error:
            raise RpcError(REQUEST_FAILED, f"the night failed: {error}") from None


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
