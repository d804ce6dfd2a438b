"""What the primer is worth: the model with it and without it at the same cursors.

The cursors are line starts and places in mid-line of projects that are newer than the model and that the
primer was not trained on; the target is the rest of the line. Both arms complete one line from the same
evaluated prompt, in the product's engine and with its trim. The prompt is the short one that is served first
at any place: with the full one, a thousand cursors would take a day on two cores.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import projects
from comparison import accuracy
from cursors import cursors
from estimates import mean_difference, paired
from pipe import model_file
from quality import distinct_files, lines_of_files, stands_elsewhere
from report import SCRATCH, Figure, append_row, at_least, at_most, publish, read_rows
from resumable import options_parser
from rich.console import Console

from learner.declined import Declined
from learner.distance import kept_chars
from learner.night.primer.archives import read_members
from learner.night.primer.fetch import Fetcher, code_archive
from learner.night.primer.projects import Part, Project, Registry
from learner.place import place_at, split_lines
from learner.privacy import PrivacyFilter
from learner.trim import trim
from learner.window import NEAR, cursor_prompt, first_line
from models.checksum import sha256_of
from models.engine import EngineOptions, Purpose, Request
from models.line_end import End
from models.primers import primer_path
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    import numpy as np
    from cursors import Cursor
    from numpy.typing import NDArray

    from models.prompt import Prompt

Row = dict[str, Any]
COMMENTS = ("//", "/*", "*", "#")


@dataclass(frozen=True)
class HeldOut:
    """A project that no primer may be trained on."""

    name: str
    language: str
    ending: str
    folder: Path
    first_release: str
    files: int
    """How many are drawn from."""


OTHERS = (
    (
        Project(
            "@tanstack/ai",
            "0.58.0",
            Registry.NPM,
            "typescript",
            "MIT",
            Part.VALIDATION,
            "e1000838976f492d6d89b91ecc41a3230e8e7dee21960dc36e0b4c938110c1dc",
        ),
        ".ts",
        "2026-03-22",
        30,
    ),
    (
        Project(
            "librust-jiff-dev",
            "0.1.28-1",
            Registry.DEBIAN,
            "rust",
            "Unlicense or MIT",
            Part.VALIDATION,
            "126153dbc8d7e60bcedc12bcb637d2ccd370e7260843e671779189c762fb5444",
        ),
        ".rs",
        "2024-07-22",
        37,
    ),
)
"""Projects in other languages: what their files end with, the days of their first releases, how many files
are drawn (they have no more that are no near copies)."""
FILES = 44


def main() -> None:
    options = parse()
    model = model_file(options.model)
    primer = options.primer or primer_path(sha256_of(model))
    if primer is None or not primer.is_file():
        sys.exit(f"no primer ships for {model.name}; name one with --primer")
    rows_file = SCRATCH / f"primer-{digest(primer)[:12]}.jsonl"
    if not options.report and not asyncio.run(run(options, model, primer, rows_file)):
        sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(rows_file)
    if not rows:
        sys.exit(f"{rows_file} holds no cursors; run without --report first")
    publish(options.name, figures_of(rows), summary(rows, primer), options.to)


def digest(primer: Path) -> str:
    """Return the file's SHA-256; models.checksum would keep its answer beside the file."""
    return hashlib.sha256(primer.read_bytes()).hexdigest()


def parse() -> argparse.Namespace:
    parser = options_parser(__doc__, seed=2)
    add = parser.add_argument
    add("--primer", type=Path, metavar="GGUF", help="by default the one that ships for the model")
    add("--cursors", type=int, default=220, help="per project")
    add("--max-tokens", type=int, default=64)
    add("--name", default="primer", help="what the result is called")
    return parser.parse_args()


def held_out() -> list[HeldOut]:
    """Return the projects, fetched and unpacked where they are missing."""
    python = [
        HeldOut(project.name, "python", ".py", projects.fetch(project), project.first_upload, FILES)
        for project in projects.REPORTING
    ]
    others = [
        HeldOut(project.name, project.language, ending, unpacked(project, ending), day, files)
        for project, ending, day, files in OTHERS
    ]
    return python + others


def unpacked(project: Project, ending: str) -> Path:
    """Return the folder with the project's files of one language."""
    folder = SCRATCH / "projects" / f"{project.name.replace('/', '__')}-{project.version}"
    if not folder.is_dir():
        archive = code_archive(Fetcher(SCRATCH / "primer" / "held-out").fetch(project))
        part = folder.with_name(f"{folder.name}.part")
        for name, content in read_members(archive, lambda name, _: name.endswith(ending)):
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        part.rename(folder)
    return folder


async def run(options: argparse.Namespace, model: Path, primer: Path, rows_file: Path) -> bool:
    """Complete at the cursors that have no row yet; return whether all are done."""
    done = {(row["file"], row["line"], row["column"]) for row in read_rows(rows_file)}
    deadline = time.monotonic() + 60 * options.minutes
    engine = ChildEngine(model, EngineOptions(threads=options.threads), lambda status: None)
    await engine.start()
    try:
        for project in held_out():
            async for row in complete_project(project, engine, primer, options, done):
                append_row(rows_file, row)
                if time.monotonic() > deadline:
                    return False
            Console().print(project.name)
    finally:
        await engine.close()
    return True


