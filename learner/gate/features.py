"""What P(accept) is judged from: the place, the offer, and what became of the offers before.

The features of the place follow Copilot's contextual filter (previous outcome, white space after the cursor,
time since the last outcome, length and last character of the line, language); the offer's own add what the
model says of it. All are computed alike while serving and from the ledger, so they need no more than the
cursor's line. Each is shifted and scaled by a constant to about unit spread, and bounded whatever comes in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from learner.languages import opens_block, syntax_of
from learner.memory.recall import STOPPED_BY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Site(Protocol):
    """What the features need of a place, as ``learner.place`` and ``learner.memory.place`` have it."""

    @property
    def language(self) -> str:
        """LSP language id."""
        ...

    @property
    def before(self) -> str:
        """The cursor's line, left of the cursor."""
        ...

    @property
    def after(self) -> str:
        """The rest of the cursor's line."""
        ...


@dataclass(frozen=True)
class Spot:
    """A site by itself, as the ledger's rows give it."""

    language: str
    before: str
    after: str


@dataclass(frozen=True)
class Recently:
    """What became of the offers before this one; None where there was none yet in this session."""

    previous: bool | None = None
    """Whether the last one was accepted."""
    share: float | None = None
    """Accepted of the last ones, the newest counting most."""
    seconds: float | None = None
    """From the last offer whose outcome is known to this one."""


NAMES = (
    "bias",
    "mean log-probability", "least log-probability", "first log-probability", "probability of the whole",
    "characters", "lines", "stopped by length", "stopped by the model", "stopped by dedent",
    "stopped by the suffix", "begins within a word", "has no word",
    "line is empty before", "after a word", "after a dot", "after an opening bracket", "after a comma",
    "after a space", "line opens a block", "in a comment", "characters before",
    "brackets close after", "code after",
    "python", "javascript", "compiled", "shell", "prose",
    "memory support", "from memory",
    "previous outcome", "recent acceptance", "time since",
)  # fmt: skip
"""Of the features, in their order."""
SIZE = len(NAMES)
LEAST = -20.0
"""A log-probability below, and minus infinity, counts as this: as good as impossible."""

_GROUPS = (
    frozenset({"python"}),
    frozenset({"javascript", "typescript", "javascriptreact", "typescriptreact", "vue", "svelte"}),
    frozenset({"c", "cpp", "rust", "go", "java", "csharp", "kotlin", "swift", "scala", "zig", "objective-c"}),
    frozenset({"shellscript", "fish", "powershell", "makefile", "dockerfile"}),
    frozenset({"markdown", "plaintext", "restructuredtext", "latex", "html", "xml"}),
)
_COMMENTS = ("#", "//", "/*", "*", "--", ";", '"""', "'''")
_CLOSERS = frozenset(")]}>\"'`,;: \t\r\n")
_STEADY = 0.8
"""How much of the recent share stays at each new outcome."""


def features_of(
    site: Site,
    text: str,
    logprobs: Sequence[float],
    stopped_by: str = "newline",
    support: float = 0.0,
    recent: Recently = Recently(),
) -> NDArray[np.float64]:
    """Return the features of offering ``text`` at ``site``, (SIZE,), all finite.

    Args:
        site: language and cursor's line.
        text: what would be offered.
        logprobs: of its tokens, natural; what is no number is left out. With none at all, the features
            that come from them take their mean, 0.
        stopped_by: as :attr:`models.engine.Candidate.stopped_by`, or that of what memory offers.
        support: how many episodes of memory speak for the text.
        recent: outcomes before.
    """
    before, stripped = site.before, text.strip()
    last = before[-1:]
    return np.array(
        (
            1.0,
            *_likelihood(logprobs),
            (math.log1p(len(text)) - 3.0) / 0.8,
            min(text.rstrip().count("\n"), 8) / 2.0,
            stopped_by == "length",
            stopped_by == "end",
            stopped_by == "dedent",
            stopped_by == "suffix",
            _is_word(last) and _is_word(text[:1]),
            not any(map(_is_word, stripped)),
            not before.strip(),
            _is_word(last),
            last == ".",
            last in ("(", "[", "{"),
            last == ",",
            last == " " and before.strip() != "",
            opens_block(before, syntax_of(site.language)),
            before.lstrip().startswith(_COMMENTS),
            (math.log1p(len(before)) - 2.7) / 1.0,
            *_behind(site.after),
            *(site.language in group for group in _GROUPS),
            min(math.log1p(support), 5.0) if support > 0 else 0.0,
            stopped_by == STOPPED_BY,
            *_outcomes(recent),
        ),
        dtype=np.float64,
    )


def has_likelihood(logprobs: Sequence[float]) -> bool:
    """Return whether the model said anything of how likely its text is; without, no offer is hidden."""
    return any(not math.isnan(each) for each in logprobs)


@dataclass
class History:
    """The outcomes of a session so far."""

    previous: bool | None = None
    share: float | None = None
    at: float = 0.0
    """When the offer was made whose outcome came last, in seconds of the caller's clock."""

    def note(self, accepted: bool, at: float) -> None:
        self.share = (
            float(accepted) if self.share is None else _STEADY * self.share + (1 - _STEADY) * accepted
        )
        self.previous, self.at = accepted, at

    def recently(self, now: float) -> Recently:
        if self.previous is None:
            return Recently()
        return Recently(self.previous, self.share, max(0.0, now - self.at))


def _likelihood(logprobs: Sequence[float]) -> tuple[float, float, float, float]:
    known = [min(0.0, max(LEAST, each)) for each in logprobs if not math.isnan(each)]
    if not known:
        return 0.0, 0.0, 0.0, 0.0
    mean, total = sum(known) / len(known), sum(known)
    return (
        (max(mean, -4.0) + 0.4) / 0.4,
        (max(min(known), -8.0) + 1.5) / 1.5,
        (max(known[0], -6.0) + 0.5) / 0.8,
        (math.exp(total) - 0.25) / 0.3,
    )


def _behind(after: str) -> tuple[bool, bool]:
    rest = after.strip()
    closes = bool(rest) and _CLOSERS.issuperset(rest)
    return closes, bool(rest) and not closes


def _outcomes(recent: Recently) -> tuple[float, float, float]:
    return (
        0.0 if recent.previous is None else (1.0 if recent.previous else -1.0),
        0.0 if recent.share is None else 2.0 * (recent.share - 0.4),
        0.0 if recent.seconds is None else (min(math.log1p(recent.seconds), 9.0) - 3.0) / 2.0,
    )


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
