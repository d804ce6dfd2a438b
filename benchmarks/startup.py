"""What the server itself costs: start, memory, idle CPU, and the event loop while somebody types.

All goes through a real server's pipe, but the event loop's blocks: for these the server runs in this
process (with the real engine as its child) and each callback is timed. The engine has found its settings
before, as on a developer's machine from the second start on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from estimates import spread
from pipe import Pipe, fresh_home, model_file, start_server
from report import RESULTS, Figure, at_most, publish

from lsp_server.jsonrpc import Connection
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.checksum import sha256_of
from models.home import Home
from models.supervisor import ChildEngine
from models.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 10_000
KEYS_PER_S = 15
RUNS = 5
TYPED = "result = compute(value_17, other) + 1\n" * 8
TUNED_S = 900
"""The settings are measured while nobody types, in pieces; a busy machine takes its time."""
IDLE_S = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--through", type=int, default=200, help="keys typed through an offer, at least")
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    options = parser.parse_args()
    samples = measure(options.through)
    details = {"spread": {name: spread(values).as_json() for name, values in samples.items()}}
    publish("startup", figures_of(samples), details, options.to)


def measure(through: int) -> dict[str, list[float]]:
    """Return each figure's sample, in its own unit."""
    with tempfile.TemporaryDirectory() as folder, fresh_home() as home:
        project = Path(folder)
        tune(home, project)
        samples = {
            "initialize_s": [time_initialize(home, project) for _ in range(RUNS)],
            "first_ghost_text_s": [time_first_ghost_text(home, project) for _ in range(RUNS)],
            "loop_block_ms": loop_blocks(home, project),
        }
        pipe = start_server(home, {"debounce": 0}, project)
        try:
            samples["type_through_ms"] = type_through(pipe, project, through)
            time.sleep(10)
            samples["idle_cpu_percent"] = [cpu_share(pipe, IDLE_S)]
            samples["server_memory_mb"] = [pipe.family()[0].memory_info().rss / 1e6]
        finally:
            pipe.close()
    return samples


def figures_of(samples: dict[str, list[float]]) -> list[Figure]:
    of = {name: spread(values) for name, values in samples.items()}
    count = {name: f"n = {each.count}" for name, each in of.items()}
    idle = of["idle_cpu_percent"].median
    return [
        at_most("initialize answered, median, s", of["initialize_s"].median, 0.4, count["initialize_s"]),
        at_most(
            "first ghost text, model in the page cache, median, s",
            of["first_ghost_text_s"].median,
            3,
            count["first_ghost_text_s"],
        ),
        at_most(
            f"event loop blocked per key at {KEYS_PER_S} keys/s in {LINES} lines, p99, ms",
            of["loop_block_ms"].p99,
            10,
            count["loop_block_ms"],
        ),
        at_most(
            "typing what the ghost text says, p95, ms",
            of["type_through_ms"].p95,
            3,
            count["type_through_ms"],
        ),
        at_most("server process, MB", of["server_memory_mb"].median, 120),
        Figure(
            "idle CPU of server and engine, % of a core",
            idle,
            "0",
            idle == 0,
            f"over {IDLE_S} s",
        ),
    ]


def tune(home: Path, project: Path) -> None:
    """Let the engine measure what it has not yet, so that no figure has that in it."""
    tuning = Home(home).tuning
    deadline = time.monotonic() + TUNED_S
    # The settings first, and with those that have won, at the next start, what batches take.
    while not is_tuned(tuning):
        pipe = start_server(home, {"debounce": 0}, project)
        try:
            ask(pipe, open_document(pipe, project / "tuned.py", "x = \n"), 0, 4)
            before = tuning.stat().st_mtime_ns if tuning.exists() else 0
            while not tuning.exists() or tuning.stat().st_mtime_ns == before:
                if time.monotonic() > deadline:
                    raise SystemExit(f"the engine's settings were not found within {TUNED_S} s")
                time.sleep(1)
        finally:
            pipe.close()


def is_tuned(tuning: Path) -> bool:
    """Whether an engine that starts now has nothing left to measure."""
    model = sha256_of(model_file(None))
    kept = Tuning(tuning)
    settings = kept.known(model)
    return settings is not None and bool(kept.batch_seconds(model, f"{settings}, 0 layers on a GPU"))


def time_initialize(home: Path, project: Path) -> float:
    """Return the seconds from the process's start to the answer."""
    started = time.perf_counter()
    pipe = start_server(home, {"enabled": False}, project)
    seconds = time.perf_counter() - started
    pipe.close()
    return seconds


