"""A word that has only begun is generated again from its beginning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from models.completer import Completer
from models.decode import Decoder, Stopper
from models.engine import Request
from models.llama import AbortFlag, Context, ContextShape
from models.prompt import Prompt, encode, healed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.llama import Model
    from models.vocabulary import Vocabulary as LlamaVocabulary
    from models.warm import Warm


@pytest.mark.parametrize(
    ("prefix", "rest", "heal"),
    [
        ("    retu", "   ", " retu"),
        ("x = get_current_us", "x = get_current", "_us"),
        ("a = HTTPSer", "a =", " HTTPSer"),
        ("foo2ba", "foo2", "ba"),
        ("x = 4", "x = 4", ""),
        ("f(", "f(", ""),
        ("x = caf\u00e9s", "x = caf\u00e9s", ""),
        ("x = '" + "abcdefgh" * 6, "x = '" + "abcdefgh" * 6, ""),
    ],
)
def test_the_prompt_ends_where_the_letters_begin(coder: Model, prefix: str, rest: str, heal: str) -> None:
    vocabulary = coder.vocabulary
    plain = encode(Prompt(prefix, "\n"), vocabulary, 512)
    prompt = healed(plain, vocabulary)
    assert b"".join(map(vocabulary.piece, prompt.before)) == rest.encode()
    assert prompt.heal == heal.encode()
    assert prompt.before[-1] == plain.before[-1]
    assert (prompt.suffix, prompt.trigger) == (plain.suffix, plain.trigger)


def test_without_sentinels_the_last_token_left_is_the_trigger(tiny: Model) -> None:
    prompt = healed(encode(Prompt("x = retu", ""), tiny.vocabulary, 512), tiny.vocabulary)
    pieces = [tiny.vocabulary.piece(token) for token in (*prompt.before, prompt.trigger)]
    assert b"".join([*pieces, prompt.heal]) == b"x = retu"
    assert prompt.heal.startswith(b" r")


def test_a_prompt_keeps_a_token_to_begin_from(tiny: Model) -> None:
    prompt = healed(encode(Prompt("import", ""), tiny.vocabulary, 512), tiny.vocabulary)
    assert b"".join(map(tiny.vocabulary.piece, [*prompt.before, prompt.trigger])) + prompt.heal == b"import"


def test_the_prompt_stays_the_same_while_a_word_is_typed(coder: Model) -> None:
    vocabulary = coder.vocabulary
    word = " return"
    prompts = [
        healed(encode(Prompt(f"    x = 1\n   {word[:length]}", "\n"), vocabulary, 512), vocabulary)
        for length in range(2, len(word) + 1)
    ]
    assert len({tuple(prompt.before) for prompt in prompts}) == 1


def test_what_stands_there_already_is_not_offered() -> None:
    stopper = Stopper(Request(Prompt("", "")), len(b" retu"))
    assert not stopper.feed(b" re") and not stopper.feed(b"turn")
    assert stopper.feed(b" x\n")
    assert stopper.text == "rn x"


PIECES = [b"", b"r", b"re", b"return", b"returned", b"t", b"x"]


class Vocabulary:
    """Seven tokens, by their index in :data:`PIECES`."""

    size = len(PIECES)

    def piece(self, token: int) -> bytes:
        return PIECES[token]

    def tokenize(self, text: str) -> list[int]:
        assert text == "q"
        return [6]


@pytest.mark.parametrize(
    ("known", "tokens"),
    [(b"", [6, 4, 3, 2, 1, 5, 0]), (b"re", [4, 3, 2, 1]), (b"retu", [4, 3, 2, 1]), (b"tu", [5]), (b"q", [6])],
)
def test_only_tokens_that_agree_with_what_is_known_are_taken(known: bytes, tokens: list[int]) -> None:
    """Of "q" none is the beginning or begins with it: it is taken as the tokenizer spells it."""
    decoder = Decoder(cast("Context", None), cast("LlamaVocabulary", Vocabulary()), cast("Warm", None))
    logits = np.array([-9, 2, 3, 4, 5, 1, 6], np.float32)
    choices = decoder.best(logits, 7, known)
    assert [choice.token for choice in choices] == tokens
    assert sum(math.exp(choice.logprob) for choice in choices) == pytest.approx(1)


@pytest.fixture(scope="module")
def completer(coder: Model) -> Iterator[Completer]:
    context = Context(coder, ContextShape(512, 6, 2, ubatch=16), AbortFlag())
    yield Completer(coder, context, lambda: "0" * 64)
    context.close()


@pytest.mark.parametrize("typed", ["r", "re", "ret", "retu", "retur", "return"])
def test_a_word_is_finished_as_it_was_begun(completer: Completer, typed: str) -> None:
    prompt = Prompt(f"def add(left, right):\n    {typed}", "\n\nprint(add(1, 2))\n")
    candidate, *_ = completer.complete(Request(prompt, max_tokens=12), 0.0).candidates
    assert f"{typed}{candidate.text}" == "return left + right"


def test_a_word_that_the_model_would_not_write_is_taken_as_it_is(completer: Completer) -> None:
    prompt = Prompt("def add(left, right):\n    zxqv", "\n")
    completion = completer.complete(Request(prompt, max_tokens=12, candidates=3), 0.0)
    assert completion.candidates
