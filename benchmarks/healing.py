"""What token healing is worth: the same mid-word cursors with and without it, and what each costs.

The cursors stand within identifiers of projects that are newer than the model and serve development only; the
target is the rest of the line. A near prompt (24 lines before, 6 after) is evaluated once and answers both
arms. Then some of the words are typed on, letter by letter, each arm from the same warm prompt.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from comparison import accuracy
from cursors import MID_WORD, cursors
from estimates import mcnemar, mean_difference, paired, spread
from pipe import model_file
from projects import DEVELOPMENT, fetch
from quality import distinct_files, lines_of_files
from report import SCRATCH, Figure, append_row, at_least, publish, read_rows
from resumable import options_parser

from learner.declined import Declined
from learner.place import place_at
from learner.trim import trim
from models.checksum import remembered_sha256
from models.completer import Completer
from models.engine import Purpose, Request
from models.llama import AbortFlag, Context, ContextShape, Log, Model
from models.prompt import Prompt, encode, healed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cursors import Cursor

    from models.engine import Timings
    from models.prompt import Encoded

Row = dict[str, Any]
ROWS = SCRATCH / "healing.jsonl"
BEFORE, AFTER = 24, 6
"""Lines of the prompt above and below the cursor's."""
ARMS = {"ours": True, "peer": False}
"""Whether each arm heals."""
_WORD = re.compile(r"\w*")


class Arms(Completer):
    """The product's engine, in this process, with healing or without."""

    heals = True

    def _encoded(self, prompt: Prompt, limit: int) -> Encoded:
        return (
            super()._encoded(prompt, limit) if self.heals else encode(prompt, self._model.vocabulary, limit)
        )

    def healed_text(self, prompt: Prompt) -> str:
        """Return what is generated again."""
        vocabulary = self._model.vocabulary
        return healed(encode(prompt, vocabulary, self.context.shape.cells), vocabulary).heal.decode()


def main() -> None:
    options = parse()
    if not options.report and not run(options):
        sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(ROWS)
    if not rows:
        sys.exit(f"{ROWS} holds no cursors; run without --report first")
    publish("healing", figures_of(rows), summary(rows), options.to)


def parse() -> argparse.Namespace:
    parser = options_parser(__doc__)
    add = parser.add_argument
    add("--cursors", type=int, default=120, help="per project")
    add("--per-file", type=int, default=4)
    add("--typed", type=int, default=12, help="at every so many cursors the word is typed on")
    return parser.parse_args()


def run(options: argparse.Namespace) -> bool:
    """Complete at the cursors that have no row yet; return whether all are done."""
    SCRATCH.mkdir(exist_ok=True)
    done = {(row["file"], row["line"]) for row in read_rows(ROWS)}
    deadline = time.monotonic() + 60 * options.minutes
    path = model_file(options.model)
    model = Model(path, gpu_layers=0, repack=False, log=Log())
    context = Context(model, ContextShape(2048, 2, options.threads), AbortFlag())
    completer = Arms(model, context, lambda: remembered_sha256(path) or "")
    for project in DEVELOPMENT:
        folder = fetch(project)
        for number, (cursor, rows) in enumerate(places(folder, options)):
            name = f"{folder.name}/{cursor.file}"
            if (name, cursor.line) in done:
                continue
            typed = typed_on(completer, cursor, rows) if number % options.typed == 0 else None
            append_row(
                ROWS, {**asdict(cursor), "file": name, **both(completer, cursor, rows), "typed": typed}
            )
            if time.monotonic() > deadline:
                return False
    context.close()
    model.close()
    return True


