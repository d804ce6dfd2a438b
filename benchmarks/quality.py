"""What workspace context is worth: exact match with the pieces of other files in the prompt, and without.

The cursors are line starts and places in mid-line of projects that are newer than the model; the target is
the rest of the line. Both arms have the same text around the cursor, and the product's own prompt, engine and
trim. Files that resemble another file of their project (more than half of the lines of both) are left out;
cursors whose line stands in another file as well are reported apart.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparison import accuracy
from cursors import PASSED_OVER, cursors, readable
from estimates import spread
from pipe import model_file
from projects import REPORTING, fetch
from report import SCRATCH, Figure, append_row, publish, read_rows
from resumable import options_parser
from rich.console import Console

from learner.declined import Declined
from learner.place import place_at
from learner.privacy import PrivacyFilter
from learner.trim import trim
from lsp_server.context import Context
from lsp_server.documents import Point, Workspace
from models.engine import EngineOptions, Request
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator

    from cursors import Cursor

    from lsp_server.documents import Document
    from models.prompt import Prompt

Row = dict[str, Any]
ROWS = SCRATCH / "quality.jsonl"
NEAR_COPY = 0.5
"""The Jaccard similarity of two files' lines from which one is a near copy of the other."""
USUAL_LINES = (60, 1500)


def main() -> None:
    options = parse()
    if not options.report and not asyncio.run(run(options)):
        sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(ROWS)
    if not rows:
        sys.exit(f"{ROWS} holds no cursors; run without --report first")
    publish("quality", figures_of(rows), summary(rows), options.to)


def parse() -> argparse.Namespace:
    parser = options_parser(__doc__)
    add = parser.add_argument
    add("--cursors", type=int, default=105, help="per project")
    add("--per-file", type=int, default=3)
    add("--max-tokens", type=int, default=64)
    return parser.parse_args()


async def run(options: argparse.Namespace) -> bool:
    """Complete at the cursors that have no row yet; return whether all are done."""
    SCRATCH.mkdir(exist_ok=True)
    done = {(row["file"], row["line"], row["column"]) for row in read_rows(ROWS)}
    deadline = time.monotonic() + 60 * options.minutes
    engine_options = EngineOptions(threads=options.threads)
    engine = ChildEngine(model_file(options.model), engine_options, lambda status: None)
    await engine.start()
    try:
        for project in REPORTING:
            folder = fetch(project)
            async for row in complete_project(folder, engine, options, done):
                append_row(ROWS, row | {"project": project.name})
                if time.monotonic() > deadline:
                    return False
            Console().print(f"{project.name} {project.version}")
    finally:
        await engine.close()
    return True


