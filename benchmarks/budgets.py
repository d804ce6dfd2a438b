"""How much context pays: exact match, edit similarity, prompt tokens and time under several budgets.

The cursors lie in development projects (never those used for reporting): real lines whose end is taken away,
half of them from the line's first word on, half from within. Every budget sees the same cursors. Work is cut
into short runs, each of which appends to a file of measurements:

    python benchmarks/budgets.py measure PROJECT... --first 0 --count 4     # repeat with the next cursors
    python benchmarks/budgets.py table                                      # writes results/budgets.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import difflib
import json
import random
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from learner.privacy import PrivacyFilter
from lsp_server.context import Budget, Context
from lsp_server.documents import Document, Point, Workspace
from lsp_server.place import place_at
from lsp_server.trim import trim
from models.choice import model_path
from models.engine import EngineOptions, EngineState, Request
from models.home import Home
from models.supervisor import ChildEngine

RESULTS = Path(__file__).parent / "results" / "budgets.json"
MEASUREMENTS = Path(__file__).parent.parent / ".bench" / "budgets.jsonl"

PLAIN = Budget(prefix_lines=60, prefix_chars=2500, suffix_lines=20, suffix_chars=800, chunks=0, chunk_chars=0)


def _with(budget: Budget, **changes: int) -> Budget:
    return Budget(**asdict(budget) | changes)


BUDGETS = {
    "60 before, 20 after": PLAIN,
    "120 before, 20 after": _with(PLAIN, prefix_lines=120, prefix_chars=5000),
    "60 before, 5 after": _with(PLAIN, suffix_lines=5, suffix_chars=200),
    "60 before, 60 after": _with(PLAIN, suffix_lines=60, suffix_chars=2400),
    "60 before, 20 after, 2 pieces": _with(PLAIN, chunks=2, chunk_chars=1600),
    "60 before, 20 after, 4 pieces": _with(PLAIN, chunks=4, chunk_chars=3200),
}


@dataclass(frozen=True)
class Cursor:
    file: Path
    line: int
    column: int


def cursors(project: Path, count: int, seed: int = 7) -> list[Cursor]:
    """Return ``count`` cursors of a project, at most one per file, at words' starts."""
    chooser = random.Random(seed)
    files = sorted(path for path in project.rglob("*.py") if 4_000 <= path.stat().st_size <= 60_000)
    chooser.shuffle(files)
    chosen: list[Cursor] = []
    for file in files:
        if len(chosen) == count:
            break
        lines = file.read_text("utf-8").split("\n")
        able = [row for row, line in enumerate(lines) if row > 10 and _is_code(line)]
        if not able:
            continue
        row = chooser.choice(able)
        starts = [found.start() for found in re.finditer(r"\b\w", lines[row])]
        inner = [start for start in starts[1:] if start < len(lines[row]) - 2]
        within = len(chosen) % 2 and inner
        chosen.append(Cursor(file, row, chooser.choice(inner) if within else starts[0]))
    return chosen


def _is_code(line: str) -> bool:
    text = line.strip()
    return len(text) >= 8 and text[0].isalpha() and ("(" in text or "=" in text or "." in text)


async def measure(projects: list[Path], first: int, count: int, threads: int) -> None:
    """Complete at the cursors ``first`` to ``first + count`` of each project under every budget."""
    ready = asyncio.Event()
    options = EngineOptions(threads=threads)
    engine = ChildEngine(model_path(Home.find()), options, lambda s: _on_status(s.state, ready))
    await engine.start()
    await ready.wait()
    with contextlib.ExitStack() as stack:
        for project in projects:
            indexes = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for number, cursor in enumerate(cursors(project, first + count)[first:], start=first):
                for name, budget in BUDGETS.items():
                    row = await _complete(engine, project, indexes, cursor, budget)
                    _append(row | {"project": project.name, "cursor": number, "budget": name})
    await engine.close()


def _on_status(state: EngineState, ready: asyncio.Event) -> None:
    if state in (EngineState.READY, EngineState.FAILED):
        ready.set()


async def _complete(
    engine: ChildEngine, project: Path, indexes: Path, cursor: Cursor, budget: Budget
) -> dict[str, object]:
    lines = cursor.file.read_text("utf-8").split("\n")
    expected = lines[cursor.line][cursor.column :].rstrip()
    lines[cursor.line] = lines[cursor.line][: cursor.column]
    workspace = Workspace()
    workspace.add_folder(project.as_uri())
    document = workspace.open(cursor.file.as_uri(), "\n".join(lines), "python", 1)
    point = Point(cursor.line, cursor.column)
    prompt = await _prompt(workspace, document, point, indexes, budget)
    started = time.perf_counter()
    completion = await engine.complete(Request(prompt=prompt))
    assert completion is not None
    raw = completion.candidates[0].text if completion.candidates else ""
    offered = trim(raw, place_at(document, point))
    return {
        "expected": expected,
        "raw": raw,
        "offered": str(offered),
        "exact": offered == expected,
        "similarity": difflib.SequenceMatcher(None, str(offered), expected, autojunk=False).ratio(),
        "seconds": time.perf_counter() - started,
        "first_token_ms": completion.timings.first_token_ms,
        "prompt_tokens": completion.timings.prompt_tokens,
        "pieces": [chunk.path for chunk in prompt.chunks],
    }


async def _prompt(workspace: Workspace, document: Document, point: Point, indexes: Path, budget: Budget):
    privacy = PrivacyFilter(workspace.folders)
    context = Context(workspace, privacy, indexes if budget.chunks else None, budget)
    context.use_folders(privacy, document.path)
    await context.indexed()
    await context.refresh(document, point)
    prompt = context.prompt(document, point)
    context.close()
    return prompt


def _append(row: dict[str, object]) -> None:
    MEASUREMENTS.parent.mkdir(exist_ok=True)
    with MEASUREMENTS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def table() -> list[dict[str, object]]:
    """Sum up the cursors that every budget has completed, one row per budget."""
    rows = [json.loads(line) for line in MEASUREMENTS.read_text().splitlines()]
    by_key = {(row["budget"], row["project"], row["cursor"]): row for row in rows}
    places = {key[1:] for key in by_key}
    shared = [place for place in sorted(places) if all((name, *place) in by_key for name in BUDGETS)]
    result = []
    for name, budget in BUDGETS.items():
        ours = [by_key[(name, *place)] for place in shared]
        result.append({"name": name, "budget": asdict(budget), "cursors": len(ours)} | _means(ours))
    return result


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    keys = ("exact", "similarity", "prompt_tokens", "seconds", "first_token_ms")
    return {key: round(sum(row[key] for row in rows) / max(1, len(rows)), 3) for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("measure")
    run.add_argument("projects", type=Path, nargs="+")
    run.add_argument("--first", type=int, default=0)
    run.add_argument("--count", type=int, default=4)
    run.add_argument("--threads", type=int, default=2, help="one where other work runs beside")
    commands.add_parser("table")
    options = parser.parse_args()
    if options.command == "measure":
        projects = [path.resolve() for path in options.projects]
        asyncio.run(measure(projects, options.first, options.count, options.threads))
        return
    found = table()
    RESULTS.write_text(json.dumps({"command": "benchmarks/budgets.py", "rows": found}, indent=1) + "\n")
    for row in found:
        print({key: value for key, value in row.items() if key != "budget"})


if __name__ == "__main__":
    main()
