"""Asking the engine at a place of a replay, as the server asks it: the same prompt, stop and trimming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from learner.declined import Declined
from learner.facts import Served
from learner.trim import trim
from learner.window import Budget, cursor_prompt, first_line
from models.engine import EngineError, Request
from models.line_end import End, end_of

if TYPE_CHECKING:
    from pathlib import Path

    from learner.privacy import PrivacyFilter
    from learner.replay.situation import Situation, Truth
    from models.engine import Completion, Scored
    from models.prompt import Chunk, Prompt

MAX_TOKENS = 96
"""As long as completions are served by default."""
REPLAYED = Budget(
    prefix_lines=60,
    prefix_chars=2000,
    suffix_lines=15,
    suffix_chars=600,
    chunks=4,
    chunk_chars=2000,
)
"""What prompts of a replay show, for every arm: half of what is served, since each is evaluated anew."""
FILLED = 0.75
"""The share of the budget above the cursor that is used: while one types it is between a half and all."""


class Examinee(Protocol):
    """What the replay needs of the engine; :class:`models.supervisor.ChildEngine` is one."""

    async def complete(self, request: Request) -> Completion | None: ...

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored: ...

    async def use_adapter(self, path: Path | None) -> None: ...


@dataclass(frozen=True)
class Prediction:
    """What an arm would offer at a place."""

    prompt: Prompt
    text: str
    """Empty for nothing."""
    logprobs: tuple[float, ...] = ()
    stopped_by: str = ""
    served: Served = Served.MODEL
    shown: bool = True
    """False where the gate keeps it back; of an empty text nothing is shown either way."""
    model: str = ""
    layout: str = ""
    adapter: str | None = None
    support: int = 0
    """On how many occasions it was written in like places, as far as memory knows."""
    p: float | None = None
    """P(accept) by the gate, where there is one."""

    @property
    def offered(self) -> str:
        return self.text if self.shown else ""


def prompt_at(
    situation: Situation, budget: Budget, privacy: PrivacyFilter, chunks: tuple[Chunk, ...] = ()
) -> Prompt:
    """Return what is shown of the situation: the current file around the cursor, and ``chunks``."""
    return cursor_prompt(
        situation.lines,
        situation.line,
        situation.column,
        first_line(situation.lines, situation.line, budget, share=FILLED),
        budget,
        privacy,
        path=situation.path,
        repository=situation.project,
        chunks=chunks,
    )


class Asker:
    """One engine for all arms; the adapter is set before each question.

    Decoding is greedy, so the same prompt is asked once for each adapter: between two snapshots most places
    of the future block are shown what they were shown before.
    """

    def __init__(self, engine: Examinee, privacy: PrivacyFilter, budget: Budget = REPLAYED) -> None:
        self._engine, self._privacy, self.budget = engine, privacy, budget
        self._completions: dict[tuple[Request, Path | None], Completion] = {}
        self._scores: dict[tuple[Prompt, str, End, Path | None], Scored] = {}

    def prompt(self, situation: Situation, chunks: tuple[Chunk, ...] = ()) -> Prompt:
        return prompt_at(situation, self.budget, self._privacy, chunks)

    async def ask(self, situation: Situation, prompt: Prompt, adapter: Path | None) -> Prediction:
        """Return what the engine says after ``prompt``, trimmed for the place.

        Raises:
            EngineError: the engine failed, or the adapter cannot be used.
        """
        stop, indent = situation.stop
        request = Request(prompt, stop=stop, indent=indent, max_tokens=MAX_TOKENS)
        completion = await self._complete(request, adapter)
        best = completion.candidates[0]
        text = trim(best.text, situation.place, truncated=best.stopped_by == "length")
        return Prediction(
            prompt,
            "" if isinstance(text, Declined) else text,
            best.logprobs,
            best.stopped_by,
            model=completion.model,
            layout=completion.layout,
            adapter=completion.adapter,
        )

    async def _complete(self, request: Request, adapter: Path | None) -> Completion:
        if (known := self._completions.get((request, adapter))) is not None:
            return known
        await self._engine.use_adapter(adapter)
        completion = await self._engine.complete(request)
        if completion is None:
            raise EngineError("the replay's engine answered another request; nothing else may use it")
        self._completions[request, adapter] = completion
        return completion

    async def score(self, situation: Situation, prompt: Prompt, truth: Truth, adapter: Path | None) -> Scored:
        """Return how likely the truth is after ``prompt``, with its line's end where one line is asked for.

        Raises:
            EngineError: the engine failed, or the adapter cannot be used.
        """
        end = end_of(truth.target, situation.stop[0], ends=truth.ends)
        key = (prompt, truth.target, end, adapter)
        if key not in self._scores:
            await self._engine.use_adapter(adapter)
            self._scores[key] = await self._engine.score(prompt, truth.target, end)
        return self._scores[key]