async def complete_project(
    project: HeldOut,
    engine: ChildEngine,
    primer: Path,
    options: argparse.Namespace,
    done: set[tuple[str, int, int]],
) -> AsyncIterator[Row]:
    """Yield a row for each cursor of the project that is not ``done``."""
    lines = lines_of_files(project.folder, project.ending)
    files = distinct_files(project.folder, lines, project.files, options.seed)
    texts = dict(files)
    privacy = PrivacyFilter([])
    for cursor in cursors(files, options.cursors, options.seed):
        text = texts[cursor.file]
        file = f"{project.folder.name}/{cursor.file}"
        is_comment = text.split("\n")[cursor.line].lstrip().startswith(COMMENTS)
        if is_comment or (file, cursor.line, cursor.column) in done:
            continue
        rows = split_lines(text)
        rows[cursor.line] = rows[cursor.line][: cursor.column] + "\n"
        prompt = cursor_prompt(
            rows,
            cursor.line,
            cursor.column,
            first_line(rows, cursor.line, NEAR, share=0.5),
            NEAR,
            privacy,
            path=cursor.file,
            repository=project.name,
        )
        await engine.complete(Request(prompt, Purpose.WARM))
        yield {
            **asdict(cursor),
            "file": file,
            "project": project.name,
            "language": project.language,
            "line_elsewhere": stands_elsewhere(cursor, text, lines),
            "peer": await answer(engine, None, prompt, rows, cursor, project.language, options.max_tokens),
            "ours": await answer(engine, primer, prompt, rows, cursor, project.language, options.max_tokens),
        }


async def answer(
    engine: ChildEngine,
    adapter: Path | None,
    prompt: Prompt,
    rows: list[str],
    cursor: Cursor,
    language: str,
    max_tokens: int,
) -> Row:
    await engine.use_adapter(adapter)
    completion = await engine.complete(Request(prompt, max_tokens=max_tokens))
    assert completion is not None, "nothing else asks this engine"
    candidate = completion.candidates[0]
    place = place_at(rows, cursor.line, cursor.column, language)
    text = trim(candidate.text, place, truncated=candidate.stopped_by == "length")
    offered = "" if isinstance(text, Declined) else text
    scored = await engine.score(prompt, cursor.target, End.UNSAID)
    return {
        "text": offered,
        "raw": candidate.text,
        "kept": kept_chars(offered, cursor.target),
        "log_loss": -sum(scored.logprobs),
        "tokens": len(scored.logprobs),
        **asdict(completion.timings),
    }


def figures_of(rows: list[Row]) -> list[Figure]:
    arms = "with the primer minus without"
    new = [row for row in rows if not row["line_elsewhere"]]
    parts = [("project", sorted({row["project"] for row in rows}))]
    parts.append(("language", sorted({row["language"] for row in rows})))
    return [
        *accuracy(rows, "text", arms, target=0.09),
        kept(rows, "", 1.25),
        log_loss(rows, ""),
        *accuracy(new, "text", f"{arms}, lines that stand in no other file"),
        *(
            figure
            for field, values in parts
            for value in values
            for figure in by_part([row for row in rows if row[field] == value], arms, value)
        ),
    ]


def by_part(rows: list[Row], arms: str, name: str) -> list[Figure]:
    return [*accuracy(rows, "text", f"{arms}, {name}"), kept(rows, f", {name}"), log_loss(rows, f", {name}")]


def kept(rows: list[Row], part: str, target: float = 1) -> Figure:
    """Compare the characters of all offers that stay: what is offered and not in the line does not count."""
    ours, theirs = ([float(row[side]["kept"]) for row in rows] for side in ("ours", "peer"))
    estimate = paired(ours, theirs, [row["file"] for row in rows], ratio_of_sums)
    note = f"{sum(ours):.0f} / {sum(theirs):.0f} at {len(rows)} cursors, {estimate}"
    return at_least(f"kept characters, with the primer / without{part}", estimate.value, target, note)


def log_loss(rows: list[Row], part: str) -> Figure:
    """Compare the targets' log-loss per token (nats), each cursor's tokens together counting once."""
    ours, theirs = (
        [row[side]["log_loss"] / row[side]["tokens"] for row in rows] for side in ("ours", "peer")
    )
    estimate = paired(ours, theirs, [row["file"] for row in rows], mean_difference)
    means = f"{sum(ours) / len(ours):.3f} - {sum(theirs) / len(theirs):.3f}, {estimate}"
    return at_most(f"log-loss, with the primer minus without{part}", estimate.value, 0, means)


def ratio_of_sums(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    return float(ours.sum() / theirs.sum())


def summary(rows: list[Row], primer: Path) -> Row:
    """Return what was compared, and on what."""
    return {
        "primer": {"file": primer.name, "bytes": primer.stat().st_size, "sha256": digest(primer)},
        "projects": [asdict(project) for project in projects.REPORTING]
        + [{"name": p.name, "version": p.version, "first_upload": day} for p, _, day, _ in OTHERS],
        "cursors": len(rows),
        "files": len({row["file"] for row in rows}),
    }


if __name__ == "__main__":
    main()
