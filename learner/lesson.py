"""The lesson: what one night trains on, and what it is examined on, so that neither spoils the other."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from learner.examples import Dropped, Example, Lesson, Selection
from learner.ignored import kept_globs
from learner.outcome_examples import outcome_examples, path_of
from learner.practice.tasks import set_tasks
from learner.privacy import PrivacyFilter
from learner.replay_text import replay_examples
from learner.repository_examples import repository_examples

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from models.home import Home

PER_LINE = 2
"""Examples of one line that was completed again and again while it was typed: the longest targets."""
PER_FILE = 10
"""A file may always give so many examples."""
TASKS_EACH = 3
"""Tasks that are set for each one that is wanted: about a third are half mastered."""
TAIL = 120
"""Code points before the cursor that, with the target, make two examples the same."""
BESIDE = 2
"""Lines around an example's in which no line of the exam may stand."""
TELLING = 20
"""Code points from which a line is recognised in another file."""


def prepare(
    connection: sqlite3.Connection,
    home: Home,
    selection: Selection,
    clock: Callable[[], float] = time.time,
) -> Lesson:
    """Return what tonight would learn from: the same for the same ledger, files and selection.

    The newest outcomes are the exam; every other one, and all other text, is for training. What an editor was
    told to ignore is left out, whatever the selection ignores itself.

    Raises:
        sqlite3.Error: as SQLite says.
    """
    selection = replace(selection, ignore=(*selection.ignore, *kept_globs(home.ignored)))
    dropped: Counter[Dropped] = Counter()
    found = outcome_examples(
        connection, selection.outcomes + selection.exam_most, selection.since, selection.ignore
    )
    dropped.update(found.dropped)
    once = _one_of_each_line(found.examples, dropped)
    outcomes, exam = split_by_time(once, selection)
    dropped[Dropped.IN_EXAM] += len(once) - len(outcomes) - len(exam)
    examined = Examined.of(exam)
    outcomes = _kept(outcomes, lambda each: not examined.has(each), dropped, Dropped.IN_EXAM)
    outcomes = _within_share(outcomes, selection.file_share, dropped)
    projects = [Path(project) for project, _ in found.projects.most_common() if project]
    given = [project.absolute() for project in selection.projects]
    now = clock()
    repository = repository_examples(
        [*given, *projects],
        selection.repository,
        max(PER_FILE, int(selection.file_share * selection.repository)),
        selection.seed,
        now,
        is_wanted=lambda example, lines: not examined.stands_beside(example, lines),
        ignore=selection.ignore,
        not_below=home.root,
    )
    dropped.update(repository.dropped)
    own = _distinct([*outcomes, *repository.examples], dropped)
    missing = max(0, selection.practice - sum(bool(each.target) for each in outcomes))
    tasks = set_tasks(
        [*given, *projects],
        TASKS_EACH * missing,
        selection.seed,
        now,
        is_wanted=lambda example, lines: not examined.stands_beside(example, lines),
        ignore=selection.ignore,
        not_below=home.root,
    )
    tasks = _distinct([*own, *tasks], Counter())[len(own) :]
    share = selection.replay_share
    replay = replay_examples(round(len(own) * share / (1.0 - share)), selection.seed, PrivacyFilter(()))
    return Lesson(
        (*own, *replay),
        tuple(reversed(exam)),
        found.looked_at,
        {str(why): count for why, count in dropped.items() if count},
        tuple(tasks),
    )


def split_by_time(newest_first: list[Example], selection: Selection) -> tuple[list[Example], list[Example]]:
    """Return what is trained on and what is examined on, both newest first.

    The exam begins after the longest pause near its wanted size, so that no bout of work is in both.
    """
    known = [example for example in newest_first if example.target]
    size = min(max(round(selection.exam_share * len(known)), selection.exam_least), selection.exam_most)
    known = [example for example in known if example.at > selection.exam_after]
    if size >= len(known):
        size = len(known)
    elif size:
        size = _before_longest_pause([example.at for example in known], size, selection)
    if not size:
        return newest_first, []
    begins = known[size - 1].at
    # At one moment nothing came before the other: what is as old as the exam's first is in the exam.
    exam = [example for example in known if example.at >= begins]
    return [example for example in newest_first if example.at < begins], exam


