"""What context costs: indexing a workspace of 2,000 files, searching it, and building a prompt per keystroke.

    python benchmarks/index.py [FOLDER]

copies the first 2,000 Python files below FOLDER (default: the installed packages) to a fresh workspace,
indexes it while an event loop runs beside, and writes results/index.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path

from learner.privacy import PrivacyFilter
from lsp_server.context import Context
from lsp_server.documents import Point, Workspace

RESULTS = Path(__file__).parent / "results" / "index.json"
FILES = 2000
KEYSTROKES = 300
TARGET_S = 10


def lay_out(source: Path, root: Path) -> int:
    """Copy files of a usual size; return their bytes."""
    files = sorted(path for path in source.rglob("*.py") if 500 < path.stat().st_size < 200_000)[:FILES]
    for file in files:
        copy = root / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return sum(file.stat().st_size for file in files)


def long_text(root: Path) -> str:
    """Return 10,000 lines of real code."""
    text = "".join(file.read_text("utf-8", "replace") for file in sorted(root.rglob("*.py"))[:100])
    return "".join(text.splitlines(keepends=True)[:10_000])


async def longest_block_ms(done: asyncio.Event) -> float:
    """Return the longest time that the event loop was late by until ``done``."""
    longest = 0.0
    while not done.is_set():
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - started - 0.001)
    return longest * 1000


async def index(context: Context, privacy: PrivacyFilter) -> dict[str, float]:
    done = asyncio.Event()
    watcher = asyncio.create_task(longest_block_ms(done))
    started, busy = time.perf_counter(), time.process_time()
    context.use_folders(privacy)
    await context.indexed()
    seconds, processor = time.perf_counter() - started, time.process_time() - busy
    done.set()
    return {"usable_s": seconds, "processor_s": processor, "loop_block_ms": await watcher}


async def keystrokes(context: Context, workspace: Workspace, root: Path, text: str) -> dict[str, float]:
    """Type in the middle of a file of 10,000 lines; refresh at a new place now and then."""
    document = workspace.open((root / "typed.py").as_uri(), text, "python", 1)
    prompts, refreshes = [], []
    for number in range(KEYSTROKES):
        row = 5000 + 50 * (number // 30)
        point = Point(row, number % 30)
        context.note_edit(document, document.replace(point, point, "x"))
        started = time.perf_counter()
        context.prompt(document, Point(row, point.column + 1))
        prompts.append(1000 * (time.perf_counter() - started))
        if number % 30 == 29:
            started = time.perf_counter()
            await context.refresh(document, point)
            refreshes.append(1000 * (time.perf_counter() - started))
    return {
        "prompt_median_ms": statistics.median(prompts),
        "prompt_p99_ms": statistics.quantiles(prompts, n=100)[98],
        "prompt_worst_ms": max(prompts),
        "refresh_median_ms": statistics.median(refreshes),
        "refresh_worst_ms": max(refreshes),
    }


async def measure(source: Path, scratch: Path) -> dict[str, object]:
    root = scratch / "workspace"
    size = lay_out(source, root)
    workspace = Workspace()
    workspace.add_folder(root.as_uri())
    privacy = PrivacyFilter([root])
    results: dict[str, object] = {"files": FILES, "bytes": size, "target_usable_s": TARGET_S}
    context = Context(workspace, privacy, scratch / "indexes")
    results["first"] = await index(context, privacy)
    results["database_bytes"] = sum(file.stat().st_size for file in (scratch / "indexes").iterdir())
    results["typing"] = await keystrokes(context, workspace, root, long_text(root))
    await asyncio.to_thread(context.close)
    again = Context(workspace, privacy, scratch / "indexes")
    results["unchanged"] = await index(again, privacy)
    await asyncio.to_thread(again.close)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(sysconfig.get_paths()["purelib"]))
    with tempfile.TemporaryDirectory() as scratch:
        results = asyncio.run(measure(parser.parse_args().folder, Path(scratch).resolve()))
    report = {"command": "python benchmarks/index.py", "processors": os.cpu_count()} | results
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
