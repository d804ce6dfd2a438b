"""How a model is loaded where llama.cpp has a GPU. This machine has none: its build takes the layers' number
and computes on the processor all the same, and a full GPU is played by a model that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil
import pytest

from models import loading
from models.draft_length import SIZES
from models.engine import EngineError, EngineOptions, Request
from models.llama import AbortFlag, Log, Model
from models.prompt import Prompt
from models.tuning import BatchTiming, Tuner

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = Request(Prompt("def add(a, b):\n    return a", "\n"), max_tokens=4)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "has_gpu", lambda: True)


def test_without_a_gpu_the_processor_computes_and_is_tuned(
    smollm: Path, llama_log: Log, tmp_path: Path
) -> None:
    completer, chores = loading.load(
        smollm, EngineOptions(cells=256, tuning=tmp_path / "t"), AbortFlag(), llama_log
    )
    assert (completer.context.model.gpu_layers, completer.notice) == (0, "")
    assert completer.context.shape.batch > completer.context.shape.ubatch
    assert [type(chore) for chore in chores] == [BatchTiming, Tuner]


def test_what_batches_take_is_measured_once_and_kept(smollm: Path, llama_log: Log, tmp_path: Path) -> None:
    options = EngineOptions(cells=256, tuning=tmp_path / "t")
    completer, (batches, _) = loading.load(smollm, options, AbortFlag(), llama_log)
    while not batches.is_done:
        batches.step()
    assert completer.timer.costs is not None and set(completer.timer.costs.measured) == set(SIZES)
    again, (kept, _) = loading.load(smollm, options, AbortFlag(), llama_log)
    assert kept.is_done and again.timer.costs is not None
    assert again.timer.costs.measured == completer.timer.costs.measured


@pytest.mark.usefixtures("gpu")
def test_a_gpu_takes_all_layers_in_parts_that_can_be_stopped(
    smollm: Path, llama_log: Log, tmp_path: Path
) -> None:
    completer, chores = loading.load(
        smollm, EngineOptions(cells=256, tuning=tmp_path / "t"), AbortFlag(), llama_log
    )
    assert completer.context.model.gpu_layers == loading.ALL_LAYERS
    assert completer.context.shape.batch == completer.context.shape.ubatch
    assert [type(chore) for chore in chores] == [BatchTiming]
    assert completer.complete(REQUEST, 0.0).candidates[0].text


@pytest.mark.usefixtures("gpu")
def test_what_does_not_fit_the_gpu_is_said_and_computed_on_the_processor(
    smollm: Path, llama_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *, gpu_layers: int, **options: Any) -> Model:
        if gpu_layers:
            raise EngineError("llama.cpp cannot load the model: out of memory")
        return Model(path, gpu_layers=gpu_layers, **options)

    monkeypatch.setattr(loading, "Model", full)
    completer, _ = loading.load(smollm, EngineOptions(cells=256), AbortFlag(), llama_log)
    assert completer.context.model.gpu_layers == 0
    assert completer.notice == (
        "the GPU is not used, the processor computes: llama.cpp cannot load the model: out of memory "
        "(architecture 'llama'); choose another with `nightschool model use`, or upgrade llama-cpp-python"
    )
    assert completer.complete(REQUEST, 0.0).candidates[0].text


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("layers", [0, 3])
def test_a_number_of_layers_that_was_asked_for_is_kept(smollm: Path, llama_log: Log, layers: int) -> None:
    completer, _ = loading.load(smollm, EngineOptions(cells=256, gpu_layers=layers), AbortFlag(), llama_log)
    assert completer.context.model.gpu_layers == layers


def test_the_pages_of_copied_weights_are_not_counted_twice(smollm: Path, llama_log: Log) -> None:
    model = Model(smollm, gpu_layers=0, repack=True, log=llama_log)
    mapped = [each for each in psutil.Process().memory_maps() if each.path == str(smollm.resolve())]
    assert mapped
    assert sum(each.rss for each in mapped) < smollm.stat().st_size / 10
    model.close()


def test_in_bulk_whole_batches_are_computed_at_once_from_the_mapped_file(
    smollm: Path, llama_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def watched(path: Path, *, repack: bool, **options: Any) -> Model:
        asked.append(repack)
        return Model(path, repack=repack, **options)

    monkeypatch.setattr(loading, "Model", watched)
    texts = []
    for bulk in (False, True):
        completer, _ = loading.load(smollm, EngineOptions(cells=256, bulk=bulk), AbortFlag(), llama_log)
        shape = completer.context.shape
        assert (shape.ubatch == shape.batch) is bulk
        texts.append(completer.complete(REQUEST, 0.0).candidates[0].text)
    assert asked == [True, False]
    assert texts[0] == texts[1]
