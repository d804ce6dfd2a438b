"""A decoder for the Llama and Qwen2 architectures on a GGUF's weights: prompts are kept, completions trained.

An adapter acts from the trigger on, so a prompt's state is the base model's: it is computed once, without
gradient, and so is what lies below the lowest adapted layer. Modules have the names of the GGUF's tensors.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, silu

from learner.night.attention import Rotation, after, whole, within
from learner.night.frozen import FrozenLinear
from learner.night.lora import adapter_off
from learner.night.packing import packs
from learner.night.weights import Weights
from models.catalogue import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from learner.night.lora import LoraShape
    from learner.night.packing import Piece
    from learner.night.weights import Architecture, Table

_MLP_ROWS = 1024
"""Rows that go through a feed-forward network at once without gradient: bounds a long prompt's memory."""


@dataclass(frozen=True, eq=False)
class PromptState:
    """What training a completion needs of everything that no adapter changes."""

    keys: Tensor
    """(trained layers, kv_heads, prompt length, head_dim), in the dtype of the multiplications."""
    values: Tensor
    """As ``keys``."""
    entry: Tensor
    """The completion's hidden state before the first trained layer, (completion length, width), float32."""
    base: Tensor
    """The completion's final hidden state without any adapter, (completion length, width), in the
    multiplications' dtype: :meth:`Network.logits` makes the base's logits of it."""

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in (self.keys, self.values, self.entry, self.base))

    @property
    def length(self) -> int:
        """The completion's tokens."""
        return len(self.entry)


@dataclass(eq=False)
class Cache:
    """A prompt's keys and values in all layers, with room for what is generated after it."""

    keys: Tensor
    """(layers, kv_heads, prompt length and room, head_dim)."""
    values: Tensor
    length: int
    """Tokens so far."""

    @property
    def room(self) -> int:
        return self.keys.shape[2] - self.length

    def layer(self, index: int) -> tuple[Tensor, Tensor]:
        return self.keys[index, :, : self.length], self.values[index, :, : self.length]


class Norm(nn.Module):
    """RMSNorm (arXiv 1910.07467) from the float32 residual stream to the dtype of the multiplications."""

    def __init__(self, width: int, epsilon: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, dtype=torch.float32), requires_grad=False)
        self._epsilon, self._dtype = epsilon, dtype

    def forward(self, hidden: Tensor) -> Tensor:
        return rms_norm(hidden, self.weight.shape, self.weight, self._epsilon).to(self._dtype)


