"""Drawing the primer's examples: the same for the same seed, languages in equal shares, kinds mixed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from learner.examples import Source
from learner.file_examples import SourceFile, file_examples
from learner.window import NEAR, Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from learner.examples import Example
    from learner.night.primer.files import Code
    from learner.night.primer.projects import Project
    from learner.privacy import PrivacyFilter

PER_FILE = 3
_CANDIDATES = 8
"""Cursors that :data:`PER_FILE` are drawn from: so many have every kind in its share."""
FULL_SHARE = 0.15
"""The share of files whose prompts show as much as is shown at a place that is evaluated already; the others
show as much as the first answer at a new place has."""
FULL = Budget(chunks=0, chunk_chars=0)


def draw_examples(
    projects: Sequence[Project],
    files_of: Callable[[Project], Sequence[Code]],
    count: int,
    seed: int,
    privacy: PrivacyFilter,
) -> list[Example]:
    """Return at most ``count`` examples in random order.

    Each language gives the same number, or all it has; within a language its projects take turns.
    """
    by_language: dict[str, list[Iterator[Example]]] = defaultdict(list)
    for project in projects:
        stream = _of_project(project, files_of, seed, privacy)
        by_language[project.language].append(stream)
    shares = {language: _in_turn(streams) for language, streams in sorted(by_language.items())}
    found = list(islice(_in_turn(list(shares.values())), count))
    random.Random(seed).shuffle(found)
    return found


def _of_project(
    project: Project, files_of: Callable[[Project], Sequence[Code]], seed: int, privacy: PrivacyFilter
) -> Iterator[Example]:
    """Yield examples of one project, file by file in random order; its archive is read for the first."""
    draw = random.Random(f"{seed} {project.registry} {project.name}")
    codes = list(files_of(project))
    draw.shuffle(codes)
    for code in codes:
        source = SourceFile(
            path=code.path,
            repository=project.name,
            file=f"{project.registry}:{project.name}:{code.path}",
            lines=code.lines,
            # As the developer's own code counts in a night: all of it is to be learned from.
            source=Source.REPOSITORY,
            weight=1.0,
            at=0.0,
        )
        budget = FULL if draw.random() < FULL_SHARE else NEAR
        found = file_examples(source, _CANDIDATES, draw, privacy, budget=budget)
        yield from draw.sample(found, min(PER_FILE, len(found)))


def _in_turn(streams: Iterable[Iterator[Example]]) -> Iterator[Example]:
    """Yield one of each stream in turn until all have ended."""
    waiting = deque(streams)
    while waiting:
        stream = waiting.popleft()
        for example in islice(stream, 1):
            yield example
            waiting.append(stream)


def statistics(examples: Sequence[Example], projects: Sequence[Project]) -> dict[str, Any]:
    """Return what the examples are made of, for the record."""
    languages = {f"{project.registry}:{project.name}": project.language for project in projects}
    origins = [example.file.rpartition(":")[0] for example in examples]
    return {
        "examples": len(examples),
        "files": len({example.file for example in examples}),
        "projects": len(set(origins)),
        "languages": dict(sorted(Counter(languages[origin] for origin in origins).items())),
        "stops": dict(sorted(Counter(str(example.stop) for example in examples).items())),
        "several_lines": sum("\n" in example.target for example in examples),
        "cut_off": sum(not example.ends for example in examples),
    }
