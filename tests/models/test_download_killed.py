"""A killed ``nightschool model get``, and the run that follows it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 30_000_000


class HoldingHub(ThreadingHTTPServer):
    """Sends the first thirty megabytes to the first request, then holds it; serves the others whole."""

    daemon_threads = True

    def __init__(self, file: Path) -> None:
        self.file = file
        self.starts: list[int] = []
        self.sent, self.released = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: HoldingHub  # pyright: ignore[reportIncompatibleVariableOverride] - the only server it is used with

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(start)
        size = self.server.file.stat().st_size
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        with self.server.file.open("rb") as file:
            file.seek(start)
            if len(self.server.starts) == 1:
                self.wfile.write(file.read(FIRST))
                self.server.sent.set()
                self.server.released.wait(60)
            else:
                self.wfile.write(file.read())

    def log_message(self, format: str, *args: object) -> None: ...


def test_the_next_run_goes_on_where_a_killed_one_stopped(smollm, tmp_path):
    hub = HoldingHub(smollm)
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    command = [
        sys.executable,
        "-c",
        "from lsp_server.cli import main; main()",
        "model",
        "get",
        "smollm2-135m",
    ]
    environment = os.environ | {"HF_ENDPOINT": endpoint, "NIGHTSCHOOL_HOME": str(tmp_path / "home")}

    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    assert hub.sent.wait(60)
    first.kill()
    first.wait()
    hub.released.set()
    directory = tmp_path / "home" / "models"
    assert [path.name for path in directory.iterdir()] == [f"{smollm.name}.hub.part"]

    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert second.returncode == 0, second.stderr
    assert second.stdout == f"smollm2-135m is here: {directory / smollm.name}\n"
    assert hub.starts[0] == 0
    # What the first run had not yet taken from its connection is fetched again: some megabytes at most.
    assert FIRST - 12_000_000 < hub.starts[1] <= FIRST
    assert (directory / smollm.name).stat().st_size == smollm.stat().st_size
    hub.shutdown()
    hub.server_close()
