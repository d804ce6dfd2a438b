"""Rows for the prior: what the real engine offers at cursors whose right continuation is known."""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from learner.declined import Declined
from learner.examples import Source
from learner.file_examples import SourceFile, file_examples, read_source
from learner.gate.shadow import would_accept
from learner.labels import REPOSITORY_WEIGHT
from learner.languages import language_of
from learner.place import place_in
from learner.privacy import PrivacyFilter
from learner.trim import trim
from models.completer import Completer
from models.engine import Request
from models.llama import AbortFlag, Context, ContextShape, Log, Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from learner.examples import Example
    from models.engine import Candidate

MAX_TOKENS = 96
"""As long as completions are served by default."""
CELLS = 2048


@dataclass(frozen=True)
class Row:
    """One offer of the engine at a cursor, and what stood there."""

    project: str
    file: str
    line: int
    language: str
    before: str
    """The cursor's line, left of it."""
    after: str
    """The rest of the cursor's line."""
    text: str
    """What would be offered; empty where trimming leaves nothing."""
    logprobs: tuple[float, ...]
    stopped_by: str
    target: str
    ends: bool
    """Whether the target is all that belongs there."""

    @property
    def accepted(self) -> bool:
        """Whether it would have been accepted; a target that breaks off within the offer counts as not."""
        return bool(would_accept(self.text, self.target, ends=self.ends))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is none; a last line that was not finished is dropped."""
    if not path.exists():
        return []
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        found: dict[str, Any] = json.loads(line)
        rows.append(Row(**{**found, "logprobs": tuple(found["logprobs"])}))
    return rows


def folder_examples(folder: Path, count: int, per_file: int, seed: int) -> Iterator[Example]:
    """Yield at most ``count`` cursors of the folder's code, file by file in an order drawn by ``seed``.

    Tests are left out; prompts are the short ones that are served first at any place.
    """
    draw, privacy = random.Random(seed), PrivacyFilter(())
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    draw.shuffle(paths)
    found = 0
    for path in paths:
        if found >= count:
            return
        name = path.relative_to(folder).as_posix()
        if "test" in name or (lines := read_source(path)) is None:
            continue
        source = SourceFile(
            name, folder.name, f"{folder.name}/{name}", lines, Source.REPOSITORY, REPOSITORY_WEIGHT, 0.0
        )
        for each in file_examples(source, min(per_file, count - found), draw, privacy):
            found += 1
            yield each


def gather(examples: Iterable[Example], model: Path, rows: Path, *, threads: int, minutes: float) -> bool:
    """Append a row for each example that has none yet; return whether all are done.

    Raises:
        EngineError: the model cannot be loaded, or it failed.
    """
    done = {(row.file, row.line) for row in read_rows(rows)}
    waiting = [each for each in examples if (each.file, each.line) not in done]
    if not waiting:
        return True
    deadline = time.monotonic() + 60 * minutes
    loaded = Model(model, gpu_layers=0, repack=False, log=Log())
    context = Context(loaded, ContextShape(CELLS, 2, threads), AbortFlag())
    completer = Completer(loaded, context, lambda: "")
    try:
        with rows.open("a", encoding="utf-8") as file:
            for example in waiting:
                if time.monotonic() > deadline:
                    return False
                file.write(json.dumps(asdict(row_of(completer, example))) + "\n")
                file.flush()
    finally:
        context.close()
        loaded.close()
    return True


def row_of(completer: Completer, example: Example) -> Row:
    request = Request(example.prompt, stop=example.stop, indent=example.indent, max_tokens=MAX_TOKENS)
    candidate = completer.complete(request, time.perf_counter()).candidates[0]
    language = language_of(example.prompt.path)
    return Row(
        project=example.prompt.repository,
        file=example.file,
        line=example.line,
        language=language,
        before=example.prompt.prefix.rpartition("\n")[2],
        after=example.prompt.suffix.partition("\n")[0],
        text=_offered(candidate, example, language),
        logprobs=tuple(round(each, 4) for each in candidate.logprobs),
        stopped_by=candidate.stopped_by,
        target=example.target,
        ends=example.ends,
    )


def _offered(candidate: Candidate, example: Example, language: str) -> str:
    text = trim(
        candidate.text, place_in(example.prompt, language), truncated=candidate.stopped_by == "length"
    )
    return "" if isinstance(text, Declined) else text
