"""How much context pays: exact match and edit similarity against prompt tokens and time.

The cursors lie in development projects (never those used for reporting), drawn as ``quality.py`` draws them.
Every budget sees the same cursors, and is compared with the default one. The time is what a place never seen
before costs: one cursor of a file, in an engine that starts anew for each budget. Run that part (``--timed``)
on a machine that does nothing else; the answers do not depend on it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparison import accuracy
from cursors import cursors
from estimates import spread
from pipe import model_file
from projects import DEVELOPMENT, fetch
from quality import complete, distinct_files, lines_of_files, opened
from report import RESULTS, SCRATCH, Figure, append_row, publish, read_rows

from learner.privacy import PrivacyFilter
from learner.window import NEAR, Budget
from lsp_server.context import Context
from lsp_server.documents import Workspace
from models.engine import EngineOptions
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cursors import Cursor

    from lsp_server.documents import Document, Point
    from models.prompt import Prompt

Row = dict[str, Any]
ROWS = SCRATCH / "budgets.jsonl"
TIMES = SCRATCH / "budget-times.jsonl"
DEFAULT = Budget()
PLAIN = replace(DEFAULT, chunks=0, chunk_chars=0)
BUDGETS = {
    "default": DEFAULT,
    "near": NEAR,
    "no pieces": PLAIN,
    "no pieces, half the lines above": replace(PLAIN, prefix_lines=60, prefix_chars=2500),
    "no pieces, twice the lines above": replace(PLAIN, prefix_lines=240, prefix_chars=10_000),
    "no pieces, 10 lines below": replace(PLAIN, suffix_lines=10, suffix_chars=400),
    "2 pieces": replace(DEFAULT, chunks=2, chunk_chars=1600),
    "8 pieces": replace(DEFAULT, chunks=8, chunk_chars=6400),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cursors", type=int, default=30, help="per project")
    add("--threads", type=int, default=2)
    add("--seed", type=int, default=1)
    add("--model", type=Path, metavar="GGUF", help="by default the model in use")
    add("--timed", type=int, default=0, metavar="FILES", help="measure the times instead, in so many files")
    add("--report", action="store_true", help="only print the figures of what was run so far")
    options = parser.parse_args()
    if not options.report:
        asyncio.run(measure_times(options) if options.timed else answer(options))
    rows = read_rows(ROWS)
    if not rows:
        sys.exit(f"{ROWS} holds no cursors; run without --report and --timed first")
    publish("budgets", figures_of(rows), {"budgets": table(rows, read_rows(TIMES))}, RESULTS)


async def answer(options: argparse.Namespace) -> None:
    """Complete at the cursors that have no row yet, under each budget."""
    SCRATCH.mkdir(exist_ok=True)
    done = {(row["file"], row["line"], row["column"]) for row in read_rows(ROWS)}
    engine = engine_of(options)
    await engine.start()
    try:
        with tempfile.TemporaryDirectory() as indexes:
            for folder, cursor, text in places(options):
                if (named(folder, cursor), cursor.line, cursor.column) in done:
                    continue
                answers = {}
                for name, budget in BUDGETS.items():
                    prompt, document, point = await prompt_at(folder, Path(indexes), cursor, text, budget)
                    answers[name] = await complete(engine, prompt, document, point, 64)
                append_row(ROWS, {**asdict(cursor), "file": named(folder, cursor), "answers": answers})
    finally:
        await engine.close()


async def measure_times(options: argparse.Namespace) -> None:
    """Write how long an engine that has seen nothing of a file takes for the line, under each budget."""
    TIMES.unlink(missing_ok=True)
    by_file = {named(*place[:2]): place for place in places(options)}
    chosen = list(by_file.values())[:: max(1, len(by_file) // options.timed)]
    with tempfile.TemporaryDirectory() as indexes:
        for name, budget in BUDGETS.items():
            engine = engine_of(options)
            await engine.start()
            try:
                for folder, cursor, text in chosen:
                    prompt, document, point = await prompt_at(folder, Path(indexes), cursor, text, budget)
                    timings = await complete(engine, prompt, document, point, 64)
                    append_row(TIMES, {"name": name, "file": named(folder, cursor), **timings})
            finally:
                await engine.close()


def engine_of(options: argparse.Namespace) -> ChildEngine:
    return ChildEngine(model_file(options.model), EngineOptions(threads=options.threads), lambda status: None)


def places(options: argparse.Namespace) -> Iterator[tuple[Path, Cursor, str]]:
    """Yield the cursors of the development projects, each with its project's folder and its file's text."""
    for project in DEVELOPMENT:
        folder = fetch(project)
        texts = dict(distinct_files(folder, lines_of_files(folder), options.cursors, options.seed))
        for cursor in cursors(list(texts.items()), options.cursors, options.seed):
            yield folder, cursor, texts[cursor.file]


def named(folder: Path, cursor: Cursor) -> str:
    return f"{folder.name}/{cursor.file}"


async def prompt_at(
    folder: Path, indexes: Path, cursor: Cursor, text: str, budget: Budget
) -> tuple[Prompt, Document, Point]:
    """Return what the model is shown at the cursor under this budget."""
    workspace = Workspace()
    workspace.add_folder(folder.as_uri())
    document, point = opened(workspace, folder / cursor.file, text, cursor)
    privacy = PrivacyFilter(workspace.folders)
    with closing(Context(workspace, privacy, indexes if budget.chunks else None, budget)) as context:
        context.use_folders(privacy, document.path)
        await context.indexed()
        await context.refresh(document, point)
        return context.prompt(document, point), document, point


def figures_of(rows: list[Row]) -> list[Figure]:
    """Compare each budget with the default one at the same cursors."""
    found = []
    for name in BUDGETS:
        if name != "default":
            pairs = [row | {"ours": row["answers"][name], "peer": row["answers"]["default"]} for row in rows]
            found += [
                replace(figure, target="", met=None)
                for figure in accuracy(pairs, "text", f"{name} minus default")
            ]
    return found


def table(rows: list[Row], times: list[Row]) -> list[Row]:
    """Return each budget's share of exact matches, its prompts' tokens and, where measured, its times."""
    return [
        {
            "name": name,
            "budget": asdict(budget),
            "cursors": len(rows),
            "exact_match": sum(is_exact(row, name) for row in rows) / len(rows),
            "prompt_tokens": spread([row["answers"][name]["prompt_tokens"] for row in rows]).as_json(),
            "first_token_ms": spread(milliseconds).as_json() if milliseconds else None,
        }
        for name, budget in BUDGETS.items()
        for milliseconds in [[row["first_token_ms"] for row in times if row["name"] == name]]
    ]


def is_exact(row: Row, name: str) -> bool:
    return row["answers"][name]["text"].rstrip() == row["target"].rstrip()


if __name__ == "__main__":
    main()
