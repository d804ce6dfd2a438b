"""A line's end is known however a model writes it: the default model's own ways, on a real prompt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from models.completer import Completer
from models.decode import Judged, ended
from models.engine import Request, Stop
from models.line_end import End, LineEnds, end_of
from models.llama import AbortFlag, Context, ContextShape, Model
from models.prompt import Prompt, encode_target

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN = Prompt("def area(width, height", "\n", "area.py")


@pytest.fixture
def completer(coder: Model) -> Iterator[Completer]:
    context = Context(coder, ContextShape(256, 2, 2), AbortFlag())
    yield Completer(coder, context, lambda: "")
    context.close()


def test_any_break_or_end_stands_in_place_of_the_end(coder: Model) -> None:
    vocabulary = coder.vocabulary
    tokens = encode_target("):", vocabulary, ends=True)
    joined, ends = LineEnds(vocabulary).instead(tokens)
    assert tokens == [*vocabulary.tokenize("):"), vocabulary.end]
    assert set(vocabulary.tokenize("):\n")) <= set(joined)
    assert {vocabulary.piece(token).partition(b"\n")[0].strip() for token in joined} == {b"):"}
    assert {*vocabulary.tokenize("\n"), *vocabulary.tokenize("\n\n")} <= set(ends)
    assert vocabulary.end not in ends
    pieces = [vocabulary.piece(token) for token in ends if not vocabulary.is_end(token)]
    assert all(piece.lstrip(b" \t\r").startswith(b"\n") for piece in pieces)


def test_what_serving_cuts_at_the_lines_end_is_what_greedy_decoding_writes(completer: Completer) -> None:
    request = Request(OPEN, stop=Stop.LINE, max_tokens=16)
    written = completer.complete(request, 0.0).candidates[0]
    assert (written.text, written.stopped_by) == ("):", "newline")
    assert not any(completer.score(OPEN, "):", End.LINE).ranks)
    # The model's own end token is none that it would have written.
    assert any(completer.score(OPEN, "):", End.TEXT).ranks)


def test_the_ways_of_ending_a_line_add_up(completer: Completer, coder: Model) -> None:
    def of(text: str, end: End = End.UNSAID) -> float:
        return sum(completer.score(OPEN, text, end).logprobs)

    whole = of("):", End.LINE)
    # Single tokens, of which the first two are among the ways.
    joined, apart = math.exp(of("):\n")), math.exp(of("):", End.TEXT))
    assert len(coder.vocabulary.tokenize("):\n")) == 1
    assert joined + apart < math.exp(whole) < 1.0
    assert math.exp(whole) == pytest.approx(joined + apart, abs=0.1)
    # Another line takes its probability from this one.
    assert math.exp(whole) + math.exp(of(", depth):", End.LINE)) < 1.0


def test_a_line_that_goes_on_is_not_ended(completer: Completer) -> None:
    unended, ended = completer.score(OPEN, ")", End.UNSAID), completer.score(OPEN, ")", End.LINE)
    assert len(ended.logprobs) == len(unended.logprobs) + 1
    assert ended.ranks[-1] > 0
    assert sum(ended.logprobs) < -2


@pytest.mark.parametrize(
    ("before", "ranks"),
    [
        (Judged(-3.0, 0, -0.1, is_other=True), (0, 0)),  # ended together with what stands before
        (Judged(-3.0, 1, -2.0, is_other=True), (1, 7)),  # another token is likelier still
        (Judged(-0.1, 0, -3.0, is_other=False), (0, 7)),
    ],
)
def test_after_what_has_ended_the_line_no_end_is_asked_for(before: Judged, ranks: tuple[int, int]) -> None:
    found = ended(before, Judged(-4.0, 7, -5.0))
    assert tuple(each.rank for each in found) == ranks


@pytest.mark.parametrize(
    ("target", "stop", "ends", "found"),
    [
        ("total", Stop.LINE, True, End.LINE),
        ("total", Stop.BLOCK, True, End.UNSAID),  # a line further left ends it, which no token says
        ("", Stop.LINE, True, End.TEXT),
        ("", Stop.BLOCK, True, End.TEXT),
        ("total", Stop.LINE, False, End.UNSAID),
    ],
)
def test_what_shows_that_a_text_is_whole(target: str, stop: Stop, ends: bool, found: End) -> None:
    assert end_of(target, stop, ends=ends) is found
