"""``nightschool data show --training``: what tonight would learn from, example by example."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from learner.cli import NOTHING_TO_DO, one_line, print_table
from learner.examples import Selection, Source
from learner.lesson import prepare
from learner.replay_text import origin

if TYPE_CHECKING:
    import sqlite3

    from learner.examples import Example, Lesson
    from models.home import Home


def show_training(connection: sqlite3.Connection, home: Home, *, limit: int, as_json: bool) -> None:
    """Print the lesson; as a table, the first ``limit`` examples of each source."""
    lesson = prepare(connection, home, Selection())
    if as_json:
        click.echo(json.dumps(as_object(lesson), indent=2))
    else:
        click.echo(summary(lesson))
        rows = [_row(number, example) for number, example in _first_of_each(lesson, limit)]
        if rows:
            print_table(("", "SOURCE", "PLACE", "WEIGHT", "TARGET", "NOT WANTED"), rows)
        left = len(lesson.training) + len(lesson.tasks) + len(lesson.exam) - len(rows)
        if left:
            click.echo(f"and {left} more (--limit, or --json for all)")
    if not lesson.training:
        missing = "offers that were accepted, edited or typed over, or a project's code"
        click.echo(f"nothing to train on yet: that takes {missing}", err=True)
        click.get_current_context().exit(NOTHING_TO_DO)


def summary(lesson: Lesson) -> str:
    """Return the lesson's counts as text."""
    counts = Counter(example.source for example in lesson.training)
    lines = [
        f"training  {len(lesson.training)} examples: {counts[Source.OUTCOME]} from outcomes, "
        f"{counts[Source.REPOSITORY]} from your files, {counts[Source.REPLAY]} of generic code",
        f"practice  {len(lesson.tasks)} tasks from your files and their history are tried; those half "
        "mastered are trained on too",
        f"exam      {len(lesson.exam)} newest outcomes, never trained on",
        f"outcomes  {lesson.outcomes} looked at",
        f"generic   {origin()}",
    ]
    lines += [f"left out  {count} {why}" for why, count in sorted(lesson.dropped.items())]
    return "\n".join(lines)


def as_object(lesson: Lesson) -> dict[str, Any]:
    """Return the lesson as JSON takes it, without the prompts' text."""
    counts = Counter(example.source for example in lesson.training)
    return {
        "training": {str(source): counts[source] for source in Source},
        "exam": len(lesson.exam),
        "tasks": len(lesson.tasks),
        "outcomes": lesson.outcomes,
        "dropped": dict(sorted(lesson.dropped.items())),
        "generic": origin(),
        "examples": [
            {"set": name, **_object(example)}
            for name, examples in (
                ("training", lesson.training),
                ("tasks", lesson.tasks),
                ("exam", lesson.exam),
            )
            for example in examples
        ],
    }


def _object(example: Example) -> dict[str, Any]:
    return {
        "source": str(example.source),
        "file": example.file,
        "line": example.line + 1,
        "at": example.at,
        "before": example.prompt.prefix.rpartition("\n")[2],
        "target": example.target,
        "ends": example.ends,
        "stop": str(example.stop),
        "rejected": example.rejected,
        "weight": round(example.weight, 4),
        "offer_id": example.offer_id,
        "prompt_chars": sum(map(len, _texts(example))),
    }


def _texts(example: Example) -> list[str]:
    return [example.prompt.prefix, example.prompt.suffix, *(chunk.text for chunk in example.prompt.chunks)]


def _first_of_each(lesson: Lesson, limit: int) -> list[tuple[str, Example]]:
    every = (*lesson.training, *lesson.tasks)
    groups = [[each for each in every if each.source is source] for source in Source]
    shown = [("", example) for group in groups for example in group[:limit]]
    return [*shown, *(("exam", example) for example in lesson.exam[:limit])]


def _row(name: str, example: Example) -> tuple[str, ...]:
    path = Path(unquote(urlsplit(example.file).path))
    target = example.target + ("" if example.ends else " …")
    return (
        name,
        str(example.source),
        f"{path.name}:{example.line + 1}",
        f"{example.weight:.2f}",
        one_line(target),
        one_line(example.rejected),
    )