def _before_longest_pause(times: Sequence[float], size: int, selection: Selection) -> int:
    least = max(selection.exam_least, size - size // 4, 1)
    most = min(selection.exam_most, size + size // 4, len(times) - 1)
    return max(
        range(min(least, size), max(most, size) + 1), key=lambda n: (times[n - 1] - times[n], -abs(n - size))
    )


@dataclass(frozen=True)
class Examined:
    """The lines of an exam's answers."""

    by_file: dict[Path | str, frozenset[str]]
    telling: frozenset[str]
    """Those that are recognised in any file."""
    begins: float
    """When the oldest of the exam's offers was made, in unix seconds."""

    @classmethod
    def of(cls, exam: Sequence[Example]) -> Examined:
        by_file: defaultdict[Path | str, set[str]] = defaultdict(set)
        for example in exam:
            by_file[_place(example)].update(answer_lines(example))
        telling = {line for lines in by_file.values() for line in lines if len(line) >= TELLING}
        begins = min((example.at for example in exam), default=float("inf"))
        return cls({place: frozenset(lines) for place, lines in by_file.items()}, frozenset(telling), begins)

    def has(self, example: Example) -> bool:
        """Return whether a line of the example's answer is one of the exam's in the same file.

        The same line in another file is what can be learned: it was there before the exam's.
        """
        return not self._of_file(example).isdisjoint(answer_lines(example))

    def stands_beside(self, example: Example, lines: Sequence[str]) -> bool:
        """Return whether a line of the exam's stands in or near the example's, in a file of ``lines``.

        A file that changed since may be the exam's own by another name, or have a copy of its lines.
        """
        first = max(0, example.line - BESIDE)
        last = example.line + example.target.count("\n") + BESIDE
        near = {line.strip() for line in lines[first : last + 1]} - {""}
        copied = self.telling if example.at >= self.begins else frozenset[str]()
        return not (self._of_file(example) | copied).isdisjoint(near)

    def _of_file(self, example: Example) -> frozenset[str]:
        return self.by_file.get(_place(example), frozenset())


def answer_lines(example: Example) -> set[str]:
    """Return the whole lines, stripped, that the example's target completes."""
    before = example.prompt.prefix.rpartition("\n")[2]
    after = example.prompt.suffix.partition("\n")[0]
    return {line.strip() for line in f"{before}{example.target}{after}".split("\n")} - {""}


def _place(example: Example) -> Path | str:
    return path_of(example.file) or example.file


def _one_of_each_line(newest_first: list[Example], dropped: Counter[Dropped]) -> list[Example]:
    """Drop all but a few examples of each line of a file."""
    groups: defaultdict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in newest_first:
        before = example.prompt.prefix.rpartition("\n")[2]
        groups[example.file, (before + example.target).strip()].append(example)
    longest = {
        example.offer_id
        for group in groups.values()
        for example in sorted(group, key=lambda each: -len(each.target))[:PER_LINE]
    }
    return _kept(newest_first, lambda each: each.offer_id in longest, dropped, Dropped.DUPLICATE)


def _within_share(examples: list[Example], share: float, dropped: Counter[Dropped]) -> list[Example]:
    """Drop the oldest examples of a file beyond its share."""
    files = len({example.file for example in examples})
    most = max(PER_FILE, int(len(examples) * max(share, 2 / max(files, 1))))
    seen: Counter[str] = Counter()

    def fits(example: Example) -> bool:
        seen[example.file] += 1
        return seen[example.file] <= most

    return _kept(examples, fits, dropped, Dropped.FILE_SHARE)


def _distinct(examples: list[Example], dropped: Counter[Dropped]) -> list[Example]:
    """Drop examples that say the same after the same text, but for white space."""
    seen: set[tuple[str, str, str]] = set()

    def is_new(example: Example) -> bool:
        key = (_squeezed(example.prompt.prefix[-TAIL:]), _squeezed(example.target), example.rejected)
        is_new = key not in seen
        seen.add(key)
        return is_new

    return _kept(examples, is_new, dropped, Dropped.DUPLICATE)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _kept(
    examples: list[Example], wanted: Callable[[Example], bool], dropped: Counter[Dropped], why: Dropped
) -> list[Example]:
    kept = [example for example in examples if wanted(example)]
    dropped[why] += len(examples) - len(kept)
    return kept
