"""A small model, an HTTP server that delivers it as it is told to, and a watcher that remembers."""

from __future__ import annotations

import hashlib
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from models.catalogue import HubFile, IndexWheels, Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.home import Home

HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
CONTENT = HEADER + bytes(range(256)) * 20_000  # five blocks of the reader
ON_HUB = HubFile("school/tiny", "tiny.gguf")


def tiny(*places: HubFile | IndexWheels, content: bytes = CONTENT) -> Model:
    return Model(
        name="tiny",
        file="tiny.gguf",
        size=len(content),
        licence="MIT",
        fim=False,
        kv_bytes_per_cell=1,
        sources=places,
        sha256=hashlib.sha256(content).hexdigest(),
    )


@dataclass
class Notes:
    """A watcher that remembers."""

    begun: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    def begins(self, source: str) -> None:
        self.begun.append(source)

    def progress(self, received: int) -> None:
        self.received.append(received)

    def verifies(self) -> None: ...

    def passed_over(self, source: str, reason: str) -> None:
        self.passed.append(reason)


class Hub:
    """An HTTP server that answers as ``answer`` says, and keeps each request's Range header."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = serve_ranges
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.ranges.append(self.headers.get("Range"))
                hub.paths.append(self.path)
                hub.answer(self)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def start_of(handler: BaseHTTPRequestHandler) -> int:
    return int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, promised: int | None = None, **headers: str
):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True


def serve_ranges(handler: BaseHTTPRequestHandler) -> None:
    start = start_of(handler)
    if start >= len(CONTENT):
        send(handler, 416, b"", Content_Range=f"bytes */{len(CONTENT)}")
    else:
        send(handler, 206 if start else 200, CONTENT[start:])


def drop_after(size: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Promise everything, send ``size`` bytes, hang up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = start_of(handler)
        rest = CONTENT[start:]
        send(handler, 206 if start else 200, rest[:size], promised=len(rest))

    return answer


def files(place: Home) -> list[str]:
    return sorted(path.name for path in place.models.iterdir())
