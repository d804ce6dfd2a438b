"""Prefix reuse and the carried suffix, on the real Qwen model with short prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.decode import Decoder
from models.engine import Purpose, Request, Stop
from models.llama import AbortedError, AbortFlag, Context, ContextShape, Log, Model
from models.prompt import Encoded, Prompt, encode
from models.warm import GAP, Warm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = '''\
def mean(numbers):
    """Return the arithmetic mean."""
    total = 0.0
    for number in numbers:
        total += number
    return total / len(numbers)


def variance(numbers):
    """Return the mean squared distance from the mean."""
    middle = mean(numbers)
    return mean([(number - middle) ** 2 for number in numbers])


def deviation(numbers):
    """Return the square root of the variance."""
    return variance(numbers) ** 0.5
'''
CURSOR = SOURCE.index("    middle")


@pytest.fixture(scope="module")
def model(qwen: Path, llama_log: Log) -> Iterator[Model]:
    model = Model(qwen, gpu_layers=0, repack=False, log=llama_log)
    yield model
    model.close()


class Bench:
    """One context with its slots, used without a process around it."""

    def __init__(self, model: Model, cells: int = 1024) -> None:
        self.model, self.abort = model, AbortFlag()
        self.context = Context(model, ContextShape(cells, 6, 2, ubatch=16), self.abort)
        self.warm = Warm(self.context)
        self.decoder = Decoder(self.context, model.vocabulary, self.warm)

    def encoded(self, prefix: str, suffix: str) -> Encoded:
        return encode(Prompt(prefix, suffix), self.model.vocabulary, 900)

    def run(self, prefix: str, suffix: str, *, fresh: bool = False) -> tuple[str, int, int]:
        """Return the text, and how many prompt tokens were evaluated and carried."""
        prompt = self.encoded(prefix, suffix)
        place = self.warm.open(prompt, fresh=fresh)
        self.warm.decode(place.slot, [*place.pending, prompt.trigger], place.position, logits=True)
        place.is_complete = True
        request = Request(Prompt(prefix, suffix), Purpose.COMPLETE, Stop.LINE, max_tokens=12)
        first = self.decoder.best(self.context.logits(), 1)
        [candidate] = self.decoder.candidates(place, request, first)
        self.warm.close(place)
        return candidate.text, place.evaluated, place.carried

    def cells(self) -> list[bytes]:
        """The cells of every sequence."""
        return [self.context.state(sequence) for sequence in range(self.context.shape.sequences)]


@pytest.fixture
def bench(model: Model) -> Iterator[Bench]:
    bench = Bench(model)
    yield bench
    bench.context.close()


@pytest.fixture
def other(model: Model) -> Iterator[Bench]:
    bench = Bench(model)
    yield bench
    bench.context.close()


def at(cursor: int, typed: int = 0) -> tuple[str, str]:
    return SOURCE[: cursor + typed], SOURCE[CURSOR + len("    middle = mean(numbers)") :]


def test_a_keystroke_carries_the_suffix_and_evaluates_a_few_tokens(bench: Bench) -> None:
    _, everything, _ = bench.run(*at(CURSOR))
    bench.warm.tidy()
    for typed in range(4, 14):
        _, evaluated, carried = bench.run(*at(CURSOR, typed))
        assert evaluated <= 4
        assert carried == len(bench.encoded(*at(CURSOR)).suffix)
    assert everything > 90


def test_the_carried_suffix_gives_the_completions_of_a_full_evaluation(bench: Bench, other: Bench) -> None:
    bench.run(*at(CURSOR))
    bench.warm.tidy()
    for typed in (4, 10, 12, 13):
        carried, _, reused = bench.run(*at(CURSOR, typed))
        full, _, none = other.run(*at(CURSOR, typed), fresh=True)
        assert (reused > 0, none) == (True, 0)
        assert carried == full


def test_the_same_prompt_again_evaluates_nothing(bench: Bench) -> None:
    first, _, _ = bench.run(*at(CURSOR, 10))
    again, evaluated, _ = bench.run(*at(CURSOR, 10))
    assert (again, evaluated) == (first, 0)


def test_generating_leaves_no_cell_behind(bench: Bench) -> None:
    bench.run(*at(CURSOR, 10))
    before = bench.cells()
    bench.run(*at(CURSOR, 10))
    assert bench.cells() == before


def test_a_cursor_that_moved_forward_keeps_the_rest_of_the_suffix(bench: Bench) -> None:
    line = SOURCE.index("    return mean([")
    bench.run(SOURCE[:CURSOR], SOURCE[CURSOR:])
    bench.warm.tidy()
    _, evaluated, carried = bench.run(SOURCE[:line], SOURCE[line:])
    moved = len(bench.model.vocabulary.tokenize(SOURCE[CURSOR:line]))
    assert carried >= len(bench.encoded(SOURCE[:line], SOURCE[line:]).suffix) - 1
    assert evaluated <= moved + 3


def test_a_cursor_that_moved_back_evaluates_only_what_it_passed(bench: Bench) -> None:
    line = SOURCE.index("    return mean([")
    bench.run(SOURCE[:line], SOURCE[line:])
    bench.warm.tidy()
    _, evaluated, carried = bench.run(SOURCE[:CURSOR], SOURCE[CURSOR:])
    assert carried > 30
    assert evaluated <= len(bench.model.vocabulary.tokenize(SOURCE[CURSOR:line])) + 3
    _, evaluated, carried = bench.run(SOURCE[: CURSOR + 4], SOURCE[CURSOR:])
    assert carried > 30
    assert evaluated <= 4


def test_a_fresh_evaluation_forgets_what_was_carried(bench: Bench, other: Bench) -> None:
    bench.run(*at(CURSOR))
    bench.run(*at(CURSOR, 13))
    text, _, carried = bench.run(*at(CURSOR, 13), fresh=True)
    assert carried == 0
    assert text == other.run(*at(CURSOR, 13))[0]


def test_typing_past_the_gap_moves_the_suffix(bench: Bench) -> None:
    bench.run(*at(CURSOR))
    bench.warm.tidy()
    prefix, suffix = at(CURSOR)
    longer = prefix + "    # one two three\n" * (GAP // 5)
    assert len(bench.encoded(longer, suffix).before) > len(bench.encoded(prefix, suffix).before) + GAP
    text, _, carried = bench.run(longer, suffix)
    assert carried == len(bench.encoded(prefix, suffix).suffix)
    assert text


def test_an_abort_keeps_what_was_evaluated(bench: Bench) -> None:
    bench.run(*at(CURSOR))
    prompt = bench.encoded("x = 1\n" * 20 + at(CURSOR)[0], at(CURSOR)[1])
    bench.abort.up()
    place = bench.warm.open(prompt, fresh=False)
    with pytest.raises(AbortedError):
        bench.warm.decode(place.slot, [*place.pending, prompt.trigger], place.position, logits=True)
    bench.warm.close(place)
    bench.abort.down()
    text, evaluated, _ = bench.run(*at(CURSOR))
    assert evaluated == 0
    assert text


def test_files_stay_warm_side_by_side(bench: Bench) -> None:
    bench.run(*at(CURSOR))
    bench.run("import json\n\n\ndef load(path):\n    return ", "\n")
    assert bench.run(*at(CURSOR))[1] == 0


def test_a_full_cache_forgets_the_file_used_longest_ago(model: Model) -> None:
    bench = Bench(model, cells=256)
    try:
        bench.run(*at(CURSOR))
        for name in ("alpha", "beta", "gamma"):
            text, _, _ = bench.run(f"def {name}(x):\n    return x\n\n\n" * 8, "\n")
            assert isinstance(text, str)
        assert bench.run(*at(CURSOR))[1] > 90
    finally:
        bench.context.close()