def places(folder: Path, options: argparse.Namespace) -> Iterator[tuple[Cursor, list[str]]]:
    """Yield the project's mid-word cursors with the lines of their files."""
    files = distinct_files(folder, lines_of_files(folder), options.cursors // options.per_file, options.seed)
    texts = dict(files)
    for cursor in cursors(files, options.cursors, options.seed, (MID_WORD,)):
        if cursor.kind == MID_WORD:
            yield cursor, texts[cursor.file].split("\n")


def prompt_at(cursor: Cursor, rows: Sequence[str], typed: str = "") -> Prompt:
    line = cursor.line
    above = "".join(f"{row}\n" for row in rows[max(0, line - BEFORE) : line])
    below = "".join(f"{row}\n" for row in rows[line + 1 : line + 1 + AFTER])
    return Prompt(above + rows[line][: cursor.column] + typed, "\n" + below, cursor.file)


def both(completer: Arms, cursor: Cursor, rows: Sequence[str]) -> Row:
    """Return what each arm answers from one warm prompt, and what there was to heal."""
    prompt = prompt_at(cursor, rows)
    warm(completer, prompt)
    answers = {arm: answer(completer, prompt, cursor, rows, heals=heals) for arm, heals in ARMS.items()}
    return {**answers, "healed": completer.healed_text(prompt)}


def warm(completer: Arms, prompt: Prompt) -> None:
    completer.heals = False
    completer.complete(Request(prompt, Purpose.WARM), time.perf_counter())


def answer(completer: Arms, prompt: Prompt, cursor: Cursor, rows: Sequence[str], *, heals: bool) -> Row:
    completer.heals = heals
    completion = completer.complete(Request(prompt), time.perf_counter())
    candidate = completion.candidates[0]
    document = [*rows[: cursor.line], rows[cursor.line][: cursor.column], *rows[cursor.line + 1 :]]
    place = place_at(document, cursor.line, cursor.column, "python")
    text = trim(candidate.text, place, truncated=candidate.stopped_by == "length")
    return {"text": "" if isinstance(text, Declined) else text, **costs(completion.timings)}


def costs(timings: Timings) -> Row:
    names = ("first_token_ms", "total_ms", "evaluated_tokens", "generated_tokens")
    return {name: round(getattr(timings, name), 1) for name in names}


def typed_on(completer: Arms, cursor: Cursor, rows: Sequence[str]) -> dict[str, list[Row]]:
    """Return what each letter up to the word's end costs each arm, both from the same warm prompt."""
    word = word_of(cursor.target)
    found: dict[str, list[Row]] = {}
    for arm, heals in ARMS.items():
        warm(completer, prompt_at(cursor, rows))
        completer.heals = heals
        found[arm] = [
            costs(
                completer.complete(
                    Request(prompt_at(cursor, rows, word[:length])), time.perf_counter()
                ).timings
            )
            for length in range(1, len(word) + 1)
        ]
    return found


def figures_of(rows: list[Row]) -> list[Figure]:
    arms = "healed minus plain"
    differing = [row for row in rows if row["ours"]["text"] != row["peer"]["text"]]
    return [
        *accuracy(rows, "text", arms),
        word_accuracy(rows, arms),
        Figure("share of cursors where there was something to heal", sum(map(has_healed, rows)) / len(rows)),
        Figure("share of cursors where the two differ", len(differing) / len(rows)),
        *(
            figure
            for name in sorted({row["file"].split("/")[0] for row in rows})
            for figure in accuracy(
                [row for row in rows if row["file"].startswith(name)], "text", f"{arms}, {name}"
            )
        ),
        *costs_of(rows),
    ]


def word_of(text: str) -> str:
    """Return the rest of the begun word."""
    found = _WORD.match(text)
    assert found, "the pattern matches an empty word too"
    return found[0]


def has_healed(row: Row) -> bool:
    return row["healed"] != ""


def word_accuracy(rows: list[Row], arms: str) -> Figure:
    """Compare the words alone: is the begun identifier finished as it was?"""
    files = [row["file"] for row in rows]
    ours, plain = ([word_of(row[arm]["text"]) == word_of(row["target"]) for row in rows] for arm in ARMS)
    estimate, test = paired(ours, plain, files, mean_difference), mcnemar(ours, plain)
    note = f"{sum(ours) / len(rows):.3f} - {sum(plain) / len(rows):.3f}, {estimate}, p = {test.p_value:.3g}"
    return at_least(f"the begun word right, {arms}", estimate.value, 0, note)


def costs_of(rows: list[Row]) -> Iterator[Figure]:
    """Yield the means of what an answer and what a further letter take."""
    typed = [row["typed"] for row in rows if row["typed"]]
    for label, samples in (
        ("at a cursor", {arm: [row[arm] for row in rows] for arm in ARMS}),
        ("per letter typed", {arm: [key for keys in typed for key in keys[arm]] for arm in ARMS}),
    ):
        for name in ("evaluated_tokens", "generated_tokens", "total_ms"):
            means = {
                arm: sum(sample[name] for sample in found) / max(1, len(found))
                for arm, found in samples.items()
            }
            note = f"{means['ours']:.2f} - {means['peer']:.2f}, {len(samples['ours'])} answers"
            yield Figure(
                f"{name.replace('_', ' ')} {label}, healed minus plain",
                means["ours"] - means["peer"],
                note=note,
            )


def summary(rows: list[Row]) -> Row:
    """Return the sample and the distributions behind the figures."""
    return {
        "projects": [asdict(project) for project in DEVELOPMENT],
        "cursors": len(rows),
        "files": len({row["file"] for row in rows}),
        "lines": {"before": BEFORE, "after": AFTER},
        "spread": {
            name: {
                measure: spread([row[arm][measure] for row in rows]).as_json()
                for measure in ("first_token_ms", "total_ms", "evaluated_tokens", "generated_tokens")
            }
            for arm, name in (("ours", "healed"), ("peer", "plain"))
        },
    }


if __name__ == "__main__":
    main()
