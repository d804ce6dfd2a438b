"""Weights that are kept in 16 bits and multiplied in float32: the same numbers, in half the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from learner.night.frozen import FrozenLinear, storage_of
from learner.night.lora import LoraShape, attach, parameters, top_layers
from learner.night.losses import log_probs
from learner.night.network import load_network

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
PROMPT, MIDDLE = list(range(100, 130)), list(range(200, 208))


def layer(dtype: torch.dtype) -> FrozenLinear:
    torch.manual_seed(1)
    made = FrozenLinear(8, 4).requires_grad_(False)
    # Values that float16 has: what is converted is the same in both.
    for tensor in made.parameters():
        tensor.data = tensor.data.half().to(dtype)
    return made


def test_a_converted_layer_multiplies_and_differentiates_as_one_in_float32() -> None:
    rows = torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    found = []
    for dtype in (torch.float32, torch.float16):
        entry = rows.clone().requires_grad_()
        out = layer(dtype)(entry)
        assert out.dtype is torch.float32
        out.square().sum().backward()
        found.append((out.detach(), entry.grad))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=0, atol=0)
    torch.testing.assert_close(found[1][1], found[0][1])


def test_what_is_multiplied_in_float32_is_kept_in_sixteen_bits() -> None:
    assert storage_of(torch.float32) is torch.float16
    assert storage_of(torch.bfloat16) is torch.bfloat16


@pytest.mark.parametrize("storage", [torch.float16, torch.bfloat16])
def test_a_network_is_trained_as_with_float32_weights(smollm: Path, storage: torch.dtype) -> None:
    found = []
    for kept in (torch.float32, storage):
        network = load_network(smollm, dtype=torch.float32, device=CPU, storage=kept)
        assert network.output.weight.dtype is kept
        assert network.blk[0].get_parameter("ffn_up.weight").dtype is kept
        attach(network, LoraShape(4, 8.0, top_layers(network, 2)), seed=1)
        assert all(matrix.dtype is torch.float32 for matrix in parameters(network))
        states = network.prompt_states([PROMPT], [MIDDLE])
        hidden = network.middles(states)
        told = log_probs(network, hidden, torch.tensor(MIDDLE)[:, None])
        told.sum().backward()
        grads = [matrix.grad for matrix in parameters(network) if matrix.grad is not None]
        assert hidden.dtype is torch.float32
        found.append((told.detach(), torch.cat([grad.flatten() for grad in grads])))
    (wanted, slopes), (ours, our_slopes) = found
    assert (ours - wanted).abs().max() < 0.1
    assert torch.nn.functional.cosine_similarity(our_slopes, slopes, dim=0) > 0.995
