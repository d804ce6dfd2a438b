"""A minimal editor: starts a real ``nightschool serve`` and talks to it over its pipe."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from lsp_server.jsonrpc import read_messages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Json = dict[str, Any]

SERVE = ("-P", "-c", "from lsp_server.cli import main; main(prog_name='nightschool')", "serve")
ANSWER_SECONDS = 120.0


class ServerError(Exception):
    """The server ended, does not answer, or answers with an error."""


class Client:
    """One language server in a child process; columns are counted in code points."""

    def __init__(
        self,
        model: Path | str,
        project: Path,
        environment: dict[str, str],
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.server = subprocess.Popen(
            [sys.executable, *SERVE, "--model", str(model)],
            env=environment,
            cwd=project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.server.stdin and self.server.stdout
        self.stdin: IO[bytes] = self.server.stdin
        self.numbers = count(1)
        self.messages: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self.notified: list[Json] = []
        """What the server sent of its own accord, oldest first."""
        self.reader = threading.Thread(target=self._read, args=(self.server.stdout,), daemon=True)
        self.reader.start()
        self.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": "nightschool demo"},
                "rootUri": project.as_uri(),
                "capabilities": {"general": {"positionEncodings": ["utf-32"]}},
                "initializationOptions": dict(settings or {}),
            },
        )
        self.notify("initialized", {})

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for body in read_messages(cast("BinaryIO", stdout)):
                self.messages.put(json.loads(body))
        self.messages.put(None)

    def notify(self, method: str, params: Json | None) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Json | None) -> int:
        """Send a request; its answer is had by :meth:`answer`, or never wanted."""
        number = next(self.numbers)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def request(self, method: str, params: Json | None) -> Any:
        return self.answer(self.ask(method, params))

    def answer(self, number: int) -> Any:
        """Wait for the answer to request ``number``.

        Raises:
            ServerError: there is none, or it is an error.
        """
        while True:
            message = self._next()
            if message.get("id") == number:
                if "error" in message:
                    raise ServerError(f"the server answers: {message['error']['message']}")
                return message["result"]

    @property
    def status(self) -> Json:
        """The last ``nightschool/status``; empty before the first."""
        told = [each["params"] for each in self.notified if each["method"] == "nightschool/status"]
        return told[-1] if told else {}

    def wait_for_state(self, *states: str) -> None:
        while self.status.get("state") not in states:
            self._next()

    def wait_until_ready(self) -> None:
        """Wait until the engine has loaded the model.

        Raises:
            ServerError: it cannot.
        """
        self.wait_for_state("ready", "error")
        if self.status["state"] == "error":
            raise ServerError(f"{self.status['message']} {self.status.get('remedy', '')}".strip())

    def close(self) -> None:
        """Let the server end by itself, so that what it has recorded is written; end it where it does not."""
        with suppress(ServerError):
            self.request("shutdown", None)
            self.notify("exit", None)
        self.hang_up()

    def hang_up(self) -> None:
        """Go without a word, as an editor that crashes; the server has ended when this returns."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.reader.join()

    def _send(self, message: Json) -> None:
        body = json.dumps(message).encode()
        try:
            self.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            self.stdin.flush()
        except BrokenPipeError:
            raise ServerError("the server has ended; the log says why") from None

    def _next(self) -> Json:
        try:
            message = self.messages.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise ServerError(f"the server does not answer within {ANSWER_SECONDS:.0f} s") from None
        if message is None:
            raise ServerError("the server has ended; the log says why")
        if "method" in message:
            self.notified.append(message)
        return message