class Block(nn.Module):
    """One layer; the residual stream is float32, the multiplications are in ``dtype``."""

    def __init__(
        self, shape: Architecture, dtype: torch.dtype, storage: torch.dtype, *, qkv_bias: bool
    ) -> None:
        super().__init__()
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self._head_dim = shape.head_dim
        self.attn_norm = Norm(shape.width, shape.epsilon, dtype)
        self.attn_q = FrozenLinear(shape.width, queries, bias=qkv_bias, dtype=storage)
        self.attn_k = FrozenLinear(shape.width, keys, bias=qkv_bias, dtype=storage)
        self.attn_v = FrozenLinear(shape.width, keys, bias=qkv_bias, dtype=storage)
        self.attn_output = FrozenLinear(queries, shape.width, bias=False, dtype=storage)
        self.ffn_norm = Norm(shape.width, shape.epsilon, dtype)
        self.ffn_gate = FrozenLinear(shape.width, shape.feed_forward, bias=False, dtype=storage)
        self.ffn_up = FrozenLinear(shape.width, shape.feed_forward, bias=False, dtype=storage)
        self.ffn_down = FrozenLinear(shape.feed_forward, shape.width, bias=False, dtype=storage)

    def keys_values(self, normed: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        """Return rotated keys and values, (rows, kv_heads, head_dim) each."""
        keys = self.attn_k(normed).unflatten(-1, (-1, self._head_dim))
        return rotation(keys), self.attn_v(normed).unflatten(-1, (-1, self._head_dim))

    def queries(self, normed: Tensor, rotation: Rotation) -> Tensor:
        """Return rotated queries, (rows, heads, head_dim)."""
        return rotation(self.attn_q(normed).unflatten(-1, (-1, self._head_dim)))

    def after(
        self,
        hidden: Tensor,
        rotation: Rotation,
        lengths: Sequence[int],
        prompts: Sequence[tuple[Tensor, Tensor]],
    ) -> Tensor:
        """Take packed completions, (rows, width), through the layer, each after its prompt."""
        normed = self.attn_norm(hidden)
        keys, values = self.keys_values(normed, rotation)
        return self.finish(hidden, after(self.queries(normed, rotation), keys, values, lengths, prompts))

    def finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the layer's output, (rows, width), from its input and what its heads attended to."""
        hidden = hidden + self.attn_output(attended)
        if torch.is_grad_enabled() or len(hidden) <= _MLP_ROWS:
            return hidden + self._feed_forward(hidden)
        return torch.cat([part + self._feed_forward(part) for part in hidden.split(_MLP_ROWS)])

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        normed = self.ffn_norm(hidden)
        return self.ffn_down(silu(self.ffn_gate(normed)) * self.ffn_up(normed))


class Network(nn.Module):
    """The model; frozen, but for what :mod:`learner.night.lora` attaches."""

    def __init__(
        self,
        shape: Architecture,
        embedding: Table,
        dtype: torch.dtype,
        storage: torch.dtype,
        *,
        qkv_bias: bool,
    ) -> None:
        super().__init__()
        self.shape, self.dtype = shape, dtype
        self.adapter: LoraShape | None = None
        """The shape of the adapter that :func:`learner.night.lora.attach` put in."""
        self._embedding = embedding
        self.blk = nn.ModuleList(Block(shape, dtype, storage, qkv_bias=qkv_bias) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon, dtype)
        self.output = FrozenLinear(shape.width, embedding.height, bias=False, dtype=storage)

    @property
    def device(self) -> torch.device:
        return self.output.weight.device

    @property
    def first_trained(self) -> int:
        """The lowest layer that the adapter acts on; 0 without one."""
        return min(self.adapter.layers) if self.adapter else 0

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the next token's logits, (rows, vocabulary) in float32, from final hidden states."""
        return self.output(hidden).float()

    @torch.no_grad()
    def prompt_states(
        self,
        prompts: Iterable[Sequence[int]],
        middles: Iterable[Sequence[int]],
        *,
        whole_depth: bool = False,
    ) -> list[PromptState]:
        """Evaluate the base model on each prompt with its completion, without gradient and adapter.

        A prompt is every token before the trigger; a middle is the trigger and the target but its last token.
        What prompts have in common is evaluated once, so give those of one file together. Attach the adapter
        first: its lowest layer says what has to be kept. With ``whole_depth``, keys and values are those of
        all layers, as :meth:`cache` needs them.
        """
        found: dict[int, PromptState] = {}
        with adapter_off(self):
            for pack in packs(zip(prompts, middles, strict=True)):
                states = self._evaluate(pack, 0 if whole_depth else self.first_trained)
                found.update((piece.index, state) for piece, state in zip(pack, states, strict=True))
        return [found[index] for index in range(len(found))]

    def middles(self, states: Sequence[PromptState]) -> Tensor:
        """Return the final hidden states of all completions, packed: (sum of lengths, width).

        The adapter acts, and gradients reach it, as far as they are enabled.
        """
        lengths = [state.length for state in states]
        rotation = self._rotation([(state.keys.shape[2], state.length) for state in states])
        hidden = torch.cat([state.entry for state in states])
        for index, block in enumerate(self._blocks[self.first_trained :]):
            prompts = [(state.keys[index], state.values[index]) for state in states]
            hidden = block.after(hidden, rotation, lengths, prompts)
        return self.output_norm(hidden)

    def cache(self, state: PromptState, room: int) -> Cache:
        """Return a place for ``room`` tokens after a prompt that was evaluated to its whole depth."""
        layers, heads, length, width = state.keys.shape
        keys, values = (
            torch.cat((tensor, tensor.new_empty(layers, heads, room, width)), 2)
            for tensor in (state.keys, state.values)
        )
        return Cache(keys, values, length)

    @torch.no_grad()
    def follow(self, tokens: Sequence[int], caches: Sequence[Cache]) -> tuple[Tensor, Tensor]:
        """Evaluate one more token of each sequence, the adapter acting, and put it into the sequence's cache.

        Returns:
            Hidden states before the first trained layer, and final ones, (sequences, width) each.
        """
        rotation = self._rotation([(cache.length, 1) for cache in caches])
        hidden = entry = self._embedding.rows(list(tokens)).to(self.device)
        ones = [1] * len(tokens)
        for index, block in enumerate(self._blocks):
            if index == self.first_trained:
                entry = hidden
            normed = block.attn_norm(hidden)
            keys, values = block.keys_values(normed, rotation)
            before = [cache.layer(index) for cache in caches]
            hidden = block.finish(hidden, after(block.queries(normed, rotation), keys, values, ones, before))
            for row, cache in enumerate(caches):
                cache.keys[index, :, cache.length] = keys[row]
                cache.values[index, :, cache.length] = values[row]
        for cache in caches:
            cache.length += 1
        return entry, self.output_norm(hidden)

    def _evaluate(self, pack: Sequence[Piece], first_kept: int) -> list[PromptState]:
        """Evaluate a pack in one pass; in the last layer, prompts need keys and values alone."""
        spans = [(piece.shared, len(piece.tokens)) for piece in pack]
        is_middle = torch.cat(
            [
                torch.arange(length) >= length - len(piece.middle)
                for piece, (_, length) in zip(pack, spans, strict=True)
            ]
        ).to(self.device)
        rotation = self._rotation(spans)
        tokens = [token for piece in pack for token in piece.tokens]
        hidden = entry = self._embedding.rows(tokens).to(self.device)
        kept: list[tuple[list[Tensor], list[Tensor]]] = []
        for index, block in enumerate(self._blocks):
            if index == self.first_trained:
                entry = hidden[is_middle]
            normed = block.attn_norm(hidden)
            keys, values = (whole(packed, spans) for packed in block.keys_values(normed, rotation))
            if index >= first_kept:
                kept.append((keys, values))
            if index < self.shape.layers - 1:
                hidden = block.finish(hidden, within(block.queries(normed, rotation), keys, values, spans))
        return self._states(pack, kept, entry, hidden[is_middle])

    def _states(
        self,
        pack: Sequence[Piece],
        kept: Sequence[tuple[list[Tensor], list[Tensor]]],
        entry: Tensor,
        hidden: Tensor,
    ) -> list[PromptState]:
        """Take the completions through the last layer, and copy what is kept of each: no slice of a pack."""
        keys, values = (
            [
                torch.stack([layer[at][:, : len(piece.prompt)] for layer in layers])
                for at, piece in enumerate(pack)
            ]
            for layers in zip(*kept, strict=True)
        )
        rotation = self._rotation([(len(piece.prompt), len(piece.middle)) for piece in pack])
        lengths = [len(piece.middle) for piece in pack]
        last = [(key[-1], value[-1]) for key, value in zip(keys, values, strict=True)]
        base = self.output_norm(self._blocks[-1].after(hidden, rotation, lengths, last))
        entries, bases = entry.split(lengths), base.split(lengths)
        return [
            PromptState(keys[at], values[at], entries[at].clone(), bases[at].clone())
            for at in range(len(pack))
        ]

    def _rotation(self, spans: Sequence[tuple[int, int]]) -> Rotation:
        """Return the rotation for packed rows; a span is a sequence's first position and its length."""
        positions = torch.cat([torch.arange(start, start + length) for start, length in spans])
        shape = self.shape
        return Rotation(
            positions.to(self.device), shape.head_dim, shape.rope_base, interleaved=shape.interleaved
        )

    @property
    def _blocks(self) -> list[Block]:
        return list(cast("Iterable[Block]", self.blk))


def load_network(
    gguf: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    storage: torch.dtype | None = None,
    progress: Callable[[float], None] | None = None,
) -> Network:
    """Return the network with the weights of ``gguf``.

    Args:
        dtype: of the multiplications.
        storage: what their weights are kept in; by default ``dtype``.
        progress: told the share that is done.

    Raises:
        ModelError: the file is missing or damaged, or holds what a night cannot train.
    """
    weights = Weights(gguf)
    names = weights.names
    with torch.device("meta"):
        network = Network(
            weights.architecture,
            weights.table("token_embd.weight"),
            dtype,
            storage or dtype,
            qkv_bias="blk.0.attn_q.bias" in names,
        )
    network.to_empty(device=device).requires_grad_(False)
    # Where the file has no head, the embedding is the head as well.
    head = "output.weight" if "output.weight" in names else "token_embd.weight"
    targets = {
        head if name == "output.weight" else name: tensor for name, tensor in network.named_parameters()
    }
    _check_names(gguf, set(targets), names - {"token_embd.weight"} | {head})
    total = sum(weights.elements(name) for name in targets)
    done = 0
    with ThreadPoolExecutor(torch.get_num_threads(), "dequantise") as pool:
        for name, tensor in targets.items():
            weights.fill(tensor.data, name, pool)
            done += weights.elements(name)
            if progress:
                progress(done / total)
    return network


def _check_names(path: Path, needed: set[str], found: set[str]) -> None:
    if missing := needed - found:
        raise ModelError(f"{path} lacks the tensors {sorted(missing)[:3]}; get the model again")
    if unknown := found - needed:
        raise ModelError(
            f"{path} has tensors that a night cannot train with ({sorted(unknown)[:3]}); "
            "choose another model with `nightschool model use`"
        )
