"""Answers one request at a time from a loaded model: encode, warm the prompt, generate."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from models.adapters import free_adapter, load_adapter
from models.decode import Decoder
from models.draft import Drafter
from models.draft_length import BatchTimer
from models.engine import Completion, EngineError, Purpose, Timings
from models.line_end import End, LineEnds
from models.prompt import LONGEST_HEALED, encode, encode_target, healed
from models.warm import Warm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.engine import Request, Scored
    from models.llama import Context, Model
    from models.prompt import Encoded, Prompt
    from models.warm import Place

_RESERVE = 256
"""Cells of the cache that a prompt leaves for what is generated."""
_PATIENCE_S = 1.0
"""A prompt whose evaluation would take longer gives way to the request's near one."""
_FIRST_RATE = 100.0
"""Tokens evaluated per second, until that has been measured."""
_TELLING = 64
"""Tokens from which an evaluation's time tells the rate."""


class Completer:
    """A model in memory with its warm prompts and, perhaps, an adapter."""

    def __init__(self, model: Model, context: Context, digest: Callable[[], str]) -> None:
        self.context = context
        self._model, self._digest = model, digest
        self._warm = Warm(context)
        self._decoder = Decoder(context, model.vocabulary, self._warm)
        self.timer = BatchTimer(self._decoder.rehearse)
        """Run it when nobody waits: as long as it has not measured, nothing is drafted."""
        self._drafter = Drafter(model.vocabulary, self.timer)
        self.adapter: tuple[Path, Any] | None = None
        self._rate = _FIRST_RATE
        self.notice = ""
        """What the user should know about how it was loaded."""

    def use_adapter(self, path: Path | None) -> None:
        """Generate with the adapter at ``path`` from now on; no cell of the cache changes.

        Raises:
            EngineError: it cannot be used; the one before stays.
        """
        new = (path, load_adapter(self._model, path, self._digest())) if path else None
        old, self.adapter = self.adapter, new
        # The old is freed only after the new set took its place: until then a graph may refer to it.
        self.context.use_adapters([new[1]] if new else [])
        if old:
            free_adapter(old[1])
        self.context.use_adapters([])

    def complete(self, request: Request, received_at: float) -> Completion:
        """Return the completion; ``received_at`` is when the request came, by :func:`time.perf_counter`.

        Raises:
            AbortedError: the abort flag went up; what was evaluated stays warm.
            EngineError: llama.cpp failed, or the prompt fits no cache.
        """
        try:
            return self._complete(request, received_at)
        except EngineError:
            # Whatever went wrong, the next request begins from an empty cache.
            self._warm.clear()
            raise

    def _complete(self, request: Request, received_at: float) -> Completion:
        began_at = time.perf_counter()
        is_warming = request.purpose is Purpose.WARM
        prompt, is_near = self._choose(request)
        place = self._warm.open(prompt, fresh=is_warming)
        first_at = received_at
        candidates, draft = [], None
        try:
            if is_warming:
                self._evaluate(place)
            else:
                self._trigger(place)
                first = self._decoder.best(self.context.logits(), request.candidates, prompt.heal)
                first_at = time.perf_counter()
                self._note_rate(place.evaluated, first_at - received_at)
                draft = self._drafter.draft(prompt, request)
                candidates = self._decoder.candidates(place, request, first, draft)
        finally:
            self._warm.close(place)
            if self.adapter:
                self.context.use_adapters([])
        timings = Timings(
            first_token_ms=1000 * (first_at - received_at),
            total_ms=1000 * (time.perf_counter() - received_at),
            prompt_tokens=prompt.size,
            evaluated_tokens=place.evaluated,
            carried_tokens=place.carried,
            generated_tokens=sum(len(candidate.logprobs) for candidate in candidates),
            drafted_tokens=draft.evaluated if draft else 0,
            accepted_tokens=draft.accepted if draft else 0,
            waited_ms=1000 * (began_at - received_at),
        )
        adapter = str(self.adapter[0]) if self.adapter else None
        return Completion(tuple(candidates), timings, self._digest(), prompt.layout, adapter, is_near)

    def score(self, prompt: Prompt, target: str, end: End) -> Scored:
        """Return how likely ``target``, and what is said of its end, is after ``prompt``.

        A word that has begun before the cursor is scored from its beginning, as it is generated.

        Raises:
            AbortedError: the abort flag went up; what was evaluated stays warm.
            EngineError: llama.cpp failed, or the two fit no cache.
        """
        vocabulary, ends = self._model.vocabulary, end is not End.UNSAID
        following = len(encode_target(target, vocabulary, ends=ends)) + LONGEST_HEALED
        encoded = self._encoded(prompt, self._limit(following))
        tokens = encode_target(encoded.heal.decode() + target, vocabulary, ends=ends)
        try:
            # Fresh: what is compared must not hang on what was carried from an earlier prompt.
            place = self._warm.open(encoded, fresh=True)
            try:
                self._trigger(place)
                instead = self._line_ends.instead(tokens) if end is End.LINE else ()
                return self._decoder.score(place, tokens, instead)
            finally:
                self._warm.close(place)
                if self.adapter:
                    self.context.use_adapters([])
        except EngineError:
            self._warm.clear()
            raise

    @functools.cached_property
    def _line_ends(self) -> LineEnds:
        return LineEnds(self._model.vocabulary)

    def _limit(self, following: int) -> int:
        """Return how many tokens a prompt may have where so many are to follow it."""
        cells = self.context.shape.cells
        return max(cells - _RESERVE - following, cells // 2)

    def _choose(self, request: Request) -> tuple[Encoded, bool]:
        """Return the prompt to continue, and whether it is the request's near one."""
        limit = self._limit(request.max_tokens)
        prompt = self._encoded(request.prompt, limit)
        if request.near is None or request.purpose is Purpose.WARM:
            return prompt, False
        missing = self._warm.missing(prompt)
        if missing <= _PATIENCE_S * self._rate:
            return prompt, False
        near = self._encoded(request.near, limit)
        return (near, True) if self._warm.missing(near) < missing else (prompt, False)

    def _encoded(self, prompt: Prompt, limit: int) -> Encoded:
        return healed(encode(prompt, self._model.vocabulary, limit), self._model.vocabulary)

    def _note_rate(self, tokens: int, seconds: float) -> None:
        if tokens >= _TELLING:
            self._rate += (tokens / seconds - self._rate) / 4

    def tidy(self) -> None:
        """Do what saves the next request time, when none waits."""
        self._warm.tidy()

    def _evaluate(self, place: Place) -> None:
        if place.pending:
            self._warm.decode(place.slot, place.pending, place.position)
        place.is_complete = True

    def _trigger(self, place: Place) -> None:
        """Evaluate what is pending and then the trigger, the adapter acting on the trigger alone."""
        trigger = place.prompt.trigger
        end = place.position + len(place.pending)
        if self.adapter is None:
            self._warm.decode(place.slot, [*place.pending, trigger], place.position, logits=True)
            place.is_complete = True
            return
        self._evaluate(place)
        self.context.use_adapters([self.adapter[1]])
        self._warm.decode(place.slot, [trigger], end, logits=True)
