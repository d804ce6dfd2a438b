"""A frozen linear layer whose weights are kept in a smaller dtype than they are multiplied in.

Without instructions for bfloat16 a processor multiplies float32, and weights of that dtype would take twice
the memory: they are converted layer by layer, when they are used, and again for the gradient. Reading them
takes a few percent of a multiplication by hundreds of rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class FrozenLinear(nn.Linear):
    """Multiplies in its input's dtype, whatever its weights are kept in; they get no gradient."""

    def forward(self, input: Tensor) -> Tensor:
        if self.weight.dtype == input.dtype:
            return super().forward(input)
        return _Multiplied.apply(input, self.weight, self.bias)


class _Multiplied(torch.autograd.Function):
    """Autograd alone would keep the converted weights of all trained layers until the gradient is there."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return linear(rows, weight.to(rows.dtype), None if bias is None else bias.to(rows.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        (grad,) = grads
        return grad @ weight.to(grad.dtype), None, None


def storage_of(dtype: torch.dtype) -> torch.dtype:
    """Return what weights are kept in that are multiplied in ``dtype``: 16 bits, of float16 where that is
    float32 (it has three bits more than bfloat16, and a quantised file's weights are well within its range).
    """
    return torch.float16 if dtype is torch.float32 else dtype
