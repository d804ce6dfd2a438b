"""How a prompt becomes tokens, with each real vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.prompt import Chunk, Encoded, Prompt, Sentinels, encode, encode_target

if TYPE_CHECKING:
    from models.llama import Model

ENDOFTEXT = 151643
"""``<|endoftext|>`` in Qwen's vocabulary, whose own end of text is ``<|im_end|>``."""


def text_of(model: Model, encoded: Encoded) -> str:
    """Spell the prompt out, each sentinel as one of ``[PRE]``, ``[SUF]`` and so on."""
    sentinels = model.vocabulary.sentinels
    names: dict[int, bytes] = {}
    if sentinels:
        names = dict(zip(sentinels.ids, (b"[PRE]", b"[SUF]", b"[MID]", b"[REP]", b"[SEP]"), strict=True))
    tokens = [*encoded.before, *encoded.suffix, encoded.trigger]
    return b"".join(names.get(token) or model.vocabulary.piece(token) for token in tokens).decode()


def test_a_coder_model_is_shown_prefix_suffix_middle(coder: Model) -> None:
    encoded = encode(Prompt("def f(", "):\n    pass\n"), coder.vocabulary, 512)
    assert text_of(coder, encoded) == "[PRE]def f([SUF]):\n    pass\n[MID]"
    assert encoded.layout == "psm-1"


def test_chunks_stand_in_front_as_files_of_the_repository(coder: Model) -> None:
    prompt = Prompt("a = ", "\n", "src/a.py", "shop", (Chunk("b.py", "B = 1"), Chunk("c.py", "C = 2\n")))
    assert text_of(coder, encode(prompt, coder.vocabulary, 512)) == (
        "[REP]shop\n[SEP]b.py\nB = 1\n[SEP]c.py\nC = 2\n[SEP]src/a.py\n[PRE]a = [SUF]\n[MID]"
    )


def test_starcoders_path_stands_inside_the_prefix(coder: Model) -> None:
    class StarCoder:
        start: list[int] = []  # noqa: RUF012  a fake's constant
        sentinels = Sentinels(1, 2, 3, 4, 5, path_inside=True)
        end = 0
        tokenize = coder.vocabulary.tokenize
        piece = coder.vocabulary.piece

    encoded = encode(Prompt("a = ", "\n", "a.py", "shop", (Chunk("b.py", "B"),)), StarCoder(), 512)
    name = coder.vocabulary.tokenize("a.py\n")
    last = len(encoded.before) - 1 - encoded.before[::-1].index(5)
    assert encoded.before[last : last + 2 + len(name)] == [5, 1, *name]
    assert encoded.layout == "psm-path-inside-1"


def test_a_model_without_sentinels_is_shown_what_is_left(tiny: Model) -> None:
    prompt = Prompt("def f(", "):\n", "a.py", "shop", (Chunk("b.py", "B = 1"),))
    encoded = encode(prompt, tiny.vocabulary, 512)
    assert text_of(tiny, encoded) == "B = 1\ndef f("
    assert (encoded.suffix, encoded.layout) == ([], "ltr-1")


def test_an_empty_document_is_a_prompt_too(tiny: Model, coder: Model) -> None:
    assert text_of(coder, encode(Prompt("", ""), coder.vocabulary, 512)) == "[PRE][SUF][MID]"
    assert text_of(tiny, encode(Prompt("", ""), tiny.vocabulary, 512)) == "\n"


@pytest.mark.parametrize("spelled", ["<|fim_middle|>", "<|file_sep|>", "<|im_end|>", "<|endoftext|>"])
def test_a_sentinel_spelled_in_source_stays_text(coder: Model, spelled: str) -> None:
    encoded = encode(Prompt(f"x = '{spelled}'", f"# {spelled}\n"), coder.vocabulary, 512)
    inside = [*encoded.before[1:-1], *encoded.suffix]
    assert not any(coder.vocabulary.is_end(token) for token in inside)
    assert text_of(coder, encoded) == f"[PRE]x = '{spelled}'[SUF]# {spelled}\n[MID]"