def time_first_ghost_text(home: Path, project: Path) -> float:
    """Return the seconds from the process's start to ghost text."""
    started = time.perf_counter()
    pipe = start_server(home, {"debounce": 0}, project)
    source = "def fib(n):\n    if n < 2:\n        return n\n    return \n"
    uri = open_document(pipe, project / "first.py", source)
    items = ask(pipe, uri, 3, 11)
    seconds = time.perf_counter() - started
    pipe.close()
    if not items:
        raise SystemExit("no ghost text came")
    return seconds


def loop_blocks(home: Path, project: Path) -> list[float]:
    """Type at 15 keys a second into a long file, asking at each; return each key's longest block in ms."""
    return asyncio.run(_loop_blocks(Home(home), project))


async def _loop_blocks(home: Home, project: Path) -> list[float]:
    connection = Connection(lambda message: None)
    outside = Surroundings(home, ChildEngine, lambda fact: None)
    server = Server(connection, outside, Reporter(connection.notify))
    send = Sender(connection)
    folder = {"uri": project.as_uri(), "name": project.name}
    send.request("initialize", {"capabilities": {}, "workspaceFolders": [folder]})
    uri = (project / "long.py").as_uri()
    source = "".join(f"value_{number} = compute({number}, 'text')\n" for number in range(LINES))
    item = {"uri": uri, "languageId": "python", "version": 1, "text": source}
    send.notify("textDocument/didOpen", {"textDocument": item})
    await asyncio.sleep(10)  # the engine is ready and the workspace indexed
    blocks, line, column = [], LINES // 2, 0
    with timed_callbacks() as callbacks:
        for key in TYPED:
            callbacks.clear()
            send.notify("textDocument/didChange", insertion(uri, line, column, key))
            line, column = (line + 1, 0) if key == "\n" else (line, column + 1)
            send.request("textDocument/inlineCompletion", completion_params(uri, line, column))
            await asyncio.sleep(1 / KEYS_PER_S)
            blocks.append(1000 * max(callbacks))
    await server.close()
    return blocks


class Sender:
    """Puts messages where the thread that reads stdin would."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0

    def request(self, method: str, params: object) -> None:
        self._number += 1
        self._receive({"id": self._number, "method": method, "params": params})

    def notify(self, method: str, params: object) -> None:
        self._receive({"method": method, "params": params})

    def _receive(self, message: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(self._connection.receive, json.dumps(message).encode())


@contextmanager
def timed_callbacks() -> Iterator[list[float]]:
    """Collect the seconds that each of the event loop's callbacks takes; nothing else runs meanwhile."""
    seconds: list[float] = []
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        started = time.perf_counter()
        run(handle)
        seconds.append(time.perf_counter() - started)

    with mock.patch.object(asyncio.events.Handle, "_run", timed):
        yield seconds


def type_through(pipe: Pipe, project: Path, keys: int) -> list[float]:
    """Type what ghost texts say; return the milliseconds until the rest of each was offered again."""
    times: list[float] = []
    for number in count():
        if len(times) >= keys:
            return times
        if number > keys:
            raise SystemExit(f"only {len(times)} keys could be typed through")
        source = f"prices_{number} = [3, 4]\n# The sum of prices_{number} without its first item.\nprint()\n"
        uri = open_document(pipe, project / f"through_{number}.py", source)
        items = ask(pipe, uri, 2, 6)
        rest = items[0]["insertText"].split("\n")[0] if items else ""
        for position, key in enumerate(rest[:-1]):
            pipe.notify("textDocument/didChange", insertion(uri, 2, 6 + position, key))
            started = time.perf_counter()
            again = ask(pipe, uri, 2, 7 + position)
            if again and again[0]["insertText"].split("\n")[0] == rest[position + 1 :]:
                times.append(1000 * (time.perf_counter() - started))
    raise AssertionError("count() does not end")


def cpu_share(pipe: Pipe, seconds: float) -> float:
    """Return the CPU time of the server and its engine, in percent of one core."""
    before = sum(sum(process.cpu_times()[:2]) for process in pipe.family())
    time.sleep(seconds)
    after = sum(sum(process.cpu_times()[:2]) for process in pipe.family())
    return 100 * (after - before) / seconds


def open_document(pipe: Pipe, path: Path, text: str) -> str:
    item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
    pipe.notify("textDocument/didOpen", {"textDocument": item})
    return path.as_uri()


def insertion(uri: str, line: int, character: int, text: str) -> dict[str, Any]:
    place = {"line": line, "character": character}
    change = {"range": {"start": place, "end": place}, "text": text}
    return {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}


def completion_params(uri: str, line: int, character: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    }


def ask(pipe: Pipe, uri: str, line: int, character: int) -> list[dict[str, Any]]:
    return pipe.request("textDocument/inlineCompletion", completion_params(uri, line, character))


if __name__ == "__main__":
    main()
