"""The lines around a cursor that a prompt shows, and the prompt made of them: served and trained on alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.privacy import PrivacyFilter
    from models.prompt import Chunk


@dataclass(frozen=True)
class Budget:
    """How much a prompt shows; docs/context.md holds the measurements behind the defaults."""

    prefix_lines: int = 120
    """At most this many lines above the cursor's."""
    prefix_chars: int = 5000
    """At most this many code points above the cursor's line."""
    suffix_lines: int = 30
    """At most this many lines below the cursor's."""
    suffix_chars: int = 1200
    """At most this many code points below the cursor's line."""
    line_chars: int = 1000
    """Of the cursor's line, at most this many code points on each side."""
    chunks: int = 4
    """Pieces of other places."""
    chunk_chars: int = 3200
    """Code points of all pieces together."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"setting 'context.{name}' is {value!r}, but must be a whole number from 0 on"
                )


NEAR = Budget(
    prefix_lines=24,
    prefix_chars=900,
    suffix_lines=6,
    suffix_chars=240,
    line_chars=400,
    chunks=0,
    chunk_chars=0,
)
"""What suffices for a first answer at a place that is not evaluated yet."""


def first_line(lines: Sequence[str], line: int, budget: Budget, share: float) -> int:
    """Return the first line of a prefix that takes ``share`` (0 to 1) of the budget above ``line``."""
    above = lines[max(0, line - int(budget.prefix_lines * share)) : line]
    return line - len(_fitting(above[::-1], int(budget.prefix_chars * share)))


def cursor_prompt(
    lines: Sequence[str],
    line: int,
    column: int,
    first: int,
    budget: Budget,
    privacy: PrivacyFilter,
    *,
    path: str,
    repository: str,
    chunks: tuple[Chunk, ...] = (),
) -> Prompt:
    """Return the prompt for the cursor before ``column`` (code points) of ``line``, shown from ``first`` on.

    ``lines`` are the current text's, with their endings. Secrets outside of the cursor's line are replaced.
    """
    below = _fitting(lines[line + 1 : line + 1 + budget.suffix_lines], budget.suffix_chars)
    prefix, suffix = privacy.redact_parts("".join(lines[first:line]), "".join(below))
    here, most = lines[line], budget.line_chars
    return Prompt(
        prefix=prefix + here[max(0, column - most) : column],
        suffix=here[column : column + most] + suffix,
        path=path,
        repository=repository,
        chunks=chunks,
    )


def _fitting(lines: Sequence[str], chars: int) -> Sequence[str]:
    """Return the leading lines that take at most ``chars`` together."""
    for count, line in enumerate(lines):
        chars -= len(line)
        if chars < 0:
            return lines[:count]
    return lines
