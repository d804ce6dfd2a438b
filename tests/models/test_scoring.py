"""Scoring says how likely a given text is, as generating it would, for any adapter on one prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_engine_adapters import DIGEST, shapes_of, write_adapter

from models.completer import Completer
from models.engine import EngineOptions, EngineStatus, Purpose, Request, Stop
from models.line_end import End
from models.llama import AbortFlag, Context, ContextShape, Log, Model
from models.prompt import Prompt
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = Prompt("def mean(numbers):\n    total = sum(numbers)\n    return total", "\n\nprint(mean([1, 2]))\n")


@pytest.fixture(scope="module")
def model(smollm: Path, llama_log: Log) -> Iterator[Model]:
    model = Model(smollm, gpu_layers=0, repack=False, log=llama_log)
    yield model
    model.close()


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    context = Context(model, ContextShape(256, 4, 2), AbortFlag())
    yield context
    context.close()


@pytest.fixture
def completer(model: Model, context: Context) -> Completer:
    return Completer(model, context, lambda: DIGEST)


@pytest.fixture
def adapter(smollm: Path, tmp_path: Path) -> Path:
    return write_adapter(
        tmp_path / "random.gguf", architecture="llama", shapes=shapes_of(smollm), base=DIGEST
    )


@pytest.fixture(params=["base", "adapter"])
def arm(request: pytest.FixtureRequest, completer: Completer, adapter: Path) -> Completer:
    completer.use_adapter(adapter if request.param == "adapter" else None)
    return completer


def test_what_greedy_decoding_wrote_scores_as_it_was_written(arm: Completer) -> None:
    # 40 tokens are several batches of the scoring, which may round a little differently than one at a time.
    request = Request(PROMPT, max_tokens=40, stop=Stop.BLOCK)
    written = arm.complete(request, 0.0).candidates[0]
    scored = arm.score(PROMPT, written.text, End.UNSAID)
    assert scored.ranks.count(0) >= len(scored.ranks) - 1
    # The first token is the word that has begun: generating was bound to it, so it was likelier there.
    assert scored.logprobs[1:] == pytest.approx(written.logprobs[1 : len(scored.logprobs)], abs=0.05)
    assert scored.logprobs[0] <= written.logprobs[0]


def test_an_unlikely_text_scores_worse_and_ranks_lower(completer: Completer) -> None:
    likely = completer.score(PROMPT, " / len(numbers)", End.UNSAID)
    unlikely = completer.score(PROMPT, " hippopotamus", End.UNSAID)
    assert max(likely.ranks) < 20 < max(unlikely.ranks)
    assert sum(likely.logprobs) > sum(unlikely.logprobs)


def test_the_end_is_scored_as_one_more_token(completer: Completer) -> None:
    text = completer.score(PROMPT, " /", End.UNSAID)
    ended = completer.score(PROMPT, " /", End.TEXT)
    assert ended.logprobs[:-1] == pytest.approx(text.logprobs, abs=0.02)
    assert len(ended.logprobs) == len(text.logprobs) + 1


def test_arms_are_compared_on_one_evaluation_of_the_prompt(
    completer: Completer, context: Context, adapter: Path
) -> None:
    completer.complete(Request(PROMPT, Purpose.WARM), 0.0)
    cells = context.state(0)
    base = completer.score(PROMPT, " / len(numbers)", End.TEXT)
    completer.use_adapter(adapter)
    adapted = completer.score(PROMPT, " / len(numbers)", End.TEXT)
    completer.use_adapter(None)
    assert completer.score(PROMPT, " / len(numbers)", End.TEXT) == base
    assert adapted != base
    assert context.state(0) == cells
    assert completer.complete(Request(PROMPT, Purpose.WARM), 0.0).timings.evaluated_tokens == 0


def test_scoring_makes_room_where_the_cache_is_full(completer: Completer) -> None:
    for word in ("alpha", "beta", "gamma"):
        completer.complete(Request(Prompt(f"{word} = {word}\n" * 12, ""), max_tokens=2), 0.0)
    target = "numbers = numbers\n" * 12
    assert len(completer.score(Prompt("first = 1\n", ""), target, End.UNSAID).logprobs) > 40


async def test_the_engine_process_scores(smollm: Path) -> None:
    def ignore(_: EngineStatus) -> None:
        """The status is of no interest here."""

    engine = ChildEngine(smollm, EngineOptions(threads=2, cells=512), ignore)
    await engine.start()
    try:
        scored = await engine.score(PROMPT, " / len(numbers)", End.TEXT)
        completion = await engine.complete(Request(PROMPT, max_tokens=4))
    finally:
        await engine.close()
    assert len(scored.logprobs) == len(scored.ranks) > 4
    assert completion is not None
    assert completion.timings.evaluated_tokens == 0
