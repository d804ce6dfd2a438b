"""The real server over stdio with an engine that knows its lines and a real ledger.

Usage: python -m tests.sessions.scripted_server ANSWERS.json HOME RECORDING.jsonl

``ANSWERS.json`` maps what the text before the cursor ends with to what the engine then says. All messages are
recorded as they come and go, with times, but for the places where files lie.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from learner.ledger import Ledger
from lsp_server.jsonrpc import Connection, serve
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.home import Home
from tests.lsp_server.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.engine import Request


def answer_from(answers: Mapping[str, str]) -> Callable[[Request], list[str]]:
    """Return what the engine says: the answer to how the text before the cursor ends, else nothing."""

    def says(request: Request) -> list[str]:
        return [text for ending, text in answers.items() if request.prompt.prefix.endswith(ending)]

    return says


class Recording:
    """One JSON object a line: seconds since the start, who sent it, the message."""

    def __init__(self, path: Path, project: str) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._project = project
        self._began = time.monotonic()

    def note(self, sender: str, body: bytes) -> None:
        at = round(time.monotonic() - self._began, 3)
        text = body.decode().replace(self._project, "/project")
        self._file.write(f'{{"at": {at}, "from": "{sender}", "message": {text}}}\n')
        self._file.flush()


class RecordedConnection(Connection):
    def __init__(self, send: Callable[[bytes], None], recording: Recording) -> None:
        super().__init__(send)
        self._recording = recording

    def receive(self, body: bytes) -> None:
        self._recording.note("client", body)
        super().receive(body)


async def main(engine: FakeEngine, home: Home, model: str, recording: Recording) -> int:
    def send(message: bytes) -> None:
        recording.note("server", message.partition(b"\r\n\r\n")[2])
        sys.stdout.buffer.write(message)
        sys.stdout.buffer.flush()

    connection = RecordedConnection(send, recording)
    ledger = Ledger.open(home.ledger, on_trouble=lambda message: None)
    outside = Surroundings(home, engine.make, ledger.record, model)
    server = Server(connection, outside, Reporter(connection.notify))
    await serve(connection, sys.stdin.buffer, server.ended)
    await server.close()
    ledger.close()
    return server.exit_code


if __name__ == "__main__":
    script, directory, recorded = (Path(each) for each in sys.argv[1:])
    scripted = FakeEngine(answer_from(json.loads(script.read_text())))
    code = asyncio.run(main(scripted, Home(directory), str(script), Recording(recorded, str(Path.cwd()))))
    os._exit(code)  # the reader of stdin may still hang
