"""An adapter acts from the trigger on: the prompt's cells are the base model's, whatever serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest

from models.adapters import BASE_KEY
from models.completer import Completer
from models.engine import EngineError, Request
from models.llama import AbortFlag, Context, ContextShape, Log, Model
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = Request(Prompt("def mean(numbers):\n    total = sum(numbers)\n    return ", "\n"), max_tokens=6)
DIGEST = "d" * 64
RANK = 8


def write_adapter(path: Path, *, architecture: str, shapes: dict[str, tuple[int, int]], base: str) -> Path:
    """Write a random adapter for weights of ``shapes`` (out, in), large enough to matter."""
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    writer.add_string(BASE_KEY, base)
    for name, (rows, columns) in shapes.items():
        writer.add_tensor(f"{name}.lora_a", random.normal(0, 0.1, (RANK, columns)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", random.normal(0, 0.1, (rows, RANK)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def shapes_of(model: Path) -> dict[str, tuple[int, int]]:
    """Every block's attention query and feed-forward gate: (out, in)."""
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(model).tensors}
    return {
        name: (int(tensor.shape[1]), int(tensor.shape[0]))
        for name, tensor in tensors.items()
        if name.endswith(("attn_q.weight", "ffn_gate.weight"))
    }


@pytest.fixture(scope="module")
def model(qwen: Path, llama_log: Log) -> Iterator[Model]:
    model = Model(qwen, gpu_layers=0, repack=False, log=llama_log)
    yield model
    model.close()


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    context = Context(model, ContextShape(1024, 4, 2), AbortFlag())
    yield context
    context.close()


@pytest.fixture
def completer(model: Model, context: Context) -> Completer:
    return Completer(model, context, lambda: DIGEST)


@pytest.fixture
def adapter(qwen: Path, tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "random.gguf", architecture="qwen2", shapes=shapes_of(qwen), base=DIGEST)


def test_an_adapter_changes_what_is_generated_and_no_cell_of_the_prompt(
    completer: Completer, context: Context, adapter: Path
) -> None:
    # Twice: a trigger decoded in one batch with the prompt rounds a little differently from one alone.
    completer.complete(REQUEST, 0.0)
    base = completer.complete(REQUEST, 0.0)
    cells = context.state(0)
    completer.use_adapter(adapter)
    adapted = completer.complete(REQUEST, 0.0)
    assert context.state(0) == cells
    assert adapted.timings.evaluated_tokens == 0
    assert adapted.candidates[0].logprobs[0] != base.candidates[0].logprobs[0]
    assert (base.adapter, adapted.adapter) == (None, str(adapter))
    completer.use_adapter(None)
    again = completer.complete(REQUEST, 0.0)
    assert again.candidates == base.candidates
    assert again.timings.evaluated_tokens == 0


def test_a_prompt_evaluated_while_an_adapter_serves_is_the_bases(
    model: Model, completer: Completer, context: Context, adapter: Path
) -> None:
    completer.use_adapter(adapter)
    completer.complete(REQUEST, 0.0)
    fresh = Context(model, context.shape, AbortFlag())
    try:
        # The adapter's own path decodes the trigger apart; so does this one, for the same rounding.
        other = Completer(model, fresh, lambda: DIGEST)
        other.use_adapter(adapter)
        other.adapter = None
        base = other.complete(REQUEST, 0.0)
        completer.use_adapter(None)
        assert completer.complete(REQUEST, 0.0).candidates[0].text == base.candidates[0].text
    finally:
        fresh.close()


def test_an_adapter_for_another_base_is_refused_and_the_one_before_stays(
    completer: Completer, adapter: Path, qwen: Path, tmp_path: Path
) -> None:
    completer.use_adapter(adapter)
    before = completer.complete(REQUEST, 0.0)
    other = write_adapter(tmp_path / "b.gguf", architecture="qwen2", shapes=shapes_of(qwen), base="e" * 64)
    with pytest.raises(EngineError, match=f"{'e' * 64}.*{DIGEST}"):
        completer.use_adapter(other)
    assert completer.complete(REQUEST, 0.0).candidates == before.candidates


def test_after_a_failure_the_next_request_begins_anew(completer: Completer, context: Context) -> None:
    first = completer.complete(REQUEST, 0.0)
    Log()  # the process has one log: whoever asks for it last must not take the others' lines
    context.remove(0, 3)  # what the slots believe is no longer so
    with pytest.raises(EngineError, match="consecutive"):
        completer.complete(REQUEST, 0.0)
    again = completer.complete(REQUEST, 0.0)
    assert again.candidates == first.candidates
    assert again.timings.evaluated_tokens == again.timings.prompt_tokens - 1


@pytest.mark.parametrize("content", [None, b"", b"GGUF\3\0\0\0"])
def test_a_damaged_adapter_is_refused(completer: Completer, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=str(path)):
        completer.use_adapter(path)
    assert completer.adapter is None


def test_an_adapter_of_another_architecture_is_refused(completer: Completer, tmp_path: Path) -> None:
    other = write_adapter(
        tmp_path / "llama.gguf",
        architecture="llama",
        shapes={"blk.0.attn_q.weight": (576, 576)},
        base=DIGEST,
    )
    with pytest.raises(EngineError, match=r"'llama'.*'qwen2'"):
        completer.use_adapter(other)
