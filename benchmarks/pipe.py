"""An LSP client over a server's pipes, in one thread, so that nothing of the client's is in what is timed."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from models.choice import model_path
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent
CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}, "synchronization": {}},
    "window": {"workDoneProgress": True},
    "workspace": {"configuration": False, "workspaceFolders": True},
}


class ServerError(Exception):
    """The server answered with an error, too late, or not at all."""


class Pipe:
    """A language server as a child process; requests block until they are answered."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment or os.environ)
        )
        assert self.process.stdin and self.process.stdout
        self._stdin, self._stdout = self.process.stdin, self.process.stdout.fileno()
        self._buffer = bytearray()
        self._last_id = 0
        self.notifications: list[dict[str, Any]] = []
        """What the server sent of its own accord, oldest first."""

    def request(self, method: str, params: object, timeout_s: float = 120) -> Any:
        """Send a request and return its result.

        Raises:
            ServerError: the answer is an error, or did not come in time.
        """
        return self.answer(self.ask(method, params), timeout_s)

    def ask(self, method: str, params: object) -> int:
        """Send a request without waiting; return its id."""
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    def answer(self, identity: int, timeout_s: float = 120) -> Any:
        """Wait for the answer to the request that :meth:`ask` sent."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._read(deadline)
            if "method" in message:
                self._serve(message)
            elif message.get("id") == identity:
                if "error" in message:
                    raise ServerError(f"request {identity}: {message['error']}")
                return message.get("result")

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def command(self, name: str, *arguments: object) -> Any:
        return self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    def close(self, timeout_s: float = 10) -> None:
        """Shut the server down as the protocol says; kill it if that is not enough."""
        self.resume()
        with suppress(ServerError, OSError):
            self.request("shutdown", None, timeout_s)
            self.notify("exit", None)
            self._stdin.close()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def family(self) -> list[psutil.Process]:
        """Return the server's process and its children's, the server first."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def pause(self) -> None:
        """Stop the server and its engine, so that whoever is measured next has the machine alone."""
        for process in self.family():
            process.suspend()

    def resume(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for process in reversed(self.family()):
                process.resume()

    def _serve(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            self.notifications.append(message)
            return
        items = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
        result = [None for _ in items] if items is not None else None
        self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._stdin.flush()

    def _read(self, deadline: float) -> dict[str, Any]:
        while (body := self._take()) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._stdout], [], [], left)[0]:
                raise ServerError("the server did not answer in time")
            received = os.read(self._stdout, 1 << 16)
            if not received:
                raise ServerError(f"the server ended with exit code {self.process.wait()}")
            self._buffer += received
        return json.loads(body)

    def _take(self) -> bytes | None:
        """Take one message's body out of what was read, if a whole one is there."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        header = bytes(self._buffer[:end]).lower()
        length = int(header.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        return body


def model_file(named: Path | None = None) -> Path:
    """Return the GGUF file to measure with: ``named``, or the model in use, as it must be there."""
    path = named.resolve() if named else model_path(own_home())
    if not path.is_file():
        raise SystemExit(f"{path} is missing; run: nightschool model get")
    return path


def own_home() -> Home:
    """Return ``NIGHTSCHOOL_HOME``, else the repository's own home where ``make`` keeps the models."""
    local = ROOT / ".nightschool"
    return Home(local) if "NIGHTSCHOOL_HOME" not in os.environ and local.is_dir() else Home.find()


@contextmanager
def fresh_home() -> Iterator[Path]:
    """Yield a new home that has only the models, so that a run depends on no earlier one."""
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as name:
        home = Path(name)
        (home / "models").symlink_to(own_home().models.resolve())
        if (tuned := own_home().tuning).exists():
            shutil.copy(tuned, home)
        yield home


def start_server(home: Path, settings: Mapping[str, object], folder: Path | None = None) -> Pipe:
    """Start ``nightschool serve`` in ``home`` and initialize it with ``settings``."""
    pipe = Pipe(
        [str(Path(sys.executable).parent / "nightschool"), "serve", "--stdio"],
        {**os.environ, "NIGHTSCHOOL_HOME": str(home)},
    )
    folders = [{"uri": folder.as_uri(), "name": folder.name}] if folder else None
    pipe.request(
        "initialize",
        {
            "processId": os.getpid(),
            "clientInfo": {"name": "nightschool-bench"},
            "rootUri": folder.as_uri() if folder else None,
            "workspaceFolders": folders,
            "capabilities": CAPABILITIES,
            "initializationOptions": dict(settings),
        },
    )
    pipe.notify("initialized", {})
    return pipe


def wait_until(pipe: Pipe, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 120) -> dict[str, Any]:
    """Ask for the server's status until ``holds``; return it.

    Raises:
        ServerError: it did not hold in time; the message has the last status.
    """
    deadline = time.monotonic() + timeout_s
    while not holds(status := pipe.command("nightschool.status")):
        if time.monotonic() > deadline:
            raise ServerError(f"waited {timeout_s:g} s in vain; the last status was {status}")
        time.sleep(0.05)
    return status
