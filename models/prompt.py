"""The prompt: what the model is shown, and the one place that knows the sentinel tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

_LETTERS_AT_END = re.compile(rb"[A-Za-z]+\Z")
LONGEST_HEALED = 32
"""Bytes; what is longer is no word."""


@dataclass(frozen=True)
class Chunk:
    """A piece of another place in the workspace, shown in front of the current file."""

    path: str
    """Relative to its workspace, with forward slashes."""
    text: str


@dataclass(frozen=True)
class Prompt:
    """What is around the cursor, as text; the same type serves completing, recording and training."""

    prefix: str
    """The text before the cursor, from the start of a line on."""
    suffix: str
    """The text after the cursor."""
    path: str = ""
    """The current file, relative to its workspace, with forward slashes."""
    repository: str = ""
    """The workspace's name."""
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True)
class Sentinels:
    """The tokens that mark the parts of a fill-in-the-middle prompt, as the model's vocabulary names them."""

    prefix: int
    suffix: int
    middle: int
    repository: int | None = None
    separator: int | None = None
    """Stands before each file of a repository."""
    path_inside: bool = False
    """The current file's path comes after ``prefix`` rather than before it (StarCoder2)."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Every sentinel the model has; a completion ends at any of them."""
        found = (self.prefix, self.suffix, self.middle, self.repository, self.separator)
        return tuple(token for token in found if token is not None)


class Tokenizer(Protocol):
    """What encoding needs of a vocabulary."""

    @property
    def start(self) -> list[int]: ...

    @property
    def sentinels(self) -> Sentinels | None: ...

    @property
    def end(self) -> int: ...

    def tokenize(self, text: str) -> list[int]: ...

    def piece(self, token: int) -> bytes: ...


@dataclass(frozen=True)
class Encoded:
    """A prompt as token ids: ``before``, then ``suffix``, then ``trigger``."""

    before: list[int]
    """Chunks and prefix and, with fill-in-the-middle, the sentinel that opens the suffix."""
    suffix: list[int]
    trigger: int
    """The token whose logits are the completion's first token's; an adapter acts from here on."""
    layout: str
    """The layout's name and version: ``psm-1``, ``psm-path-inside-1`` (StarCoder2's order) or ``ltr-1``."""
    heal: bytes = b""
    """What the prefix had after its last token here; the completion's first tokens begin with it."""

    @property
    def size(self) -> int:
        return len(self.before) + len(self.suffix) + 1


def encode(prompt: Prompt, tokenizer: Tokenizer, limit: int) -> Encoded:
    """Return ``prompt`` as at most ``limit`` tokens, in the layout the model was trained on.

    A longer one loses the suffix's end, then the chunks, then the prefix's beginning (at a line's start).
    """
    sentinels = tokenizer.sentinels
    if sentinels is None:
        return _left_to_right(prompt, tokenizer, limit)
    return _fill_in_the_middle(prompt, tokenizer, sentinels, limit)


def healed(encoded: Encoded, tokenizer: Tokenizer) -> Encoded:
    """Return the prompt without the tokens that hold the letters before the cursor, which go into ``heal``.

    A word that has only begun is split otherwise than the whole word (``ret u`` and not ``return``), and
    models have seldom seen it so; generating it again from its beginning lets them write the token they
    know (token healing, as in the guidance library). It also keeps the prompt the same from one letter to
    the next.
    """
    opens_suffix = [] if encoded.layout.startswith("ltr") else encoded.before[-1:]
    tokens = encoded.before[:-1] if opens_suffix else [*encoded.before, encoded.trigger]
    heal = b""
    while len(tokens) > 1 and _LETTERS_AT_END.search(piece := tokenizer.piece(tokens[-1])):
        if heal and not heal[:1].isalpha():
            break  # the letters began within the token that was removed last
        heal = piece + heal
        tokens.pop()
    if not heal.isascii() or len(heal) > LONGEST_HEALED:
        return encoded
    if opens_suffix:
        return replace(encoded, before=[*tokens, *opens_suffix], heal=heal)
    return replace(encoded, before=tokens[:-1], trigger=tokens[-1], heal=heal)


