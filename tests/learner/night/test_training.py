"""Training on the real SmolLM2: it teaches what it should, nothing else, and the same thing twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import psutil
import pytest
import torch
from idioms import NAMES, School, idiom, idioms, options

from learner.examples import Source
from learner.give_way import InterruptionError
from learner.night import NightError

if TYPE_CHECKING:
    from pathlib import Path

    from learner.job import Progress, TrainingResult

TAUGHT, HELD_OUT = NAMES[:16], NAMES[16:]


@pytest.fixture(scope="module")
def trained(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> School:
    return School(smollm, tmp_path_factory.mktemp("school"))


@pytest.fixture
def school(trained: School) -> School:
    trained.forget()
    return trained


def test_an_idiom_is_learned_for_names_never_seen(school: School):
    before = school.log_loss(idioms(HELD_OUT))

    result = school.train(idioms(TAUGHT), options(epochs=5))

    assert school.log_loss(idioms(HELD_OUT)) < 0.5 * before
    assert result.last_loss < result.first_loss
    assert (result.examples, result.epochs, result.steps, result.dropped_steps) == (16, 5.0, 10, 0)


def test_the_same_seed_and_examples_give_the_same_adapter(school: School):
    def trained(seed: int) -> dict[str, torch.Tensor]:
        school.train(idioms(TAUGHT), options(epochs=1, seed=seed, anchor=0.1))
        return school.adapter

    first, again, other = trained(1), trained(1), trained(2)

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_what_has_no_weight_teaches_nothing(school: School):
    with pytest.raises(NightError, match="nothing to learn"):
        school.train(idioms(TAUGHT, weight=0.0), options())

    assert not school.has_learned


def test_a_heavy_example_is_learned_better_than_a_light_one(school: School):
    light, heavy = "return house.light()", "return flat.heavy()"
    taught = [
        *idioms(TAUGHT[:8], target=light, weight=0.1),
        *idioms(TAUGHT[:8], target=heavy, weight=1.0),
    ]

    school.train(taught, options(epochs=4))

    assert school.log_loss(idioms(HELD_OUT, target=heavy)) < school.log_loss(idioms(HELD_OUT, target=light))


def test_a_rejected_offer_becomes_unlikelier_where_it_went_wrong(school: School):
    rejected = idioms(TAUGHT, rejected="self.fetch()")
    (tested,) = school.encode(rejected[:1], options())
    assert tested.wrong
    assert tested.wrong[0] == 0
    wrong = [tested.wrong[1]]

    def after_training(unlikelihood: float) -> float:
        school.train(rejected, options(epochs=2, unlikelihood=unlikelihood))
        return float(school.log_probs(tested, wrong))

    assert after_training(unlikelihood=5.0) < after_training(unlikelihood=0.0)


def test_an_offer_rejected_for_nothing_loses_its_first_token(school: School):
    rejected = idioms(TAUGHT, target="", ends=False, rejected="self.fetch()")
    (tested,) = school.encode(rejected[:1], options())
    assert not tested.target
    assert tested.wrong
    wrong = [tested.wrong[1]]
    before = float(school.log_probs(tested, wrong))

    school.train(rejected, options(epochs=3, unlikelihood=1.0))

    assert float(school.log_probs(tested, wrong)) < before - 0.5


def test_the_anchor_keeps_what_is_not_taught(school: School):
    elsewhere = idioms(HELD_OUT, target="[item for item in self.items if item.name]")
    before = school.log_loss(elsewhere)

    def drift(anchor: float) -> float:
        school.train(idioms(TAUGHT), options(epochs=3, anchor=anchor))
        return school.log_loss(elsewhere) - before

    assert drift(anchor=2.0) < 0.5 * drift(anchor=0.0)


def test_prompts_that_do_not_fit_in_memory_are_evaluated_again_to_the_same_effect(
    school: School, monkeypatch: pytest.MonkeyPatch
):
    evaluations: list[int] = []
    evaluate = school.network.prompt_states
    monkeypatch.setattr(
        school.network, "prompt_states", lambda *of: evaluations.append(len(of[0])) or evaluate(*of)
    )
    monkeypatch.setattr("learner.night.batches.WINDOW_STEPS", 1)

    def adapter_with(memory_mb: int) -> dict[str, torch.Tensor]:
        evaluations.clear()
        school.train(idioms(TAUGHT), options(anchor=0.1, memory_mb=memory_mb))
        return school.adapter

    kept = adapter_with(memory_mb=100_000)
    assert evaluations == [8, 8, 8, 8], "two to measure the pace, then one per window"
    evaluated_again = adapter_with(memory_mb=psutil.Process().memory_info().rss // 1_000_000)
    assert len(evaluations) > 4
    # What was held for a moment will be held again: that all is freed now leaves no room.
    monkeypatch.setattr("learner.night.training.peak_mb", lambda: 100_000)
    adapter_with(memory_mb=100_000)
    assert len(evaluations) > 4
    assert all(torch.equal(kept[name], evaluated_again[name]) for name in kept)


def test_a_step_without_a_number_is_dropped_and_counted(school: School):
    examples = school.encode(idioms(TAUGHT), options())
    broken = [replace(examples[0], weight=float("nan")), *examples[1:]]

    result = school.train_on(broken, options())

    assert (result.steps, result.dropped_steps) == (4, 2)
    assert all(bool(matrix.isfinite().all()) for matrix in school.adapter.values())


def test_training_ends_where_no_step_gives_a_number(school: School):
    examples = school.encode(idioms(TAUGHT), options())
    broken = [replace(example, weight=float("nan")) for example in examples]

    with pytest.raises(NightError, match="no number in 5 steps in a row"):
        school.train_on(broken, options(epochs=5))

    assert not school.has_learned


def test_a_stopped_training_goes_on_to_the_same_adapter(school: School):
    taught = school.encode(idioms(TAUGHT), options(anchor=0.1))
    school.train_on(taught, options(anchor=0.1))
    undisturbed = school.adapter
    school.forget()
    told: list[Progress] = []

    with pytest.raises(InterruptionError):
        school.train_on(
            taught,
            options(anchor=0.1),
            on_progress=told.append,
            wait=lambda _: len(told) == 2,
        )
    school.restart()
    result = school.train_on(taught, options(anchor=0.1), on_progress=told.append)

    assert [progress.done for progress in told] == [1, 2, 3, 4]
    assert result.steps == 4
    assert all(torch.equal(matrix, undisturbed[name]) for name, matrix in school.adapter.items())


def test_short_of_time_there_are_fewer_epochs_then_fewer_examples(school: School):
    replay = idioms(NAMES[12:], source=Source.REPLAY)
    taught = school.encode([*idioms(NAMES[:12]), *replay], options())

    def result(seconds: float) -> TrainingResult:
        school.forget()
        # Each look at the clock takes a second, so evaluating or training on eight examples does.
        clock = map(float, count()).__next__
        return school.train_on(taught, options(epochs=4, minutes=seconds / 60), clock=clock)

    ample, fewer_epochs, fewer_examples = result(1000.0), result(15.0), result(9.0)

    assert (ample.examples, ample.epochs, ample.notes) == (16, 4.0, ())
    assert fewer_epochs.examples == 16
    assert 0 < fewer_epochs.epochs < 4
    assert "of 4 epochs" in fewer_epochs.notes[0]
    assert 0 < fewer_examples.examples < 16
    assert fewer_examples.left_out == {"no time": 16 - fewer_examples.examples}
    assert any("of 16 examples" in note for note in fewer_examples.notes)


def test_where_memory_runs_out_less_is_held_at_once(school: School, monkeypatch: pytest.MonkeyPatch):
    taught = school.encode(idioms(TAUGHT), options())
    school.train_on(taught, options())
    usual = school.adapter
    school.forget()
    middles = school.network.middles

    def short(states):
        if torch.is_grad_enabled() and sum(state.length for state in states) > 70:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        return middles(states)

    monkeypatch.setattr(school.network, "middles", short)
    result = school.train_on(taught, options())

    assert any("memory ran out; went on with 64 tokens at once" in note for note in result.notes)
    assert all(torch.allclose(matrix, usual[name], atol=1e-3) for name, matrix in school.adapter.items())


def test_training_ends_where_memory_is_too_short_for_an_example(
    school: School, monkeypatch: pytest.MonkeyPatch
):
    def none_left(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(school.network, "middles", none_left)

    with pytest.raises(NightError, match="not enough memory for a training step"):
        school.train(idioms(TAUGHT), options())


def test_another_error_is_not_taken_for_short_memory(school: School, monkeypatch: pytest.MonkeyPatch):
    def broken(_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(school.network, "middles", broken)

    with pytest.raises(RuntimeError, match="shapes"):
        school.train(idioms(TAUGHT), options())


def test_progress_tells_loss_and_time_left(school: School):
    told: list[Progress] = []

    school.train_on(school.encode(idioms(TAUGHT), options()), options(), on_progress=told.append)

    assert [(progress.phase, progress.done, progress.total) for progress in told] == [
        ("train", done, 4) for done in (1, 2, 3, 4)
    ]
    assert all(progress.loss and progress.loss > 0 for progress in told)
    left = [progress.seconds_left for progress in told]
    assert left[-1] == 0.0
    assert left[0] and left[0] > 0.0


def test_a_personal_adapter_stays_close_to_what_it_starts_from(school: School):
    """Staying close to the base would unlearn the start."""
    school.train(idioms(TAUGHT), options(epochs=5))
    primer = school.adapter
    second = school.encode([idiom(name, target="house.none()") for name in TAUGHT[:4]], options())

    def first_lesson_after(anchor_to_base: bool) -> float:
        school.forget()
        school.adapter = primer
        school.train_on(second, options(anchor=5.0, anchor_to_base=anchor_to_base, epochs=4))
        return school.log_loss(idioms(HELD_OUT))

    assert first_lesson_after(anchor_to_base=False) < first_lesson_after(anchor_to_base=True)
