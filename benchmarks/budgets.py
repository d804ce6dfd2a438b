"""How much context pays: exact match and edit similarity against prompt tokens and time.

The cursors lie in development projects (never those used for reporting), drawn as ``quality.py`` draws them.
Every budget sees the same cursors, and is compared with the default one. A place is evaluated from an empty
cache, so the time is what a place never seen before costs; while one types, the default window is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
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
    from cursors import Cursor

Row = dict[str, Any]
ROWS = SCRATCH / "budgets.jsonl"
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
    add("--report", action="store_true", help="only print the figures of what was run so far")
    options = parser.parse_args()
    if not options.report:
        asyncio.run(run(options))
    rows = read_rows(ROWS)
    if not rows:
        sys.exit(f"{ROWS} holds no cursors; run without --report first")
    publish("budgets", figures_of(rows), {"budgets": table(rows)}, RESULTS)


async def run(options: argparse.Namespace) -> None:
    """Complete at the cursors that have no row yet."""
    SCRATCH.mkdir(exist_ok=True)
    done = {(row["file"], row["line"], row["column"]) for row in read_rows(ROWS)}
    engine = ChildEngine(
        model_file(options.model), EngineOptions(threads=options.threads), lambda status: None
    )
    await engine.start()
    try:
        for project in DEVELOPMENT:
            folder = fetch(project)
            texts = dict(distinct_files(folder, lines_of_files(folder), options.cursors, options.seed))
            with tempfile.TemporaryDirectory() as indexes:
                for cursor in cursors(list(texts.items()), options.cursors, options.seed):
                    if (f"{folder.name}/{cursor.file}", cursor.line, cursor.column) not in done:
                        row = await measure(folder, Path(indexes), cursor, texts[cursor.file], engine)
                        append_row(ROWS, row)
    finally:
        await engine.close()


async def measure(folder: Path, indexes: Path, cursor: Cursor, text: str, engine: ChildEngine) -> Row:
    """Return the cursor's row: what is offered under each budget."""
    answers = {}
    for name, budget in BUDGETS.items():
        workspace = Workspace()
        workspace.add_folder(folder.as_uri())
        document, point = opened(workspace, folder / cursor.file, text, cursor)
        privacy = PrivacyFilter(workspace.folders)
        with closing(Context(workspace, privacy, indexes if budget.chunks else None, budget)) as context:
            context.use_folders(privacy, document.path)
            await context.indexed()
            await context.refresh(document, point)
            prompt = context.prompt(document, point)
        began = time.perf_counter()
        answers[name] = await complete(engine, prompt, document, point, 64)
        answers[name]["seconds"] = time.perf_counter() - began
    return {**asdict(cursor), "file": f"{folder.name}/{cursor.file}", "answers": answers}


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


def table(rows: list[Row]) -> list[Row]:
    """Return each budget's share of exact matches, its prompts' tokens and its time from an empty cache."""
    return [
        {
            "name": name,
            "budget": asdict(budget),
            "cursors": len(rows),
            "exact_match": sum(is_exact(row, name) for row in rows) / len(rows),
            "prompt_tokens": spread([row["answers"][name]["prompt_tokens"] for row in rows]).as_json(),
            "seconds": spread([row["answers"][name]["seconds"] for row in rows]).as_json(),
        }
        for name, budget in BUDGETS.items()
    ]


def is_exact(row: Row, name: str) -> bool:
    return row["answers"][name]["text"].rstrip() == row["target"].rstrip()


if __name__ == "__main__":
    main()
