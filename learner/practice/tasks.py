"""Which tasks are set: cursors in what changed lately, and in what was written at earlier commits.

Whether the model can do them already is found out by :mod:`learner.practice.grading`.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from learner.examples import Example, Source
from learner.file_examples import SourceFile, file_examples, source_lines
from learner.labels import PRACTICE_WEIGHT
from learner.practice.history import Version, past_versions
from learner.privacy import PrivacyFilter
from learner.repository_examples import is_project, may_be_source, repository_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PER_FILE = 12
"""Tasks of one file at most, of all its versions together."""
PER_VERSION = 4


def set_tasks(
    projects: Sequence[Path],
    count: int,
    seed: int,
    now: float,
    *,
    is_wanted: Callable[[Example, Sequence[str]], bool] = lambda example, lines: True,
    ignore: Sequence[str] = (),
    not_below: Path | None = None,
) -> list[Example]:
    """Return at most ``count`` tasks in a random order, the same for the same seed and repositories.

    Half of them come from the files as they are, half from their history, where there is one.

    Args:
        now: the present unix time in seconds.
        is_wanted: asked with each task and the lines of its file.
        ignore: the user's own patterns of files to leave out.
        not_below: a folder to leave out (Nightschool's own).
    """

    def is_allowed(path: Path) -> bool:
        return not (not_below and path.is_relative_to(not_below)) and privacy.allows(path)

    roots = sorted(filter(is_project, set(projects)))
    privacy = PrivacyFilter(roots, ignore)
    past = []
    for example, lines in _of_history(roots, seed, now, privacy, is_allowed):
        if len(past) >= count // 2:
            break
        if is_wanted(example, lines):
            past.append(example)
    # Another draw than that of the lesson's examples from the same files: a negative seed is nobody's.
    recent = repository_examples(
        roots, count - len(past), PER_FILE, -1 - seed, now,
        is_wanted=is_wanted, ignore=ignore, not_below=not_below,
    ).examples  # fmt: skip
    tasks = [*past, *(replace(each, source=Source.PRACTICE, weight=PRACTICE_WEIGHT) for each in recent)]
    random.Random(f"practice {seed}").shuffle(tasks)
    return tasks


def _of_history(
    roots: Sequence[Path], seed: int, now: float, privacy: PrivacyFilter, is_allowed: Callable[[Path], bool]
) -> Iterator[tuple[Example, list[str]]]:
    """Yield tasks with their files' lines, those of the newest change first."""
    versions = [version for root in roots for version in past_versions(root, now)]
    taken: Counter[Path] = Counter()
    for version in sorted(versions, key=lambda each: (-each.at, str(each.path))):
        if taken[version.path] >= PER_FILE or not may_be_source(version.path, version.root):
            continue
        if not is_allowed(version.path) or not (lines := source_lines(version.content() or b"")):
            continue
        found = _of_version(version, lines, seed, privacy)
        taken[version.path] += len(found)
        for example in found:
            yield example, lines


def _of_version(version: Version, lines: list[str], seed: int, privacy: PrivacyFilter) -> list[Example]:
    source = SourceFile(
        path=version.name,
        repository=version.root.name,
        file=version.path.as_uri(),
        lines=lines,
        source=Source.PRACTICE,
        weight=PRACTICE_WEIGHT,
        at=version.at,
    )
    draw = random.Random(f"practice {seed} {version.commit} {version.name}")
    found = file_examples(source, PER_VERSION, draw, privacy, preferred=version.lines)
    # What the commit did not touch is in the file as it is now.
    return [example for example in found if lines[example.line].strip() in version.lines]
