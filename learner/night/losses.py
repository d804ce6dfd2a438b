"""What training minimises, from the final hidden states of a step's completions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.job import TrainingOptions
    from learner.night.encoding import EncodedExample
    from learner.night.network import Network

LIKELY = 64
"""The anchor compares the reference's likeliest tokens one by one, and all others as one."""
_CHUNK_ROWS = 64
"""Rows whose probabilities are held in float32 at once: 40 MB for a vocabulary of 150,000."""
_NONE = -1e4
"""The log-probability of no token at all: its gradient is a number, unlike that of minus infinity."""
_LEAST = 1e-6
"""A probability below this counts as this, where its logarithm is taken."""


@dataclass(frozen=True)
class View:
    """What the reference thinks follows each token of a completion; training stays close to it."""

    likely: Tensor
    """The likeliest tokens, (completion length, LIKELY)."""
    log_probs: Tensor
    """Their natural log-probabilities, float32, in the same shape."""


@dataclass(frozen=True)
class Rows:
    """A step's completions, packed: row r is the prediction after the r-th token."""

    target: Tensor
    """The wanted token, (rows,); any token where there is none."""
    target_weight: Tensor
    """Its weight, (rows,), float32; 0 where there is none."""
    target_share: Tensor
    """The share of the loss, (rows,), by which the wanted token is learned itself; a teacher has the rest."""
    wrong: Tensor
    """The token that a rejected offer went wrong with, (rows,); any token where there is none."""
    wrong_weight: Tensor
    instead: Tensor
    """Other tokens that may as well stand in the wanted one's place, (rows, most of them); the rest is -1."""
    is_line_end: Tensor
    """Whether one in place of the wanted token before has ended the line already, (rows,), boolean."""
    reference: View
    """Of all completions, packed too."""


@dataclass(frozen=True)
class Terms:
    """Sums over a step's rows, in nats; each with gradient."""

    cross_entropy: Tensor
    anchor: Tensor
    unlikelihood: Tensor
    log_loss: float
    """Of the wanted tokens, whoever teaches them."""

    def total(self, options: TrainingOptions) -> Tensor:
        return self.cross_entropy + options.anchor * self.anchor + options.unlikelihood * self.unlikelihood


def pack(
    examples: Sequence[EncodedExample], views: Sequence[View], shares: Sequence[float] | None = None
) -> Rows:
    """Return the rows of ``examples``, with what the reference thinks of each, on that one's device.

    ``shares`` are each example's of :attr:`Rows.target_share`; without them, all are 1.
    """
    device = views[0].likely.device
    target, target_weight, shares_of, wrong, wrong_weight = [], [], [], [], []
    instead: list[tuple[int, ...]] = []
    is_line_end: list[bool] = []
    for example, share in zip(examples, shares or [1.0] * len(examples), strict=True):
        length = len(example.middle)
        known = bool(example.target)
        target += example.target if known else [0] * length
        target_weight += [example.weight if known else 0.0] * length
        shares_of += [share] * length
        at, token = example.wrong or (0, 0)
        wrong += [token] * length
        wrong_weight += [example.weight if example.wrong and row == at else 0.0 for row in range(length)]
        instead += [*[()] * (length - len(example.instead)), *example.instead]
        is_line_end += [bool(example.instead) and row == length - 1 for row in range(length)]
    most = max(map(len, instead))
    return Rows(
        torch.tensor(target, device=device),
        torch.tensor(target_weight, device=device),
        torch.tensor(shares_of, device=device),
        torch.tensor(wrong, device=device),
        torch.tensor(wrong_weight, device=device),
        torch.tensor(
            [[*others, *[-1] * (most - len(others))] for others in instead], dtype=torch.long, device=device
        ),
        torch.tensor(is_line_end, device=device),
        View(torch.cat([view.likely for view in views]), torch.cat([view.log_probs for view in views])),
    )