async def complete_project(
    folder: Path, engine: ChildEngine, options: argparse.Namespace, done: set[tuple[str, int, int]]
) -> AsyncIterator[Row]:
    """Yield a row for each cursor of the project that is not ``done``."""
    lines = lines_of_files(folder)
    files = distinct_files(folder, lines, options.cursors // options.per_file, options.seed)
    workspace = Workspace()
    workspace.add_folder(folder.as_uri())
    privacy = PrivacyFilter(workspace.folders)
    with (
        tempfile.TemporaryDirectory() as indexes,
        closing(Context(workspace, privacy, Path(indexes))) as context,
    ):
        context.use_folders(privacy)
        await context.indexed()
        texts = dict(files)
        for cursor in cursors(files, options.cursors, options.seed):
            if (f"{folder.name}/{cursor.file}", cursor.line, cursor.column) in done:
                continue
            document, point = opened(workspace, folder / cursor.file, texts[cursor.file], cursor)
            await context.refresh(document, point)
            prompt = context.prompt(document, point)
            context.note_close(document)
            yield {
                **asdict(cursor),
                "file": f"{folder.name}/{cursor.file}",
                "peer": await complete(
                    engine, replace(prompt, chunks=()), document, point, options.max_tokens
                ),
                "ours": await complete(engine, prompt, document, point, options.max_tokens),
                "chunks": [chunk.path for chunk in prompt.chunks],
                "line_elsewhere": stands_elsewhere(cursor, texts[cursor.file], lines),
            }


def opened(workspace: Workspace, path: Path, text: str, cursor: Cursor) -> tuple[Document, Point]:
    """Open the file as it is while the cursor's line is being typed: without the target."""
    rows = text.split("\n")
    rows[cursor.line] = rows[cursor.line][: cursor.column]
    document = workspace.open(path.as_uri(), "\n".join(rows), "python", 1)
    return document, Point(cursor.line, cursor.column)


async def complete(
    engine: ChildEngine, prompt: Prompt, document: Document, point: Point, max_tokens: int
) -> Row:
    completion = await engine.complete(Request(prompt, max_tokens=max_tokens))
    assert completion is not None, "nothing else asks this engine"
    candidate = completion.candidates[0]
    place = place_at(document.lines, point.line, point.column, document.language_id)
    text = trim(candidate.text, place, truncated=candidate.stopped_by == "length")
    offered = "" if isinstance(text, Declined) else text
    return {"text": offered, "raw": candidate.text, **asdict(completion.timings)}


def lines_of_files(folder: Path, ending: str = ".py") -> dict[str, frozenset[str]]:
    """Return each file's distinct lines, without indentation and blank ones."""
    return {path.relative_to(folder).as_posix(): _lines(path) for path in sorted(folder.rglob(f"*{ending}"))}


def distinct_files(
    folder: Path, lines: dict[str, frozenset[str]], count: int, seed: int
) -> list[tuple[str, str]]:
    """Return ``count`` files, drawn with ``seed``, that are no near copies of any other."""
    found = []
    for name in _shuffled(lines, seed):
        text = readable(folder / name, USUAL_LINES)
        others = (lines[other] for other in lines if other != name)
        if text and all(_similarity(lines[name], other) <= NEAR_COPY for other in others):
            found.append((name, text))
        if len(found) == count:
            return sorted(found)
    raise SystemExit(f"{folder.name} has only {len(found)} files to draw from, not {count}")


def stands_elsewhere(cursor: Cursor, text: str, lines: dict[str, frozenset[str]]) -> bool:
    line = text.split("\n")[cursor.line].strip()
    return any(line in others for name, others in lines.items() if name != cursor.file)


def figures_of(rows: list[Row]) -> list[Figure]:
    apart = [row for row in rows if row["line_elsewhere"]]
    new = [row for row in rows if not row["line_elsewhere"]]
    arms = "with workspace context minus without"
    return [
        *accuracy(rows, "text", arms, target=0.06),
        *accuracy(new, "text", f"{arms}, lines that stand in no other file", target=0.06),
        *accuracy(apart, "text", f"{arms}, lines that do"),
        *(
            figure
            for project in sorted({row["project"] for row in rows})
            for figure in accuracy(
                [row for row in rows if row["project"] == project], "text", f"{arms}, {project}"
            )
        ),
    ]


def summary(rows: list[Row]) -> Row:
    """Return the sample and the distributions behind the figures."""
    numbers = ("first_token_ms", "total_ms", "prompt_tokens")
    return {
        "projects": [asdict(project) for project in REPORTING],
        "cursors": len(rows),
        "files": len({row["file"] for row in rows}),
        "spread": {
            arm: {name: spread([row[side][name] for row in rows]).as_json() for name in numbers}
            for side, arm in (("ours", "with"), ("peer", "without"))
        },
    }


def _shuffled(names: dict[str, frozenset[str]], seed: int) -> Iterator[str]:
    order = [name for name in sorted(names) if not PASSED_OVER.search(name)]
    random.Random(seed).shuffle(order)
    yield from order


def _lines(path: Path) -> frozenset[str]:
    return frozenset(line.strip() for line in path.read_text("utf-8", "replace").split("\n") if line.strip())


def _similarity(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(1, len(a | b))


if __name__ == "__main__":
    main()
