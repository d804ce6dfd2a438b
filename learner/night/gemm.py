"""Which device trains, and in which dtype: decided by how fast each multiplies matrices."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import Tensor

_ROWS, _IN, _OUT = 256, 1536, 8960
"""A feed-forward layer of the default model, with the rows of a pack of prompts."""
_ROUNDS = 3


def find_device() -> torch.device:
    """Return the GPU where torch finds one (CUDA, or Apple's), else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where ``device`` multiplies it faster than float32, else float32.

    Processors without instructions for bfloat16 (AVX512-BF16, AMX, Arm's BF16) convert it, far more slowly.
    """
    return max((torch.bfloat16, torch.float32), key=lambda dtype: gemm_rate(dtype, device))


@cache
def gemm_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return floating-point operations per second of a multiplication as training needs it."""
    rows = torch.ones(_ROWS, _IN, dtype=dtype, device=device)
    weights = [torch.ones(_OUT, _IN, dtype=dtype, device=device) for _ in range(2)]
    # The first call compiles kernels. Alternating weights keeps them out of the cache, as in training.
    best = min(_seconds(rows, weights[turn % 2]) for turn in range(1 + _ROUNDS))
    return 2 * _ROWS * _IN * _OUT / best


def _seconds(rows: Tensor, weight: Tensor) -> float:
    begun_at = time.perf_counter()
    torch.nn.functional.linear(rows, weight).sum().item()
    return time.perf_counter() - begun_at
