"""How good one answer to one question is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.developer import respond

if TYPE_CHECKING:
    from learner.examples import Example
    from models.engine import Candidate, Scored


@dataclass(frozen=True)
class Answer:
    """What the engine would offer, judged against what should follow the cursor."""

    length: int
    """Code points offered; 0 is silence."""
    exact: bool
    net_saved: int
    """Characters, by the simulated developer (:mod:`learner.developer`)."""
    endless: bool = False
    """Whether it was cut off at the limit of tokens instead of coming to an end."""


@dataclass(frozen=True)
class Mark:
    """How one arm did on one question."""

    log_loss: float
    """The sum of the target's tokens' negative log-probabilities, in nats."""
    tokens: int
    """The target's tokens, its end included where that was asked for."""
    exact: bool
    """Greedy decoding writes exactly the target: seen in the answer where there is one, else concluded from
    all its tokens being the likeliest in their places."""
    answer: Answer | None = None
    """None where the question was only scored."""


def judge(candidate: Candidate, example: Example) -> Answer:
    """Judge the engine's text, cut by its stop, without white space at its end.

    The server's trimming is not applied: it depends on the editor's document, of which the prompt shows
    only a window, and is the same for all arms. Where ``example`` does not say how the text goes on,
    only as much of the offer counts as is known.
    """
    offered, target = candidate.text.rstrip(), example.target.rstrip()
    if not example.ends:
        offered = offered[: len(target)]
    endless = candidate.stopped_by == "length"
    return Answer(len(offered), offered == target, respond(offered, target).net, endless)


def mark(scored: Scored, answer: Answer | None) -> Mark:
    exact = answer.exact if answer else not any(scored.ranks)
    return Mark(-sum(scored.logprobs), len(scored.logprobs), exact, answer)
