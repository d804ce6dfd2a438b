"""The process around the server: the client's pipes, the log, and an end that nothing delays."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from learner.ledger import Ledger
from lsp_server.jsonrpc import Connection, serve
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.home import Home, private_directory, private_opener
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

CLOSE_S, GONE_S = 1.2, 1.9
"""A client that has gone waits for nothing: all is closed within two seconds, and what the rest leaves of
them belongs to the ledger, whose last facts come as the documents close."""


def main(model: str | None, log_file: Path | None) -> None:
    """Serve the client on stdin and stdout until it leaves; does not return."""
    home = Home.find()
    private_directory(home.root)
    _log_to(log_file or home.log)
    code = asyncio.run(_serve(home, model, *_claim_stdio()))
    logging.shutdown()
    # A thread that hangs (the reader of stdin, a stat of a dead network drive) must not keep the process.
    os._exit(code)


async def _serve(home: Home, model: str | None, stdin: BinaryIO, stdout: int) -> int:
    loop = asyncio.get_running_loop()
    connection = Connection(lambda message: _write_all(stdout, message))
    reporter = Reporter(connection.notify)

    def on_trouble(message: str) -> None:
        loop.call_soon_threadsafe(reporter.warn, message, message)

    ledger = Ledger.open(home.ledger, on_trouble=on_trouble)
    outside = Surroundings(home, ChildEngine, ledger.record, model, use_privacy=ledger.use_privacy)
    server = Server(connection, outside, reporter)
    with suppress(NotImplementedError, AttributeError):  # Windows has no such signals to handle
        # An editor without patience terminates its servers, or hangs up: the record is still to be written.
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, server.ended.set)
    try:
        await serve(connection, stdin, server.ended)
    finally:
        leave_at = loop.time() + GONE_S
        with suppress(TimeoutError):
            await asyncio.wait_for(server.close(), CLOSE_S)
        await asyncio.to_thread(ledger.close, leave_at - loop.time())
    return server.exit_code


def _claim_stdio() -> tuple[BinaryIO, int]:
    """Return the client's two ends; whatever else prints or reads cannot get between them."""
    stdin, stdout = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return os.fdopen(stdin, "rb"), stdout


def _write_all(descriptor: int, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _log_to(path: Path) -> None:
    """Log to ``path``, readable by its owner alone, in at most three files of a megabyte."""
    private_directory(path.parent)
    handler = PrivateFileHandler(path, maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class PrivateFileHandler(RotatingFileHandler):
    """Creates its files with mode 0600."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(FileIO(self.baseFilename, self.mode, opener=private_opener), self.encoding)
