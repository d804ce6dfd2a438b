"""LoRA matrices beside the network's linear layers, by PEFT, multiplied in the network's dtype."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners import lora
from torch import Tensor, nn
from torch.nn.functional import linear

from learner.night import NightError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from learner.night.network import Network

TARGETS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""Every linear layer of a block, by its GGUF name; embeddings and head are never adapted."""
_NAME = "default"


@dataclass(frozen=True)
class LoraShape:
    """Where an adapter acts, and how large it is (LoRA, arXiv 2106.09685)."""

    rank: int
    alpha: float
    """The product of the two matrices is scaled by ``alpha / rank``."""
    layers: tuple[int, ...]
    targets: tuple[str, ...] = TARGETS

    def __post_init__(self) -> None:
        if unknown := set(self.targets) - set(TARGETS):
            raise NightError(f"no adapter can act on {sorted(unknown)}; choose from {', '.join(TARGETS)}")
        if self.rank < 1 or self.alpha <= 0 or not self.layers or not self.targets:
            raise NightError(f"an adapter needs a rank, an alpha, layers and targets, not {self}")


class LoraLinear(lora.Linear):
    """PEFT's layer with a leaner forward pass: float32 matrices, multiplied in the base layer's dtype.

    PEFT's own multiplies in float32, which a processor with bfloat16 instructions does eight times as slowly.
    """

    is_off = False

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        result = self.base_layer(x)
        if self.is_off:
            return result
        down, up = self.matrices
        low = linear(x, down.to(x.dtype))
        return torch.addmm(result, low, up.to(x.dtype).t(), alpha=self.scaling[_NAME])

    @property
    def matrices(self) -> tuple[nn.Parameter, nn.Parameter]:
        """``lora_a`` (rank, in) and ``lora_b`` (out, rank)."""
        return cast("nn.Parameter", self.lora_A[_NAME].weight), cast(
            "nn.Parameter", self.lora_B[_NAME].weight
        )


def top_layers(network: Network, count: int) -> tuple[int, ...]:
    """Return the indices of the ``count`` layers nearest the output; of all where it has fewer."""
    layers = network.shape.layers
    return tuple(range(max(0, layers - count), layers))


def attach(network: Network, shape: LoraShape, *, seed: int) -> None:
    """Put a fresh adapter of ``shape`` beside the network's layers; it changes nothing until it is trained.

    Raises:
        NightError: the network has no such layer, or carries an adapter already.
    """
    if outside := [layer for layer in shape.layers if not 0 <= layer < network.shape.layers]:
        raise NightError(f"an adapter for the layers {outside} does not fit {network.shape.layers} layers")
    if network.adapter is not None:
        raise NightError("the network carries an adapter already; load it anew")
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=cast("int", shape.alpha),
        target_modules=[f"blk.{layer}.{target}" for layer in shape.layers for target in shape.targets],
        lora_dropout=0.0,
        bias="none",
    )
    config._register_custom_module({nn.Linear: LoraLinear})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, network)
    for matrix in parameters(network):
        matrix.data = matrix.data.float()
    network.adapter = shape


def parameters(network: Network) -> list[nn.Parameter]:
    """Return the adapter's matrices: all that is trained, float32."""
    return list(_matrices(network).values())


@contextmanager
def adapter_off(network: nn.Module) -> Iterator[None]:
    """Run the base model alone inside the block."""
    layers = [layer for _, layer in _layers(network)]
    before = [layer.is_off for layer in layers]
    for layer in layers:
        layer.is_off = True
    try:
        yield
    finally:
        for layer, was_off in zip(layers, before, strict=True):
            layer.is_off = was_off


@contextmanager
def amplified(network: nn.Module, scale: float) -> Iterator[None]:
    """Run with the adapter's effect multiplied by ``scale`` inside the block."""
    layers = [layer for _, layer in _layers(network)]
    for layer in layers:
        layer.scale_layer(scale)
    try:
        yield
    finally:
        for layer in layers:
            layer.unscale_layer()


def adapter_state(network: Network) -> dict[str, Tensor]:
    """Return copies of the matrices on the CPU, by their GGUF names."""
    return {name: matrix.detach().cpu().clone() for name, matrix in _matrices(network).items()}


def load_adapter_state(network: Network, state: Mapping[str, Tensor]) -> None:
    """Set the attached adapter's matrices.

    Raises:
        NightError: ``state`` has other matrices, or of other shapes.
    """
    mine = _matrices(network)
    if odd := set(mine) ^ set(state):
        raise NightError(f"the adapter's state has other matrices than the network's: {sorted(odd)[:3]} …")
    for name, matrix in mine.items():
        if matrix.shape != state[name].shape:
            raise NightError(
                f"{name} has the shape {tuple(state[name].shape)}, not {tuple(matrix.shape)} as the network's"
            )
        matrix.data.copy_(state[name])


def _layers(network: nn.Module) -> list[tuple[str, LoraLinear]]:
    return [(name, module) for name, module in network.named_modules() if isinstance(module, LoraLinear)]


def _matrices(network: nn.Module) -> dict[str, nn.Parameter]:
    return {
        f"{name}.weight.{end}": matrix
        for name, layer in _layers(network)
        for end, matrix in zip(("lora_a", "lora_b"), layer.matrices, strict=True)
    }
