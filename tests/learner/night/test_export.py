"""An exported adapter is what was trained, in llama.cpp's eyes too."""

from __future__ import annotations

import resource
import stat
from typing import TYPE_CHECKING

import pytest
import torch
from pairs import random_pairs

from learner.night import NightError
from learner.night.export import export_adapter, load_adapter_into
from learner.night.lora import TARGETS, LoraShape, adapter_state, attach, load_adapter_state, top_layers
from learner.night.network import Network, load_network
from learner.night.parity import ParityError, check_parity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from models.llama import Log

BASE = "b" * 64
SHAPE = LoraShape(4, 8.0, (26, 27, 28, 29))
PAIRS = random_pairs([(60, 8), (25, 4)])


def loaded(path: Path, shape: LoraShape | None = SHAPE) -> Network:
    """Return the network in float32 with a random adapter."""
    network = load_network(path, dtype=torch.float32, device=torch.device("cpu"))
    if shape:
        attach(network, shape, seed=1)
        generator = torch.Generator().manual_seed(3)
        state = {
            name: torch.randn(matrix.shape, generator=generator) * 0.03 if name.endswith("lora_b") else matrix
            for name, matrix in adapter_state(network).items()
        }
        load_adapter_state(network, state)
    return network


@pytest.fixture(scope="module")
def network(smollm: Path) -> Network:
    return loaded(smollm)


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "adapter.gguf"
    export_adapter(network, path, base_sha256=BASE, name="test")
    return path


def test_training_goes_on_from_an_exported_adapter(network: Network, exported: Path, smollm: Path):
    again = loaded(smollm, None)
    load_adapter_into(again, exported, base_sha256=BASE)
    assert again.adapter == SHAPE
    for name, matrix in adapter_state(network).items():
        torch.testing.assert_close(adapter_state(again)[name], matrix, atol=1e-6, rtol=1e-3)


def test_the_file_is_its_owners_alone_and_nothing_lies_beside_it(exported: Path):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert [path.name for path in exported.parent.iterdir()] == ["adapter.gguf"]


def test_a_full_disk_leaves_the_file_before(network: Network, exported: Path, tmp_path: Path):
    path = tmp_path / "adapter.gguf"
    path.write_bytes(b"the one before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (exported.stat().st_size // 2, limits[1]))
    try:
        with pytest.raises(NightError, match=r"cannot write the adapter .*adapter\.gguf"):
            export_adapter(network, path, base_sha256=BASE, name="test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_adapter_with_a_number_that_is_none_is_not_written(network: Network, tmp_path: Path):
    good = adapter_state(network)
    load_adapter_state(network, {name: matrix * float("nan") for name, matrix in good.items()})
    try:
        with pytest.raises(NightError, match="not finite"):
            export_adapter(network, tmp_path / "adapter.gguf", base_sha256=BASE, name="test")
    finally:
        load_adapter_state(network, good)
    assert not list(tmp_path.iterdir())


def test_what_is_no_adapter_for_this_base_is_refused(exported: Path, smollm: Path, tmp_path: Path):
    bare = loaded(smollm, None)
    with pytest.raises(NightError, match=f"belongs to the base {BASE}, not to cccc"):
        load_adapter_into(bare, exported, base_sha256="cccc")
    with pytest.raises(NightError, match=r"cannot be read: cannot read .*missing\.gguf"):
        load_adapter_into(bare, tmp_path / "missing.gguf", base_sha256=BASE)
    (tmp_path / "cut.gguf").write_bytes(exported.read_bytes()[:-5000])
    with pytest.raises(NightError, match="cut short"):
        load_adapter_into(bare, tmp_path / "cut.gguf", base_sha256=BASE)
    with pytest.raises(NightError, match="there is no adapter to export"):
        export_adapter(bare, tmp_path / "none.gguf", base_sha256=BASE, name="test")
    assert bare.adapter is None


def test_llama_cpp_serves_what_was_trained(network: Network, exported: Path, smollm: Path, llama_log: Log):
    parity = check_parity(network, smollm, exported, PAIRS, base_sha256=BASE, log=llama_log)
    assert parity.rows == 12


def rows_in_hugging_face_order(name: str, matrix: Tensor) -> Tensor:
    """What an export makes that reorders queries' and keys' rows for RoPE, which are in order already."""
    if not name.endswith(("attn_q.weight.lora_b", "attn_k.weight.lora_b")):
        return matrix
    return matrix.reshape(-1, 2, 32, matrix.shape[1]).transpose(1, 2).reshape(matrix.shape)


def half(name: str, matrix: Tensor) -> Tensor:
    """What an export makes that mistakes alpha."""
    return matrix / 2 if name.endswith("lora_b") else matrix


@pytest.mark.parametrize("slip", [rows_in_hugging_face_order, half])
def test_a_slip_of_the_export_is_seen(
    network: Network, smollm: Path, llama_log: Log, tmp_path: Path, slip: Callable[[str, Tensor], Tensor]
):
    good, path = adapter_state(network), tmp_path / "slip.gguf"
    load_adapter_state(network, {name: slip(name, matrix) for name, matrix in good.items()})
    try:
        export_adapter(network, path, base_sha256=BASE, name="test")
    finally:
        load_adapter_state(network, good)
    with pytest.raises(ParityError, match=r"does not serve .*slip\.gguf as it was trained"):
        check_parity(network, smollm, path, PAIRS, base_sha256=BASE, log=llama_log)


def test_an_adapter_that_changes_nothing_is_refused(smollm: Path, llama_log: Log, tmp_path: Path):
    untrained = loaded(smollm, None)
    attach(untrained, SHAPE, seed=1)
    export_adapter(untrained, tmp_path / "a.gguf", base_sha256=BASE, name="test")
    with pytest.raises(ParityError, match="nothing was trained"):
        check_parity(untrained, smollm, tmp_path / "a.gguf", PAIRS, base_sha256=BASE, log=llama_log)


def test_llama_cpp_serves_what_was_trained_on_the_default_model(qwen: Path, llama_log: Log, tmp_path: Path):
    network = load_network(qwen, dtype=torch.bfloat16, device=torch.device("cpu"))
    attach(network, LoraShape(4, 8.0, top_layers(network, 2), TARGETS), seed=1)
    generator = torch.Generator().manual_seed(3)
    load_adapter_state(
        network,
        {
            name: torch.randn(matrix.shape, generator=generator) * 0.03 if name.endswith("lora_b") else matrix
            for name, matrix in adapter_state(network).items()
        },
    )
    export_adapter(network, tmp_path / "a.gguf", base_sha256=BASE, name="test")
    assert check_parity(network, qwen, tmp_path / "a.gguf", PAIRS, base_sha256=BASE, log=llama_log).rows == 12
