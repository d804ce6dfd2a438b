"""A model's vocabulary, as llama.cpp knows it: text to token ids and back, and the tokens with a meaning."""

from __future__ import annotations

import ctypes
from typing import Any

from llama_cpp import llama_cpp as _bindings

from models.prompt import Sentinels

# The bindings' annotations name ctypes where Python numbers come and go.
llama: Any = _bindings


class Vocabulary:
    """Text to token ids and back."""

    def __init__(self, model: Any) -> None:
        self._vocab: Any = llama.llama_model_get_vocab(model)
        self.size = llama.llama_vocab_n_tokens(self._vocab)
        self._room = (llama.llama_token * 4096)()
        begins = llama.llama_vocab_get_add_bos(self._vocab)
        self.start: list[int] = [llama.llama_vocab_bos(self._vocab)] if begins else []
        """What the model expects at the very beginning."""
        self.sentinels = self._find_sentinels()
        """The model's fill-in-the-middle tokens, or None where it has none."""
        self.end = self._find_end()
        """What the model itself puts after a completed middle."""

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of ``text``; sentinels spelled inside it stay text."""
        return self._tokenize(text, special=False)

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        # A lone surrogate has no UTF-8: the model sees a question mark.
        raw = text.encode("utf-8", "replace")
        if len(self._room) < len(raw) + 8:
            self._room = (llama.llama_token * (2 * len(raw) + 8))()
        count = llama.llama_tokenize(self._vocab, raw, len(raw), self._room, len(self._room), False, special)
        return self._room[:count]

    def piece(self, token: int) -> bytes:
        """Return the bytes of ``token``; a control token has none."""
        room = ctypes.create_string_buffer(64)
        size = llama.llama_token_to_piece(self._vocab, token, room, len(room), 0, False)
        if size < 0:
            room = ctypes.create_string_buffer(-size)
            size = llama.llama_token_to_piece(self._vocab, token, room, len(room), 0, False)
        return room.raw[:size]

    def _find_sentinels(self) -> Sentinels | None:
        ids = (
            llama.llama_vocab_fim_pre(self._vocab),
            llama.llama_vocab_fim_suf(self._vocab),
            llama.llama_vocab_fim_mid(self._vocab),
        )
        if min(ids) < 0:
            return None
        repository, separator = (
            token if token >= 0 else None
            for token in (llama.llama_vocab_fim_rep(self._vocab), llama.llama_vocab_fim_sep(self._vocab))
        )
        if separator is not None:
            return Sentinels(*ids, repository, separator)
        # llama.cpp does not look for StarCoder2's spelling of these two.
        spelled = [self._tokenize(text, special=True) for text in ("<repo_name>", "<file_sep>")]
        if all(len(tokens) == 1 for tokens in spelled):
            return Sentinels(*ids, spelled[0][0], spelled[1][0], path_inside=True)
        return Sentinels(*ids)

    def _find_end(self) -> int:
        # An instruct model's own end of text closes a chat's turn, which middles were never trained with.
        spelled = self._tokenize("<|endoftext|>", special=True)
        if len(spelled) == 1 and llama.llama_vocab_is_eog(self._vocab, spelled[0]):
            return spelled[0]
        turn = llama.llama_vocab_eot(self._vocab)
        return turn if turn >= 0 else llama.llama_vocab_eos(self._vocab)

    def is_end(self, token: int) -> bool:
        """Whether ``token`` ends a completion: an end of generation, or any sentinel."""
        if self.sentinels and token in self.sentinels.ids:
            return True
        return llama.llama_vocab_is_eog(self._vocab, token)
