"""What the server itself costs: start, memory, idle CPU, and the event loop while somebody types.

Run with ``python benchmarks/startup.py``; prints each figure beside its target and writes
``benchmarks/results/startup.json``. All goes through a real server's pipe, but the event loop's blocks: for
these the server runs in this process (with the real engine as its child) and each callback is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipe import Pipe, fresh_home, start_server

from lsp_server.jsonrpc import Connection
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.home import Home
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results" / "startup.json"
LINES = 10_000
KEYS_PER_S = 15
RUNS = 5
TYPED = "result = compute(value_17, other) + 1\n" * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")
    arguments = parser.parse_args()
    figures = measure()
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:32} {figure['value']:10.3f} {figure['unit']:4} target {figure['target']}")


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, fresh_home() as home:
        project = Path(folder)
        initialize = [time_initialize(home, project) for _ in range(RUNS)]
        first = time_first_ghost_text(home, project)
        typing = loop_blocks(home, project)
        pipe = start_server(home, {"debounce": 0}, project)
        try:
            through = type_through(pipe, project)
            time.sleep(10)
            idle = cpu_share(pipe, 20)
            memory = pipe.family()[0].memory_info().rss
        finally:
            pipe.close()
    return {
        "initialize_s": figure(median(initialize), "s", "<= 0.4"),
        "first_ghost_text_s": figure(first, "s", "<= 3"),
        "loop_block_p99_ms": figure(percentile(typing, 99), "ms", "<= 10"),
        "type_through_p95_ms": figure(percentile(through, 95), "ms", "<= 3"),
        "server_memory_mb": figure(memory / 1e6, "MB", "<= 120"),
        "idle_cpu_percent": figure(idle, "%", "0"),
    }


def figure(value: float, unit: str, target: str) -> dict[str, Any]:
    return {"value": round(value, 3), "unit": unit, "target": target}


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def time_initialize(home: Path, project: Path) -> float:
    """Return the seconds from the process's start to the answer."""
    started = time.perf_counter()
    pipe = start_server(home, {"enabled": False}, project)
    seconds = time.perf_counter() - started
    pipe.close()
    return seconds


def time_first_ghost_text(home: Path, project: Path) -> float:
    """Return the seconds from the process's start to ghost text; an earlier run has tuned the engine."""
    seconds = 0.0
    for measured in (False, True):
        started = time.perf_counter()
        pipe = start_server(home, {"debounce": 0}, project)
        source = "def fib(n):\n    if n < 2:\n        return n\n    return \n"
        uri = open_document(pipe, project / "first.py", source)
        items = ask(pipe, uri, 3, 11)
        seconds = time.perf_counter() - started
        pipe.close()
        if measured and not items:
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


def type_through(pipe: Pipe, project: Path) -> list[float]:
    """Type what ghost texts say; return the milliseconds until the rest of each was offered again."""
    times = []
    for number in range(12):
        source = (
            f"def total_{number}(items):\n    sum = 0\n    for x in items:\n        sum += x\n    return \n"
        )
        uri = open_document(pipe, project / f"through_{number}.py", source)
        items = ask(pipe, uri, 4, 11)
        rest = items[0]["insertText"] if items else ""
        for position, key in enumerate(rest.split("\n")[0][:-1]):
            pipe.notify("textDocument/didChange", insertion(uri, 4, 11 + position, key))
            started = time.perf_counter()
            again = ask(pipe, uri, 4, 12 + position)
            if again and again[0]["insertText"] == rest[position + 1 :]:
                times.append(1000 * (time.perf_counter() - started))
    if not times:
        raise SystemExit("no ghost text could be typed through")
    return times


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
