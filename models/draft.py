"""Drafts: tokens that are likely to follow because the same text stands somewhere already.

Verified in one batch (speculative decoding, Leviathan et al. 2023, arXiv 2211.17192) they change nothing but
the speed: a drafted token is taken only where it is the model's own choice. There is no draft model. Where
the last tokens stand elsewhere in the prompt, what follows them there is the draft (prompt lookup decoding,
Saxena 2023; LLMA, Yang et al. 2023, arXiv 2304.04487), and so is what memory recalls for the cursor (as REST,
He et al. 2023, arXiv 2311.08252, retrieves from a datastore).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.draft_length import LONGEST_EVIDENCE, Kind, Odds, worthwhile
from models.prompt import encode_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from models.draft_length import BatchCosts, BatchTimer
    from models.engine import Request
    from models.prompt import Encoded, Sentinels, Tokenizer

_EDGE = -1
"""Stands where one text ends and another begins: no copy goes over it."""


class Guess(NamedTuple):
    """A copy that may be going on."""

    kind: Kind
    evidence: int
    """Tokens before it that are copied already."""
    at: int
    """Where in the known text its next token stands."""


class Drafter:
    """Drafts for one completion after another, and what was learned by them."""

    def __init__(self, tokenizer: Tokenizer, timer: BatchTimer) -> None:
        self._tokenizer, self._timer = tokenizer, timer
        self._odds = Odds()

    def draft(self, prompt: Encoded, request: Request) -> Draft | None:
        """Return what may follow ``prompt``; None as long as it is not known what batches cost."""
        if self._timer.costs is None:
            return None
        recalled: list[int] = []
        if request.draft:
            recalled = encode_target(prompt.heal.decode() + request.draft, self._tokenizer, ends=False)
        known = _known_text(prompt, recalled, self._tokenizer.sentinels)
        return Draft(known, len(recalled), request.max_tokens, self._tokenizer, self._odds, self._timer.costs)


class Draft:
    """What may follow, in the course of one completion."""

    def __init__(
        self,
        known: NDArray[np.int64],
        recalled: int,
        most: int,
        tokenizer: Tokenizer,
        odds: Odds,
        costs: BatchCosts,
    ) -> None:
        """At most ``most`` tokens follow those ``known``, of which the first so many are ``recalled``."""
        self._text = np.concatenate((known, np.full(most, _EDGE)))
        self._size = len(known)
        self._tokenizer, self._odds, self._costs = tokenizer, odds, costs
        self._guess = Guess(Kind.RECALLED, 0, 0) if recalled else None
        self.evaluated = self.accepted = 0
        """Drafted tokens, and those of them that came true."""

    def after(self, token: int, until_end: Callable[[Iterable[bytes]], int]) -> list[int]:
        """Return what to evaluate along with the generated ``token``; nothing where that would not pay.

        ``until_end`` returns how many pieces of text can follow before the completion ends.
        """
        self._note(token)
        guess = self._guess = self._likeliest()
        # The batch's last row gives one token more than was drafted.
        most = min(len(self._text) - self._size, self._costs.most) - 1
        if guess is None or most <= 0:
            return []
        following = self._text[guess.at : min(guess.at + most, self._size)]
        edges = np.flatnonzero(following == _EDGE)
        likely = (following[: edges[0]] if len(edges) else following).tolist()
        chances = self._odds.chances(guess.kind, guess.evidence, len(likely))
        costs = self._costs.up_to(len(likely) + 1)
        if not worthwhile(chances, costs):
            return []
        chances = chances[: until_end(map(self._tokenizer.piece, likely))]
        drafted = likely[: worthwhile(chances, costs)]
        self.evaluated += len(drafted)
        return drafted

    def accept(self, token: int) -> None:
        """The next of the tokens that were returned last came true."""
        self._note(token)
        self.accepted += 1

    def _note(self, token: int) -> None:
        guess, self._guess = self._guess, None
        if guess and (drafted := self._text[guess.at]) != _EDGE:
            is_right = bool(drafted == token)
            self._odds.note(guess.kind, guess.evidence, is_right)
            if is_right:
                self._guess = Guess(guess.kind, guess.evidence + 1, guess.at + 1)
        self._text[self._size] = token
        self._size += 1

    def _likeliest(self) -> Guess | None:
        """Return the copy that is going on, or the likelier one where it has just begun."""
        if self._guess and self._guess.kind is Kind.PROMPT:
            return self._guess
        found = [guess for guess in (self._guess, self._longest()) if guess]
        return max(found, key=lambda guess: self._odds.chances(*guess[:2], 1), default=None)

    def _longest(self) -> Guess | None:
        """Return the longest copy of the last tokens; of several equally long the nearest to the cursor."""
        text = self._text[: self._size]
        ends = np.flatnonzero(text[:-1] == text[-1])
        at, length = 0, 0
        while len(ends) and length < LONGEST_EVIDENCE:
            at, length = int(ends[-1]), length + 1
            ends = ends[ends >= length]
            ends = ends[(text[ends - length] == text[-1 - length]) & (text[ends - length] != _EDGE)]
        return Guess(Kind.PROMPT, length, at + 1) if length else None


def _known_text(prompt: Encoded, recalled: list[int], sentinels: Sentinels | None) -> NDArray[np.int64]:
    """Return what may be copied from, what is nearest to the cursor last, with edges for sentinels."""
    opens_suffix = not prompt.layout.startswith("ltr")
    before = prompt.before[:-1] if opens_suffix else [*prompt.before, prompt.trigger]
    known = np.array([*recalled, _EDGE, *prompt.suffix, _EDGE, *before], np.int64)
    if sentinels:
        known[np.isin(known, sentinels.ids)] = _EDGE
    return known
