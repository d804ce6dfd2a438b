"""Drafts change how fast a completion comes and nothing else, with the real models.

Batches cost nothing here, so that whatever may follow is drafted, however unlikely.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from test_engine_adapters import DIGEST, shapes_of, write_adapter

from models.completer import Completer
from models.draft_length import BatchCosts
from models.engine import Request, Stop
from models.line_end import End
from models.llama import AbortedError, AbortFlag, Context, ContextShape
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.engine import Candidate, Completion
    from models.llama import Model

FREE = BatchCosts({1: 1.0, 16: 1.0})
BODY = """\
    total = 0
    for number in numbers:
        total += number
    if total > 100:
        raise ValueError("too much")
    return total / len(numbers)
"""
SOURCE = f"def mean(numbers):\n{BODY}\n\ndef middle(numbers):\n{BODY}\n\ndef average(numbers):\n{BODY}"
COPYING = Request(
    Prompt(SOURCE[: SOURCE.rindex("    for number")], ""), stop=Stop.BLOCK, indent=-1, max_tokens=24
)
"""SmolLM copies here for a while, and never ends by itself."""
CLOSE = 0.05
"""Natural log-probabilities: what one batch rounds otherwise than another."""


class Bench:
    def __init__(self, model: Model, cells: int = 1024) -> None:
        self.abort = AbortFlag()
        self.context = Context(model, ContextShape(cells, 6, 2, ubatch=16), self.abort)
        self.completer = Completer(model, self.context, lambda: DIGEST)

    def complete(self, request: Request, *, drafting: bool) -> Completion:
        self.completer.timer.costs = FREE if drafting else None
        return self.completer.complete(request, 0.0)

    def is_the_same(self, request: Request, ours: Candidate, plain: Candidate) -> bool:
        """Whether the two are the same, or part where the model itself is undecided."""
        if ours.text == plain.text:
            return ours.logprobs == pytest.approx(plain.logprobs, abs=CLOSE)
        scored = [
            self.completer.score(request.prompt, each.text, End.TEXT).logprobs for each in (ours, plain)
        ]
        return next(abs(a - b) for a, b in zip(*scored, strict=False) if a != b) < CLOSE


@pytest.fixture(scope="module")
def bench(tiny: Model) -> Iterator[Bench]:
    bench = Bench(tiny)
    yield bench
    bench.context.close()


def cursor(at: int, stop: Stop, recalled: str) -> Request:
    return Request(Prompt(SOURCE[:at], SOURCE[at + 90 :]), stop=stop, max_tokens=24, draft=recalled)


@pytest.mark.parametrize("seed", range(6))
def test_every_text_is_what_greedy_decoding_writes(bench: Bench, seed: int) -> None:
    draw = random.Random(seed)
    at = draw.randrange(len(SOURCE) // 2, len(SOURCE))
    recalled = draw.choice(
        ["", SOURCE[at : at + 90], SOURCE[at : at + 15] + "something else", "nonsense = 1"]
    )
    request = cursor(at, draw.choice([Stop.LINE, Stop.BLOCK]), recalled)
    plain = bench.complete(request, drafting=False)
    ours = bench.complete(request, drafting=True)
    assert bench.is_the_same(request, ours.candidates[0], plain.candidates[0])
    assert ours.candidates[0].stopped_by == plain.candidates[0].stopped_by
    assert plain.timings.drafted_tokens == 0


def test_a_copy_comes_in_few_batches(bench: Bench) -> None:
    written = bench.complete(COPYING, drafting=False).candidates[0].text
    timings = bench.complete(replace(COPYING, draft=written), drafting=True).timings
    assert timings.generated_tokens == COPYING.max_tokens
    assert 20 <= timings.accepted_tokens <= timings.drafted_tokens < 24


def test_what_is_drafted_in_vain_leaves_no_cell_behind(bench: Bench) -> None:
    request = cursor(SOURCE.rindex(BODY), Stop.BLOCK, "nonsense = 1")
    bench.complete(request, drafting=False)
    cells = bench.context.state(0)
    drafted = bench.complete(request, drafting=True).timings
    assert drafted.accepted_tokens < drafted.drafted_tokens
    assert bench.context.state(0) == cells


def test_of_several_candidates_only_the_best_is_drafted(bench: Bench) -> None:
    request = replace(COPYING, max_tokens=12, candidates=3)
    plain = bench.complete(request, drafting=False)
    ours = bench.complete(request, drafting=True)
    assert [each.text for each in ours.candidates] == [each.text for each in plain.candidates]
    alone = bench.complete(replace(request, candidates=1), drafting=True)
    assert ours.timings.drafted_tokens <= alone.timings.drafted_tokens + 1
    assert ours.timings.drafted_tokens > 0


def test_drafts_are_verified_by_what_the_adapter_writes(bench: Bench, smollm: Path, tmp_path: Path) -> None:
    shapes = shapes_of(smollm)
    adapter = write_adapter(tmp_path / "a.gguf", architecture="llama", shapes=shapes, base=DIGEST)
    base = bench.complete(COPYING, drafting=True).candidates[0]
    bench.completer.use_adapter(adapter)
    try:
        plain = bench.complete(COPYING, drafting=False).candidates[0]
        ours = bench.complete(COPYING, drafting=True).candidates[0]
        assert bench.is_the_same(COPYING, ours, plain)
    finally:
        bench.completer.use_adapter(None)
    assert ours.text != base.text


def test_an_abort_between_drafts_keeps_the_prompt_warm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.complete(COPYING, drafting=True)
    evaluate = bench.context.logits_after_each

    def interrupted(tokens: list[int], *place: int) -> Iterator[object]:
        if len(tokens) > 4:
            bench.abort.up()
        return evaluate(tokens, *place)

    monkeypatch.setattr(bench.context, "logits_after_each", interrupted)
    with pytest.raises(AbortedError):
        bench.complete(COPYING, drafting=True)
    bench.abort.down()
    monkeypatch.undo()
    again = bench.complete(COPYING, drafting=True)
    assert again.timings.evaluated_tokens == 0
    assert again.candidates == before.candidates


def test_a_draft_makes_room_where_the_cache_is_full(tiny: Model) -> None:
    bench = Bench(tiny, cells=256)
    try:
        for name in ("alpha", "beta"):
            bench.complete(Request(Prompt(f"{name} = {name}\n" * 10, ""), max_tokens=1), drafting=False)
        request = Request(Prompt("first = 1\n" * 8, ""), stop=Stop.BLOCK, indent=-1, max_tokens=64)
        timings = bench.complete(request, drafting=True).timings
        assert (timings.generated_tokens, timings.accepted_tokens > 32) == (64, True)
    finally:
        bench.context.close()


def test_batches_are_timed_beside_a_warm_prompt_which_stays_warm(bench: Bench) -> None:
    request = cursor(SOURCE.rindex(BODY), Stop.LINE, "")
    bench.complete(request, drafting=False)
    cells = bench.context.state(0)
    bench.completer.timer.step()
    assert bench.completer.timer.costs is not None
    assert bench.context.state(0) == cells
    assert bench.complete(request, drafting=True).timings.evaluated_tokens == 0


def test_drafts_work_between_prefix_and_carried_suffix(coder: Model) -> None:
    """Typed on within a line: the suffix is carried, and what is copied begins within a word."""
    bench = Bench(coder)
    head, line = SOURCE[: SOURCE.rindex("        raise")], '        raise ValueError("too much")'
    suffix = "\n    return total / len(numbers)\n\n\nprint(mean([1]), middle([2]), average([3, 4]))\n"
    try:
        for typed in (8, 17):
            request = Request(Prompt(head + line[:typed], suffix), max_tokens=16)
            ours = bench.complete(request, drafting=True)
            plain = bench.complete(request, drafting=False)
            assert line[:typed] + ours.candidates[0].text == line
            assert bench.is_the_same(request, ours.candidates[0], plain.candidates[0])
            assert ours.timings.accepted_tokens > 1
            assert (ours.timings.carried_tokens > 0) == (typed == 17)
    finally:
        bench.context.close()
