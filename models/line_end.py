"""Where a completion ends: what a language model may write that says so, where only one line is asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from models.engine import Stop
from models.prompt import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANK = b" \t\r"


class End(StrEnum):
    """What is said of the end of a text that is scored or learned."""

    UNSAID = "unsaid"
    """It may go on."""
    TEXT = "text"
    """The model itself ends after it, with its end token."""
    LINE = "line"
    """Its line ends after it, however the model says so: serving cuts an offer of one line there."""


def end_of(target: str, stop: Stop, *, ends: bool) -> End:
    """Return what shows, to one who scores ``target``, that it is all that should follow.

    A block ends where serving sees the next line stand further left: no token says so.

    Args:
        ends: whether it is known that ``target`` is all.
    """
    if not ends:
        return End.UNSAID
    if not target.strip():
        return End.TEXT  # The only way of offering nothing: a break before anything was written ends nothing.
    return End.LINE if stop is Stop.LINE else End.UNSAID


class WholeVocabulary(Tokenizer, Protocol):
    """What finding all tokens of a kind needs of a vocabulary."""

    @property
    def size(self) -> int: ...

    def is_end(self, token: int) -> bool: ...


class LineEnds:
    """The tokens of a vocabulary that end a line, alone or together with what stands before the end.

    Models of code have tokens like ``):`` with the line's end behind it, which they take where they can.
    """

    def __init__(self, tokenizer: WholeVocabulary) -> None:
        self._piece = tokenizer.piece
        found: dict[bytes, list[int]] = {}
        for token in range(tokenizer.size):
            piece = self._piece(token)
            if b"\n" in piece:
                found.setdefault(piece.partition(b"\n")[0].rstrip(_BLANK), []).append(token)
            elif tokenizer.is_end(token):
                found.setdefault(b"", []).append(token)
        self._by_stem = {stem: tuple(tokens) for stem, tokens in found.items()}

    def instead(self, tokens: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what may as well stand in place of the last two of ``tokens``, of which the last is an end.

        In place of the last but one: the same with the line's end, after which the end is not asked for.
        """
        before, end = tokens[-2:]
        stem = self._piece(before).rstrip(_BLANK)
        joined = self._by_stem.get(stem, ()) if stem.strip() else ()
        return joined, tuple(token for token in self._by_stem[b""] if token != end)
