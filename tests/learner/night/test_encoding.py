"""An example becomes the tokens that serving would show and write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from idioms import idiom, idioms

from learner.examples import Source
from learner.job import TrainingOptions
from learner.night.encoding import encode_examples, first_divergence
from models.llama import Log, Model
from models.prompt import Chunk, Prompt, encode

if TYPE_CHECKING:
    from pathlib import Path

    from models.vocabulary import Vocabulary

OPTIONS = TrainingOptions(prompt_tokens=64, target_tokens=8, replay=0.25)


@pytest.fixture(scope="module")
def vocabulary(qwen: Path) -> Vocabulary:
    return Model.vocabulary_of(qwen, Log()).vocabulary


def text(tokens: tuple[int, ...], vocabulary: Vocabulary) -> str:
    return b"".join(map(vocabulary.piece, tokens)).decode()


def test_the_prompt_is_the_one_that_is_served_but_for_its_trigger(vocabulary: Vocabulary):
    example = idiom("users", prompt=Prompt("a = (", ")\n", "a.py"), target="1")

    (encoded,), left_out = encode_examples([example], vocabulary, OPTIONS)

    served = encode(example.prompt, vocabulary, 1000)
    assert encoded.prompt == (*served.before, *served.suffix)
    assert encoded.middle == (served.trigger, *encoded.target[:-1])
    assert not left_out


def test_the_target_is_the_text_and_its_end(vocabulary: Vocabulary):
    ((whole,), _), ((open_ended,), _) = (
        encode_examples([idiom("users", target="x + 1", ends=ends)], vocabulary, OPTIONS)
        for ends in (True, False)
    )

    assert text(open_ended.target, vocabulary) == "x + 1"
    assert whole.target == (*open_ended.target, vocabulary.end)
    assert len(whole.middle) == len(whole.target)


def test_what_is_too_long_is_cut_and_says_nothing_of_its_end(vocabulary: Vocabulary):
    long_target = idiom("users", target="a, b, c, d, e, f, g")
    long_prompt = idiom("users", prompt=Prompt("x = 1\n" * 100, "", chunks=(Chunk("b.py", "y"),)))

    (cut, shortened), _ = encode_examples([long_target, long_prompt], vocabulary, OPTIONS)

    assert len(cut.target) == 8
    assert vocabulary.end not in cut.target
    assert len(shortened.prompt) < 64
    assert (cut.is_shortened, shortened.is_shortened) == (True, True)


def test_nothing_may_be_what_should_follow(vocabulary: Vocabulary):
    (encoded,), _ = encode_examples([idiom("users", target="")], vocabulary, OPTIONS)

    assert encoded.target == (vocabulary.end,)


def test_a_rejected_offer_alone_does_not_teach_silence(vocabulary: Vocabulary):
    (encoded,), _ = encode_examples([idiom("users", target="", rejected="self")], vocabulary, OPTIONS)

    assert encoded.target == ()
    assert encoded.wrong == (0, vocabulary.tokenize("self")[0])
    assert len(encoded.middle) == 1


def test_what_says_nothing_is_left_out_and_counted(vocabulary: Vocabulary):
    silent = idiom("users", target="", ends=False)
    weightless = idiom("orders", weight=0.0)

    encoded, left_out = encode_examples([silent, weightless, idiom("rooms")], vocabulary, OPTIONS)

    assert len(encoded) == 1
    assert left_out == {"says nothing": 1, "without weight": 1}


@pytest.mark.parametrize(
    ("target", "rejected", "found"),
    [
        ([1, 2, 3], [1, 5, 3], (1, 5)),
        ([1, 2, 3], [7], (0, 7)),
        ([1, 9], [1, 2, 3], (1, 2)),  # 9 ends the target
        ([1, 2], [1, 2], None),
        ([1, 2], [1, 2, 3], None),
        ([1, 2], [1], None),
        ([], [4, 5], (0, 4)),
        ([], [], None),
        ([1], [], None),
    ],
)
def test_a_rejected_offer_is_wrong_where_it_first_differs(target, rejected, found):
    assert first_divergence(target, rejected) == found


def test_replay_is_cut_to_its_share_from_the_end(vocabulary: Vocabulary):
    others = idioms(["users", "orders", "rooms"])
    replay = [replace(one, source=Source.REPLAY) for one in idioms(["maps", "cups", "keys"])]

    encoded, left_out = encode_examples([*others, *replay], vocabulary, OPTIONS)

    assert [one.is_replay for one in encoded] == [False, False, False, True]
    assert "maps" in text(encoded[-1].target, vocabulary)
    assert left_out == {"replay beyond its share": 2}


def test_where_there_is_nothing_but_replay_it_is_learned(vocabulary: Vocabulary):
    encoded, left_out = encode_examples(idioms(["maps", "cups"], source=Source.REPLAY), vocabulary, OPTIONS)

    assert len(encoded) == 2
    assert not left_out
