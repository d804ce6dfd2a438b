"""Self-distillation on the real SmolLM2: what a teacher who sees what settled gives to one who does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from idioms import NAMES, School, idiom, idioms, options

from learner.examples import Source
from learner.job import JobError, TrainingOptions
from learner.night.distillation import Guided, loss, write
from learner.night.lora import adapter_state, parameters
from learner.night.prompts import Evaluation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from learner.night.encoding import EncodedExample

TAUGHT, HELD_OUT = NAMES[:16], NAMES[16:]


@pytest.fixture(scope="module")
def trained(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> School:
    return School(smollm, tmp_path_factory.mktemp("school"))


@pytest.fixture
def school(trained: School) -> School:
    trained.forget()
    return trained


def distilling(**changes: Any) -> TrainingOptions:
    return options(**({"distillation": 1.0} | changes))


def guided(school: School, examples: Sequence[EncodedExample]) -> list[Guided]:
    prepared = Evaluation(school.network, adapter_state(school.network))(examples)
    found = [one.guided for one in prepared if one.guided]
    assert len(found) == len(examples)
    return found


@torch.no_grad()
def away_from_teacher(school: School, found: Sequence[Guided]) -> float:
    hidden = school.network.middles([one.state for one in found])
    return float(loss(school.network, hidden, found, [1.0] * len(found)))


def test_the_own_completion_is_what_greedy_decoding_writes(school: School):
    """Each token is the likeliest after those before it, evaluated in one pass instead of one by one."""
    school.train(idioms(TAUGHT[:2]), options(epochs=1))
    examples = school.encode(idioms(HELD_OUT[:2]), distilling())
    found = guided(school, examples)
    whole = school.network.prompt_states(
        [one.prompt for one in examples], [one.middle for one in examples], whole_depth=True
    )
    own, entries = write(school.network, examples, whole)
    states = school.network.prompt_states([one.prompt for one in examples], own)
    for state, tokens, entry, mine in zip(states, own, entries, found, strict=True):
        likeliest = school.network.logits(school.network.middles([state])).argmax(1).tolist()
        assert likeliest[:-1] == tokens[1:]
        assert torch.allclose(entry, state.entry, atol=1e-3)
        assert torch.equal(mine.state.entry, entry)
    assert len({tuple(tokens) for tokens in own}) > 1


def test_a_student_learns_what_only_its_teacher_sees(school: School):
    """What settled is no target here: only the teacher's opinion of the student's own words is."""
    taught = idioms(TAUGHT[:5])
    found = guided(school, school.encode(taught, distilling()))
    before = school.log_loss(taught), away_from_teacher(school, found)

    result = school.train(taught, distilling(epochs=8))

    after = school.log_loss(taught), away_from_teacher(school, found)
    assert after[1] < 0.5 * before[1]
    assert after[0] < before[0]
    assert result.first_loss > 1.0, "the loss that is told is that of what settled"


def test_every_token_of_the_students_completion_has_a_signal_and_only_the_student_a_gradient(school: School):
    example, *_ = examples = school.encode(idioms(TAUGHT[:2]), distilling())
    found = guided(school, examples)
    hidden = school.network.middles([one.state for one in found])
    hidden.retain_grad()

    loss(school.network, hidden, found, [1.0, 1.0]).backward()

    assert hidden.grad is not None
    assert len(hidden.grad) == sum(one.state.length for one in found) > len(example.target)
    assert bool((hidden.grad.abs().sum(1) > 0).all())
    assert not any(one.teacher.log_probs.requires_grad for one in found)
    with_gradient = {
        name for name, each in school.network.named_parameters() if each.grad is not None and each.grad.any()
    }
    assert with_gradient
    assert all("lora_" in name for name in with_gradient)
    for matrix in parameters(school.network):
        matrix.grad = None


def test_the_teacher_stays_what_training_began_from(school: School):
    examples = school.encode(idioms(TAUGHT[:4]), distilling())
    evaluation = Evaluation(school.network, adapter_state(school.network))
    before = [one.guided for one in evaluation(examples)]
    school.train(idioms(TAUGHT[:4]), options(epochs=1))
    after = [one.guided for one in evaluation(examples)]
    assert school.has_learned
    for one, other in zip(before, after, strict=True):
        assert one
        assert other
        assert torch.equal(one.teacher.log_probs, other.teacher.log_probs)
        assert torch.equal(one.state.entry, other.state.entry)


def test_a_teacher_that_knows_no_better_does_not_teach(school: School):
    examples = [
        replace(example, hinted=example.prompt) for example in school.encode(idioms(TAUGHT[:4]), distilling())
    ]
    prepared = Evaluation(school.network, adapter_state(school.network))(examples)
    assert [one.guided for one in prepared] == [None] * len(examples)


def test_prompts_that_are_evaluated_again_give_the_same_adapter(
    school: School, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("learner.night.batches.WINDOW_STEPS", 1)
    taught = [*idioms(TAUGHT[:3]), *idioms(TAUGHT[3:4], source=Source.REPLAY)]

    def adapter_with(working_bytes: int) -> dict[str, torch.Tensor]:
        monkeypatch.setattr("learner.night.training._WORKING_BYTES", working_bytes)
        school.train(taught, distilling(distillation=0.5, anchor=0.1, batch=2))
        return school.adapter

    kept, again = adapter_with(0), adapter_with(1 << 50)
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_the_teacher_sees_what_settled_and_the_student_does_not(school: School):
    (example,) = school.encode([idiom("users")], distilling())
    text = b"".join(map(school.tokenizer.piece, example.hinted)).decode()
    prompt = b"".join(map(school.tokenizer.piece, example.prompt)).decode()
    assert 'return house.fetch_all("users", quiet=True)' in text
    assert "fetch_all" not in prompt
    assert example.hinted[-len(example.prompt) + 1 :] == example.prompt[1:]


@pytest.mark.parametrize("source", [Source.REPLAY, Source.OUTCOME])
def test_generic_code_and_rejected_offers_have_no_teacher(school: School, source: Source):
    changes: dict[str, Any] = {"source": source}
    if source is Source.OUTCOME:
        changes.update(target="", ends=False, rejected="self.fetch()")
    (example,) = school.encode([idiom("users", **changes)], distilling(replay=1.0))
    assert example.hinted == ()


def test_without_the_option_nobody_teaches(school: School):
    assert {example.hinted for example in school.encode(idioms(TAUGHT), options())} == {()}
    with pytest.raises(JobError, match=r"distillation is 1\.5"):
        distilling(distillation=1.5)
