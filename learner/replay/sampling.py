"""Which places of a history are asked about: drawn before anything is predicted, the same for every arm."""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learner.changes import is_skipped
from learner.cursors import LEAST_CHARS, LONGEST_LINE
from learner.file_examples import source_lines
from learner.languages import language_of
from learner.place import in_comment, place_at, split_lines
from learner.replay.history import NothingToReplayError
from learner.replay.typed import typed_lines, view
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from learner.privacy import PrivacyFilter
    from learner.replay.history import Change, History, Step
    from learner.replay.typed import TypedLine

PER_FILE = 8
"""Places that are kept of one file in one step."""
KINDS = {"line start": 0.33, "mid-line": 0.42, "mid-word": 0.25}
"""Where on the line the cursor stands; the shares that lines have among ``learner.cursors.SHARES``."""
GAP = (5, 50)
"""Interactions between the last that is learned from and the first of the future block."""
BLOCK = (2, 200)
"""Interactions of the future block."""
_NOWHERE = Path(os.sep, "a replayed project")
"""Names alone decide what is private here: the files of the past are not on the disk."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class FrozenCursor:
    """A place in a history: the file of a step, typed up to this column of the new text's row."""

    step: int
    """From 0."""
    name: str
    """The step's, by which a history that was rewritten is noticed."""
    path: str
    row: int
    column: int
    kind: str


@dataclass(frozen=True)
class Plan:
    """What is asked of one project: the stream, in order, and the future block that comes after it."""

    stream: tuple[FrozenCursor, ...]
    block: tuple[FrozenCursor, ...]

    @property
    def cursors(self) -> tuple[FrozenCursor, ...]:
        return (*self.stream, *self.block)


def draw_plan(
    history: History, limit: int, seed: int, privacy: PrivacyFilter, on_step: Callable[[int], None]
) -> Plan:
    """Draw a stream of at most ``limit`` interactions, a gap and a future block, in the order of time.

    Where the history has fewer places, all three shrink alike. Places are spread over the files of all steps.

    Raises:
        HistoryError: the history cannot be read.
        NothingToReplayError: next to nothing in it is typed code.
    """
    groups: list[list[FrozenCursor]] = []
    for number, step in enumerate(history.steps()):
        on_step(number)
        groups += step_places(number, step, seed, privacy)
    gap, block = _bounded(limit // 20, GAP), _bounded(limit // 3, BLOCK)
    chosen = _spread(groups, limit + gap + block, random.Random(seed))
    if len(chosen) < 3:
        raise NothingToReplayError(
            f"the history of {history.project} has {len(chosen)} places where code was typed; a replay needs "
            "at least 3 (binary, generated, vendored and private files do not count)"
        )
    share = min(1.0, len(chosen) / (limit + gap + block))
    asked = max(1, round(block * share))
    learned = max(1, len(chosen) - asked - round(gap * share))
    return Plan(tuple(chosen[:learned]), tuple(chosen[-asked:]))


def step_places(number: int, step: Step, seed: int, privacy: PrivacyFilter) -> list[list[FrozenCursor]]:
    """Return places in what one step typed, by file; none in private, vendored, generated or bulk text."""
    typed = {change: _typed(change, privacy) for change in step.changes}
    count = sum(len(lines) for _, lines in typed.values())
    if step.most_typed is not None and count > step.most_typed:
        return []
    found = []
    for change, (after, lines) in typed.items():
        draw = random.Random(f"{seed} {step.name} {change.path}")
        draw.shuffle(lines)
        places = (_place(number, step, change, after, line, draw, privacy) for line in lines[: 4 * PER_FILE])
        kept = [place for place in places if place is not None][:PER_FILE]
        if kept:
            found.append(kept)
    return found


def _typed(change: Change, privacy: PrivacyFilter) -> tuple[list[str], list[TypedLine]]:
    *folders, name = change.path.split("/")
    if change.after is None or not language_of(name) or any(map(is_skipped, folders)):
        return [], []
    after = source_lines(change.after.encode("utf-8", "replace"))
    if after is None or not privacy.allows(_NOWHERE / change.path):
        return [], []
    return after, typed_lines(split_lines(change.before or ""), after)


def _place(
    number: int,
    step: Step,
    change: Change,
    after: Sequence[str],
    line: TypedLine,
    draw: random.Random,
    privacy: PrivacyFilter,
) -> FrozenCursor | None:
    bare = after[line.row].rstrip("\r\n")
    if len(bare) > LONGEST_LINE or privacy.has_secret(bare):
        return None
    kinds = sorted(KINDS, key=lambda kind: draw.random() ** (1 / KINDS[kind]), reverse=True)
    for kind in kinds:
        columns = [at for at in _columns(kind, bare, line) if _is_enough(bare[at : line.last])]
        if columns:
            column = draw.choice(columns)
            seen = view(split_lines(change.before or ""), after, line, column)
            if in_comment(place_at(seen.lines, seen.line, column, language_of(change.path))):
                return None
            return FrozenCursor(number, step.name, change.path, line.row, column, kind)
    return None


def _columns(kind: str, bare: str, line: TypedLine) -> list[int]:
    if kind == "line start":
        margin = len(bare) - len(bare.lstrip())
        return [line.first] if line.first == margin else []
    if kind == "mid-word":
        found = [at for word in _WORD.finditer(bare) for at in range(word.start() + 1, word.end())]
    else:
        found = sorted({edge for token in _TOKEN.finditer(bare) for edge in token.span()})
    return [at for at in found if line.first < at < line.last]


def _is_enough(text: str) -> bool:
    return sum(not character.isspace() for character in text) >= LEAST_CHARS


def _spread(groups: list[list[FrozenCursor]], count: int, draw: random.Random) -> list[FrozenCursor]:
    """Return ``count`` places, one of each group before a second of any, in the order of time."""
    order = list(groups)
    draw.shuffle(order)
    rounds = [group[turn] for turn in range(PER_FILE) for group in order if turn < len(group)]
    return sorted(rounds[:count], key=lambda cursor: (cursor.step, cursor.path, cursor.row, cursor.column))


def _bounded(value: int, limits: tuple[int, int]) -> int:
    return max(limits[0], min(limits[1], value))


def write_plan(path: Path, plan: Plan) -> None:
    """Freeze the plan: what is in the file is asked, whatever is drawn later."""
    private_directory(path.parent)
    part = path.with_suffix(".part")
    content = {"stream": list(map(asdict, plan.stream)), "block": list(map(asdict, plan.block))}
    with open(part, "w", encoding="utf-8", opener=private_opener) as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_plan(path: Path) -> Plan | None:
    """Return the plan that was frozen; None where there is none, or no whole one."""
    try:
        content = json.loads(path.read_text("utf-8"))
        stream, block = (
            tuple(FrozenCursor(**each) for each in content[part]) for part in ("stream", "block")
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Plan(stream, block)
