"""The network computes what llama.cpp computes, and trains nothing but the completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest
import torch
from pairs import random_pairs
from torch.nn.functional import cross_entropy

from learner.night import NightError
from learner.night.gemm import choose_dtype, gemm_rate
from learner.night.lora import (
    LoraShape,
    adapter_off,
    adapter_state,
    attach,
    load_adapter_state,
    parameters,
    top_layers,
)
from learner.night.network import Network, PromptState, load_network
from learner.night.packing import packs
from models.catalogue import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

CPU = torch.device("cpu")
PAIRS = random_pairs([(70, 5), (3, 1), (41, 9), (0, 2)])
# Prompts that go on from another's beginning, or are the same.
PAIRS += [(PAIRS[0][0][:40] + PAIRS[2][0][:20], [7, 8]), (PAIRS[0][0], [9]), (PAIRS[0][0][:40], [5, 6, 7])]


def states_of(network: Network) -> list[PromptState]:
    return network.prompt_states([prompt for prompt, _ in PAIRS], [middle for _, middle in PAIRS])


def randomise(network: Network, scale: float = 0.02) -> None:
    """Give the adapter an effect: a fresh one's ``lora_b`` is zero."""
    generator = torch.Generator().manual_seed(3)
    state = adapter_state(network)
    load_adapter_state(
        network,
        {name: torch.randn(matrix.shape, generator=generator) * scale for name, matrix in state.items()},
    )


@pytest.fixture(scope="module")
def network(smollm: Path) -> Network:
    """In float32, with an adapter on the top three layers."""
    network = load_network(smollm, dtype=torch.float32, device=CPU)
    attach(network, LoraShape(4, 8.0, top_layers(network, 3)), seed=1)
    return network


def test_weights_are_the_files_own(network: Network, smollm: Path):
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm).tensors}
    for name in ("blk.7.ffn_down.weight", "blk.0.attn_norm.weight", "output_norm.weight"):
        wanted = gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type)
        assert np.array_equal(network.get_parameter(name).numpy(), wanted)


