"""Attention over packed sequences: within each one, or of completions over prompts evaluated before.

Packed is (rows, heads, head_dim), the sequences one after the other without padding: the linear layers around
it are then single multiplications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Rotation:
    """Rotary position embedding (RoPE, arXiv 2104.09864) of packed queries and keys."""

    def __init__(self, positions: Tensor, head_dim: int, base: float, *, interleaved: bool) -> None:
        """Prepare the angles of ``positions``, (rows,); channels are paired as neighbours or as halves."""
        channels = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
        angles = positions[:, None, None].float() * base ** (-channels / head_dim)
        self._cos, self._sin = angles.cos(), angles.sin()
        self._pairs, self._axis = ((head_dim // 2, 2), -1) if interleaved else ((2, head_dim // 2), -2)

    def __call__(self, heads: Tensor) -> Tensor:
        """Turn ``heads``, (rows, heads, head_dim), by their rows' angles; in float32, as llama.cpp does."""
        first, second = heads.float().unflatten(-1, self._pairs).unbind(self._axis)
        turned = (first * self._cos - second * self._sin, first * self._sin + second * self._cos)
        return torch.stack(turned, self._axis).flatten(-2).to(heads.dtype)


def whole(packed: Tensor, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Return each sequence's keys (or values), (kv_heads, length, head_dim), from packed rows.

    A span says how many first rows are those of the sequence before, and how many are packed.
    """
    found: list[Tensor] = []
    for (shared, _), rows in zip(spans, packed.split([length for _, length in spans]), strict=True):
        own = rows.transpose(0, 1)
        found.append(torch.cat((found[-1][:, :shared], own), 1) if shared else own)
    return found


def within(
    queries: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], spans: Sequence[tuple[int, int]]
) -> Tensor:
    """Return the causal attention of packed queries over their whole sequences, (rows, heads * head_dim)."""
    parts = []
    split = queries.split([length for _, length in spans])
    for query, key, value, (shared, length) in zip(split, keys, values, spans, strict=True):
        groups = query.shape[1] // key.shape[0]
        attended = scaled_dot_product_attention(
            query.transpose(0, 1)[None],
            key.repeat_interleave(groups, 0)[None],
            value.repeat_interleave(groups, 0)[None],
            attn_mask=_seen(length, shared, query.device) if shared else None,
            is_causal=not shared,
        )
        parts.append(attended[0].transpose(0, 1).flatten(1))
    return torch.cat(parts)


def after(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    lengths: Sequence[int],
    prompts: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """Return each packed sequence's attention over its prompt and, causally, itself.

    ``prompts`` holds keys and values, (kv_heads, prompt length, head_dim) each; the result is
    (rows, heads * head_dim).
    """
    parts = []
    split = zip(*(packed.split(list(lengths)) for packed in (queries, keys, values)), prompts, strict=True)
    for query, key, value, (prompt_keys, prompt_values) in split:
        kv_heads, length = key.shape[1], len(query)
        # The queries that share a key-value head become rows of one matrix: nothing is repeated.
        folded = query.unflatten(1, (kv_heads, -1)).permute(1, 2, 0, 3).flatten(1, 2)
        attended = scaled_dot_product_attention(
            folded[None],
            torch.cat((prompt_keys, key.transpose(0, 1)), 1)[None],
            torch.cat((prompt_values, value.transpose(0, 1)), 1)[None],
            attn_mask=_seen(length, prompt_keys.shape[1], query.device).repeat(folded.shape[1] // length, 1),
        )
        parts.append(attended[0].unflatten(1, (-1, length)).permute(2, 0, 1, 3).flatten(1))
    return torch.cat(parts)


def _seen(length: int, before: int, device: torch.device) -> Tensor:
    """Return what each row may attend to, (length, before + length): all up to itself."""
    return torch.ones(length, before + length, dtype=torch.bool, device=device).tril(before)
