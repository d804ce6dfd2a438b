"""Examples from the developer's own files: what changed lately first, and nothing that is private."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learner.changes import changed_files, is_skipped
from learner.examples import Dropped, Example, Source
from learner.file_examples import SourceFile, file_examples, read_source
from learner.labels import REPOSITORY_WEIGHT
from learner.languages import language_of
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from learner.changes import Changed

PER_CHANGED_LINES = 3
"""One example for so many lines that were added lately ..."""
PER_LINES = 15
"""... or, of a file of which that is not known, for so many lines."""


@dataclass
class FromRepository:
    examples: list[Example]
    """Those of the file that changed last first."""
    dropped: Counter[Dropped]


def repository_examples(
    projects: Iterable[Path],
    count: int,
    per_file: int,
    seed: int,
    now: float,
    *,
    is_wanted: Callable[[Example, Sequence[str]], bool] = lambda example, lines: True,
    ignore: Sequence[str] = (),
    not_below: Path | None = None,
) -> FromRepository:
    """Return at most ``count`` examples from files below ``projects``, the same for the same seed and files.

    Args:
        per_file: at most so many examples of one file.
        now: the present unix time in seconds.
        is_wanted: asked with each example and its file's lines.
        ignore: the user's own patterns of files to leave out.
        not_below: a folder to leave out (Nightschool's own).
    """
    found = FromRepository([], Counter())
    # Of folders within each other, the inner one names the file.
    roots = sorted(set(projects), key=lambda root: (len(root.parts), root))
    privacy = PrivacyFilter(roots, ignore)
    candidates: dict[Path, tuple[Path, Changed]] = {}
    for root in roots:
        if not is_project(root):
            found.dropped[Dropped.NO_PROJECT if root.is_dir() else Dropped.PROJECT_GONE] += 1
            continue
        for changed in changed_files(root, now):
            if may_be_source(changed.path, root):
                candidates[changed.path] = (root, changed)
    for root, changed in sorted(candidates.values(), key=lambda item: (-item[1].at, str(item[1].path))):
        if len(found.examples) >= count:
            break
        path = changed.path
        if (not_below and path.is_relative_to(not_below)) or not privacy.allows(path):
            found.dropped[Dropped.PRIVATE_FILE] += 1
        elif (lines := read_source(path)) is None:
            found.dropped[Dropped.NO_CODE] += 1
        else:
            most = min(per_file, count - len(found.examples))
            for example in _of_file(root, changed, lines, most, seed, privacy):
                if is_wanted(example, lines):
                    found.examples.append(example)
                else:
                    found.dropped[Dropped.IN_EXAM] += 1
    return found


def is_project(root: Path) -> bool:
    """Return whether ``root`` is a folder of one project."""
    # With one's whole home open as a folder, other people's code is in it.
    return root.is_dir() and not Path.home().is_relative_to(root)


def _of_file(
    root: Path, changed: Changed, lines: list[str], most: int, seed: int, privacy: PrivacyFilter
) -> list[Example]:
    new = sum(line.strip() in changed.lines for line in lines)
    wanted = new // PER_CHANGED_LINES if changed.lines else len(lines) // PER_LINES
    name = changed.path.relative_to(root).as_posix()
    source = SourceFile(
        path=name,
        repository=root.name,
        file=changed.path.as_uri(),
        lines=lines,
        source=Source.REPOSITORY,
        weight=REPOSITORY_WEIGHT,
        at=changed.at,
    )
    # A draw of its own: what one file gives does not depend on the files before it.
    draw = random.Random(f"{seed} {name}")
    return file_examples(source, max(1, min(most, wanted)), draw, privacy, preferred=changed.lines)


def may_be_source(path: Path, root: Path) -> bool:
    """Return whether a file of this name below ``root`` holds code of the developer's own."""
    folders = path.relative_to(root).parts[:-1]
    return bool(language_of(path.name)) and not any(map(is_skipped, folders))