def encode_target(text: str, tokenizer: Tokenizer, *, ends: bool) -> list[int]:
    """Return ``text`` as the tokens that follow the trigger, and with ``ends`` what ends a completion.

    The prompt's tokens end at the cursor, even within a word; so ``text`` is split by itself, as it is
    generated. After a middle the model ends with its own end token; left to right, with the line.
    """
    end = _continued("\n", tokenizer) if tokenizer.sentinels is None else [tokenizer.end]
    return [*_continued(text, tokenizer), *(end if ends else [])]


def _continued(text: str, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of ``text`` without the space that sentencepiece vocabularies put in front."""
    tokens = tokenizer.tokenize(text)
    if b"".join(map(tokenizer.piece, tokens)) == text.encode("utf-8", "replace"):
        return tokens
    anchor = tokenizer.tokenize("\n")
    return tokenizer.tokenize(f"\n{text}")[len(anchor) :]


def _left_to_right(prompt: Prompt, tokenizer: Tokenizer, limit: int) -> Encoded:
    room = limit - len(tokenizer.start) - 1
    prefix = _last_lines(tokenizer.tokenize(prompt.prefix), tokenizer, room)
    chunks = tokenizer.tokenize("".join(_with_newline(chunk.text) for chunk in prompt.chunks))
    if len(chunks) + len(prefix) > room:
        chunks = []
    tokens = [*tokenizer.start, *chunks, *prefix] or tokenizer.tokenize("\n")
    return Encoded(tokens[:-1], [], tokens[-1], "ltr-1")


def _fill_in_the_middle(prompt: Prompt, tokenizer: Tokenizer, sentinels: Sentinels, limit: int) -> Encoded:
    head = _chunks(prompt, tokenizer, sentinels)
    name: list[int] = []
    if head and sentinels.separator is not None:
        head.append(sentinels.separator)
        name = tokenizer.tokenize(f"{prompt.path}\n")
    opening = [sentinels.prefix, *name] if sentinels.path_inside else [*name, sentinels.prefix]
    room = limit - len(tokenizer.start) - len(opening) - 2
    suffix = tokenizer.tokenize(prompt.suffix)
    prefix = tokenizer.tokenize(prompt.prefix)
    if len(prefix) + len(suffix) > room:
        suffix = suffix[: max(room // 4, room - len(prefix))]
        prefix = _last_lines(prefix, tokenizer, room - len(suffix))
    if len(head) + len(prefix) + len(suffix) > room:
        head, opening = [], [sentinels.prefix]
    before = [*tokenizer.start, *head, *opening, *prefix, sentinels.suffix]
    return Encoded(
        before, suffix, sentinels.middle, "psm-path-inside-1" if sentinels.path_inside else "psm-1"
    )


def _chunks(prompt: Prompt, tokenizer: Tokenizer, sentinels: Sentinels) -> list[int]:
    """Return the chunks as files of a repository; as plain text where the model knows no repositories."""
    if not prompt.chunks:
        return []
    if sentinels.separator is None:
        return tokenizer.tokenize("".join(_with_newline(chunk.text) for chunk in prompt.chunks))
    tokens: list[int] = []
    if sentinels.repository is not None:
        tokens += [sentinels.repository, *tokenizer.tokenize(f"{prompt.repository}\n")]
    for chunk in prompt.chunks:
        tokens += [sentinels.separator, *tokenizer.tokenize(f"{chunk.path}\n{_with_newline(chunk.text)}")]
    return tokens


def _with_newline(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _last_lines(tokens: list[int], tokenizer: Tokenizer, room: int) -> list[int]:
    """Return the last ``room`` tokens or fewer, from a line's start where one is among them."""
    if len(tokens) <= room:
        return tokens
    kept = tokens[len(tokens) - room :] if room > 0 else []
    for index, token in enumerate(kept[:-1]):
        if tokenizer.piece(token).endswith(b"\n"):
            return kept[index + 1 :]
    return kept