def test_a_completion_in_a_pack_is_computed_as_alone(network: Network):
    randomise(network)
    together = states_of(network)
    adapted = network.middles(together).split([state.length for state in together])
    for (prompt, middle), state, hidden in zip(PAIRS, together, adapted, strict=True):
        (alone,) = network.prompt_states([prompt], [middle])
        assert state.keys.shape == (3, network.shape.kv_heads, len(prompt), network.shape.head_dim)
        torch.testing.assert_close(alone.keys, state.keys, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(alone.base, state.base, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(network.middles([alone]), hidden, atol=1e-3, rtol=1e-3)


def test_no_prompt_and_no_base_state_sees_the_adapter(network: Network):
    load_adapter_state(network, {name: 0 * matrix for name, matrix in adapter_state(network).items()})
    before = states_of(network)
    randomise(network)
    after = states_of(network)
    for old, new in zip(before, after, strict=True):
        for name in ("keys", "values", "entry", "base"):
            assert torch.equal(getattr(old, name), getattr(new, name))
    base = torch.cat([state.base for state in after])
    assert not torch.allclose(network.middles(after), base, atol=1e-2)
    with adapter_off(network):
        torch.testing.assert_close(network.middles(after), base, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def loss_at(network: Network, states: list[PromptState], state: dict[str, Tensor]) -> float:
    load_adapter_state(network, state)
    return float(loss_of(network, states))


def loss_of(network: Network, states: list[PromptState]) -> Tensor:
    hidden = network.middles(states)
    return cross_entropy(network.logits(hidden), torch.arange(len(hidden)) + 100)


def test_gradients_are_the_slope_of_the_loss(network: Network):
    randomise(network)
    states = states_of(network)
    loss_of(network, states).backward()
    slopes = [matrix.grad for matrix in parameters(network)]
    assert all(slope is not None and slope.any() for slope in slopes)
    network.zero_grad()
    assert all(weight.grad is None for weight in network.parameters())
    state = adapter_state(network)
    for name, slope in zip(state, slopes, strict=True):
        assert slope is not None
        step = slope * (0.02 / slope.norm())
        change = loss_at(network, states, {**state, name: state[name] + step}) - loss_at(
            network, states, {**state, name: state[name] - step}
        )
        assert change == pytest.approx(2 * float((slope * step).sum()), rel=0.1), name
    load_adapter_state(network, state)


def test_the_seed_decides_a_fresh_adapter(smollm: Path):
    def fresh(seed: int) -> dict[str, Tensor]:
        network = load_network(smollm, dtype=torch.bfloat16, device=CPU)
        attach(network, LoraShape(2, 4.0, (29,), ("attn_q",)), seed=seed)
        return adapter_state(network)

    first, same, other = fresh(1), fresh(1), fresh(2)
    assert list(first) == ["blk.29.attn_q.weight.lora_a", "blk.29.attn_q.weight.lora_b"]
    assert all(matrix.dtype == torch.float32 for matrix in first.values())
    assert torch.equal(first["blk.29.attn_q.weight.lora_a"], same["blk.29.attn_q.weight.lora_a"])
    assert not torch.equal(first["blk.29.attn_q.weight.lora_a"], other["blk.29.attn_q.weight.lora_a"])
    assert not first["blk.29.attn_q.weight.lora_b"].any()


def test_an_adapter_that_does_not_fit_is_refused(network: Network):
    with pytest.raises(NightError, match="carries an adapter already"):
        attach(network, LoraShape(4, 8.0, (0,)), seed=1)
    with pytest.raises(NightError, match="no adapter can act on"):
        LoraShape(4, 8.0, (0,), ("token_embd",))
    with pytest.raises(NightError, match="other matrices"):
        load_adapter_state(network, {})
    narrow = {name: matrix[:, :1] for name, matrix in adapter_state(network).items()}
    with pytest.raises(NightError, match="has the shape"):
        load_adapter_state(network, narrow)


def test_a_pack_is_full_before_the_next_begins():
    pairs = [([at] * size, [0]) for at, size in enumerate([600, 400, 30, 5000, 10, 20])]
    found = [[len(piece.prompt) for piece in pack] for pack in packs(pairs, rows=1024)]
    assert found == [[600, 400], [30], [5000], [10, 20]]


def test_what_prompts_have_in_common_is_evaluated_once():
    (a, _), (b, _) = random_pairs([(300, 1), (300, 1)])
    prompts = [b, a[:200] + b[:50], a, a[:100], b[:8] + a]
    (pack,) = packs([(prompt, [1]) for prompt in prompts])
    evaluated = {piece.index: len(piece.tokens) for piece in pack}
    assert sum(evaluated.values()) == 300 + 8 + 300 + 300 + 50 + 5
    for piece in pack:
        assert prompts[piece.index] == list(piece.prompt)


def test_the_dtype_is_the_faster_one():
    faster = max((torch.float32, torch.bfloat16), key=lambda dtype: gemm_rate(dtype, CPU))
    assert choose_dtype(CPU) == faster


def write_model(path: Path, architecture: str, *, extra: str = "", rope: str = "") -> Path:
    """Write a model of one tiny layer, complete but for what makes it unfit."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(1)
    writer.add_embedding_length(32)
    writer.add_head_count(2)
    writer.add_feed_forward_length(32)
    writer.add_layer_norm_rms_eps(1e-5)
    if rope:
        writer.add_string(f"{architecture}.rope.scaling.type", rope)
    names = [f"blk.0.{name}.weight" for name in (*MATRICES, "attn_norm", "ffn_norm")]
    for name in [*names, "token_embd.weight", "output_norm.weight", *([extra] if extra else [])]:
        shape = (32,) if "norm" in name else (32, 32)
        writer.add_tensor(name, np.ones(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def test_a_model_that_cannot_be_trained_is_refused_by_name(tmp_path: Path):
    def load(path: Path) -> Network:
        return load_network(path, dtype=torch.float32, device=CPU)

    assert load(write_model(tmp_path / "good.gguf", "llama")).shape.kv_heads == 2
    with pytest.raises(ModelError, match=r"'starcoder2'.*llama and qwen2.*model use"):
        load(write_model(tmp_path / "other.gguf", "starcoder2"))
    with pytest.raises(ModelError, match=r"cannot train with.*blk\.0\.attn_q_norm"):
        load(write_model(tmp_path / "extra.gguf", "llama", extra="blk.0.attn_q_norm.weight"))
    with pytest.raises(ModelError, match=r"RoPE.*'yarn'"):
        load(write_model(tmp_path / "yarn.gguf", "llama", rope="yarn"))
    with pytest.raises(ModelError, match=r"cannot read .*missing\.gguf"):
        load(tmp_path / "missing.gguf")
    whole = (tmp_path / "good.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-100])
    with pytest.raises(ModelError, match="cut short"):
        load(tmp_path / "cut.gguf")