def terms(network: Network, hidden: Tensor, rows: Rows) -> Terms:
    """Return the parts of the loss; ``hidden`` is (rows, width), with gradient.

    Cross-entropy on the wanted tokens. The anchor is KL(reference || adapted), the direction whose size
    predicts forgetting (arXiv 2509.04259) and which distillation from the old model uses (arXiv 1606.09282).
    Unlikelihood is -log(1 - p) of a wrong token (arXiv 1908.04319).
    """
    likely_end = 2 + rows.reference.likely.shape[1]
    ids = torch.cat(
        [rows.target[:, None], rows.wrong[:, None], rows.reference.likely, rows.instead.clamp(min=0)], dim=1
    )
    found = log_probs(network, hidden, ids)
    own, wrong, likely, others = found[:, 0], found[:, 1], found[:, 2:likely_end], found[:, likely_end:]
    wanted = _wanted(own, others, rows)
    not_wrong = torch.log(-torch.expm1(wrong.clamp(max=-_LEAST)))
    return Terms(
        cross_entropy=-(rows.target_share * rows.target_weight * wanted).sum(),
        anchor=divergence(rows.reference.log_probs, likely).sum(),
        unlikelihood=-(rows.wrong_weight * not_wrong).sum(),
        log_loss=-float((rows.target_weight * wanted.detach()).sum()),
    )


def _wanted(own: Tensor, others: Tensor, rows: Rows) -> Tensor:
    """Return each row's log-probability of what may stand there, (rows,); an example's add up to its own.

    ``own`` is the wanted token's, (rows,), ``others`` are those instead, (rows, most of them).
    """
    if not others.shape[1]:
        return own
    also = others.masked_fill(rows.instead < 0, _NONE).logsumexp(1)
    either = torch.logaddexp(own, also)
    own_before, also_before = own.roll(1), also.roll(1)
    ended = torch.logaddexp(own_before + either, also_before) - either.roll(1)
    return torch.where(rows.is_line_end, ended, either)


def divergence(reference: Tensor, adapted: Tensor) -> Tensor:
    """Return each row's KL(reference || adapted) over the given tokens and one for all the rest, (rows,).

    Lumping the rest together can only make it smaller, by what moves among tokens that neither thinks likely.
    """
    given = reference.exp()
    rest = (1.0 - given.sum(1)).clamp(min=_LEAST)
    adapted_rest = (1.0 - adapted.exp().sum(1)).clamp(min=_LEAST)
    return (given * (reference - adapted)).sum(1) + rest * (rest.log() - adapted_rest.log())


@torch.no_grad()
def view_of(network: Network, hidden: Tensor) -> View:
    """Return what the reference thinks, from its final hidden states, (rows, width)."""
    likely, log_probs = [], []
    for part in hidden.split(_CHUNK_ROWS):
        logits = network.logits(part)
        top = logits.topk(min(LIKELY, logits.shape[1]))
        likely.append(top.indices)
        log_probs.append(top.values - logits.logsumexp(1, keepdim=True))
    return View(torch.cat(likely), torch.cat(log_probs))


def log_probs(network: Network, hidden: Tensor, ids: Tensor) -> Tensor:
    """Return the natural log-probabilities of ``ids``, (rows, n), after ``hidden``, (rows, width)."""
    return _LogProbs.apply(hidden, network.output.weight, ids)


class _LogProbs(torch.autograd.Function):
    """The head's multiplication and its log-softmax, of which only a few columns are wanted.

    Autograd alone would write four float32 arrays of (rows, vocabulary); here there is one, in the
    multiplications' dtype, and a chunk. (Liger-Kernel's fused linear cross-entropy does the same on GPUs.)
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, ids: Tensor) -> Tensor:
        logits = hidden @ weight.to(hidden.dtype).t()
        totals = torch.cat([part.float().logsumexp(1) for part in logits.split(_CHUNK_ROWS)])
        ctx.save_for_backward(logits, totals, weight, ids)
        return logits.gather(1, ids).float() - totals[:, None]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, totals, weight, ids = ctx.saved_tensors
        (grad,) = grads
        parts = [tensor.split(_CHUNK_ROWS) for tensor in (logits, totals, ids, grad)]
        found = []
        weight = weight.to(logits.dtype)
        for part, total, columns, wanted in zip(*parts, strict=True):
            slope = (part.float() - total[:, None]).exp_().mul_(-wanted.sum(1, keepdim=True))
            slope.scatter_add_(1, columns, wanted)
            found.append(slope.to(weight.dtype) @ weight)
        return torch.cat(found), None, None
