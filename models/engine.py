"""The seam between an editor's server and a language model: a request in, a completion out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from models.prompt import Prompt


class EngineError(Exception):
    """The engine cannot answer; the message names the thing, the value and the remedy."""


class Stop(StrEnum):
    """Where a completion ends by itself."""

    LINE = "line"
    BLOCK = "block"


class Purpose(StrEnum):
    """Why a request is made; a newer request of any purpose stops an older one."""

    COMPLETE = "complete"
    PREFETCH = "prefetch"
    """Compute what would follow; nobody waits for it."""
    WARM = "warm"
    """Evaluate the prompt only (fresh, without a carried suffix); generate nothing."""


class EngineState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class EngineOptions:
    """How the engine process runs; parsed once at the server's edge."""

    threads: int | None = None
    """Decoding threads; None takes what the tuning measured."""
    cells: int = 8192
    """KV cells over all warm files."""
    gpu_layers: int | None = None
    """Layers on the GPU; -1 for all. None: all where this llama.cpp build has a GPU and it takes them."""
    tuning: Path | None = None
    """The file that keeps the measured settings per model and machine; None does not measure."""
    adapter: Path | None = None
    """The GGUF adapter to serve with from the start."""
    bulk: bool = False
    """Evaluate whole prompts as fast as can be: for exams and replays, where nobody types and aborts."""


@dataclass(frozen=True)
class Request:
    prompt: Prompt
    purpose: Purpose = Purpose.COMPLETE
    stop: Stop = Stop.LINE
    indent: int = 0
    """For :attr:`Stop.BLOCK`: columns of indentation of the line that opens the block; a later line that is
    indented this much or less ends it."""
    max_tokens: int = 64
    candidates: int = 1
    near: Prompt | None = None
    """A shorter prompt for the same cursor: taken while so much of ``prompt`` is still to be evaluated that
    the answer would be late."""
    draft: str = ""
    """What is expected to follow the cursor. It changes how fast the completion comes, never its text."""


@dataclass(frozen=True)
class Candidate:
    """One continuation, from the cursor on."""

    text: str
    logprobs: tuple[float, ...]
    """Natural log-probability of each generated token under the model, in order."""
    stopped_by: str
    """``newline``, ``dedent``, ``end`` (the model's own end), ``suffix`` or ``length``."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds from the moment the engine process had read the request; tokens by how they were had."""

    first_token_ms: float = 0.0
    total_ms: float = 0.0
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    carried_tokens: int = 0
    generated_tokens: int = 0
    drafted_tokens: int = 0
    """Evaluated before the model had come to them, in the hope that it would write them."""
    accepted_tokens: int = 0
    """Those of them that it did write."""
    waited_ms: float = 0.0
    """Until the engine began with it; an older request had to be stopped first."""


@dataclass(frozen=True)
class Completion:
    candidates: tuple[Candidate, ...]
    """Distinct, best first; one unless more were asked for; none for :attr:`Purpose.WARM`."""
    timings: Timings
    model: str
    """The GGUF file's SHA-256 (hexadecimal) as the engine knows it."""
    layout: str
    """The prompt layout's name, as ``models.prompt`` versions it."""
    adapter: str | None = None
    near: bool = False
    """Whether it continues the request's ``near`` prompt."""


@dataclass(frozen=True)
class Scored:
    """How likely a given text is after a prompt, token by token; last its end, where that was asked for."""

    logprobs: tuple[float, ...]
    """Natural log-probability of each token, given the prompt and the tokens before it."""
    ranks: tuple[int, ...]
    """How many other tokens were likelier in each place; all zero: greedy decoding writes this text."""


@dataclass(frozen=True)
class EngineStatus:
    state: EngineState
    model: str = ""
    message: str = ""
    """What happened and how to mend it; empty when nothing did."""
    adapter: str | None = None
    """The GGUF adapter's path; None for the base alone."""


class Engine(Protocol):
    """What the server needs of a language model."""

    @property
    def status(self) -> EngineStatus: ...

    async def complete(self, request: Request) -> Completion | None:
        """Return the completion, or None when a newer request stopped this one.

        Raises:
            EngineError: the engine failed or is not running.
        """
        ...

    async def use_adapter(self, path: Path | None) -> None:
        """Serve with the GGUF adapter at ``path`` from the next request on; None serves the base alone."""
        ...

    async def close(self) -> None: ...