def test_every_sentinel_ends_a_completion(coder: Model) -> None:
    sentinels = coder.vocabulary.sentinels
    assert sentinels
    assert len(sentinels.ids) == 5
    assert all(coder.vocabulary.is_end(token) for token in sentinels.ids)


def test_a_prompt_too_long_loses_its_far_ends_at_line_starts(coder: Model) -> None:
    prefix = "".join(f"left_{number} = {number}\n" for number in range(200)) + "cursor = "
    suffix = "\n" + "".join(f"right_{number} = {number}\n" for number in range(200))
    encoded = encode(Prompt(prefix, suffix, chunks=(Chunk("b.py", "B = 1"),)), coder.vocabulary, 400)
    assert encoded.size <= 400
    text = text_of(coder, encoded)
    assert "left_199 = 199\ncursor = [SUF]\nright_0" in text
    assert text.startswith("[PRE]left_")
    assert "left_0 " not in text
    assert "right_199" not in text


@pytest.mark.parametrize("text", ["a\0b", "\ud800 = 1", "שלום", "a\r\nb\tc", "🌙" * 50])
def test_any_text_can_be_tokenized(coder: Model, tiny: Model, text: str) -> None:
    for model in (coder, tiny):
        tokens = model.vocabulary.tokenize(text)
        pieces = b"".join(model.vocabulary.piece(token) for token in tokens)
        assert pieces == text.encode("utf-8", "replace")


def test_a_target_ends_as_the_model_itself_ends_a_middle(coder: Model) -> None:
    """Measured on middles of the standard library: <|endoftext|> is the likeliest, <|im_end|> never."""
    vocabulary = coder.vocabulary
    assert vocabulary.end == ENDOFTEXT
    assert vocabulary.is_end(vocabulary.end)
    assert encode_target("x)", vocabulary, ends=True) == [*vocabulary.tokenize("x)"), vocabulary.end]
    assert encode_target("x)", vocabulary, ends=False) == vocabulary.tokenize("x)")
    assert encode_target("", vocabulary, ends=True) == [vocabulary.end]
    assert encode_target("", vocabulary, ends=False) == []


def test_left_to_right_a_target_ends_with_its_line(tiny: Model) -> None:
    tokens = encode_target("return x", tiny.vocabulary, ends=True)
    assert b"".join(map(tiny.vocabulary.piece, tokens)) == b"return x\n"
    assert encode_target("return x", tiny.vocabulary, ends=False) == tiny.vocabulary.tokenize("return x")


def test_a_target_within_a_word_is_split_as_it_is_generated(coder: Model) -> None:
    """The prompt's tokens end at the cursor: a target split together with them would not follow them."""
    before = encode(Prompt("self.ret", ""), coder.vocabulary, 512)
    target = encode_target("urn_value", coder.vocabulary, ends=False)
    assert target == coder.vocabulary.tokenize("urn_value")
    assert text_of(coder, before) == "[PRE]self.ret[SUF][MID]"
    whole = coder.vocabulary.tokenize("self.return_value")
    assert [*coder.vocabulary.tokenize("self.ret"), *target] != whole


def test_no_space_is_put_in_front_of_a_target() -> None:
    """As a sentencepiece vocabulary (CodeLlama's) does with every text."""

    class SentencePiece:
        start: list[int] = []  # noqa: RUF012  a fake's constant
        sentinels = Sentinels(1001, 1002, 1003)
        end = 1000

        def tokenize(self, text: str) -> list[int]:
            return list(f" {text}".encode())

        def piece(self, token: int) -> bytes:
            return bytes([token])

    for text in ("total", " total", "", "\n    x"):
        assert bytes(encode_target(text, SentencePiece(), ends=False)) == text.encode()
