"""Training minimises the loss that serving has: a line may end in any way, and the ways are added up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from idioms import idiom

from learner.job import TrainingOptions
from learner.night.encoding import EncodedExample, encode_examples
from learner.night.losses import View, pack, terms
from learner.night.network import Network, load_network
from models.engine import Stop
from models.line_end import LineEnds
from models.llama import Log, Model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from models.vocabulary import Vocabulary

JOINED, ENDS = (50, 51), (60, 61, 62)
ENDED = EncodedExample(
    (1, 2), (3, 4, 5), (4, 5, 6), None, 0.5, is_replay=False, is_shortened=False, instead=(JOINED, ENDS)
)
OPEN_ENDED = replace(ENDED, weight=1.0, instead=())
ONLY_ENDS = replace(ENDED, weight=0.25, instead=((), ENDS))


@pytest.fixture(scope="module")
def network(smollm: Path) -> Network:
    return load_network(smollm, dtype=torch.float32, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def vocabulary(qwen: Path) -> Vocabulary:
    return Model.vocabulary_of(qwen, Log()).vocabulary


def by_hand(network: Network, hidden: Tensor, example: EncodedExample) -> Tensor:
    """Return the example's log-loss, added up from the probabilities of all that may be written."""
    first, second, third = network.logits(hidden).float().softmax(1)
    if not example.instead:
        return -(first[4] * second[5] * third[6]).log()
    joined, ends = example.instead
    ended = second[5] * (third[6] + third[[*ends]].sum()) + second[[*joined]].sum()
    return -(first[4] * ended).log()


@pytest.mark.parametrize("examples", [[ENDED, OPEN_ENDED, ONLY_ENDS, ENDED], [OPEN_ENDED]])
def test_the_ways_of_ending_a_line_add_up_in_the_loss_and_its_gradient(
    network: Network, examples: list[EncodedExample]
):
    hidden = torch.randn(3 * len(examples), network.shape.width, generator=torch.Generator().manual_seed(1))
    # States that make the tokens in question likely.
    wanted = torch.tensor([4, 50, 60, 4, 5, 6, 4, 5, 61, 4, 5, 6])[: len(hidden)]
    hidden = (hidden + 2 * torch.nn.functional.normalize(network.output.weight[wanted].float())).detach()
    ours, plain = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    likely = View(torch.zeros((3, 1), dtype=torch.long), torch.zeros((3, 1)))
    found = terms(network, ours, pack(examples, [likely] * len(examples)))
    expected = sum(
        example.weight * by_hand(network, part, example)
        for example, part in zip(examples, plain.split(3), strict=True)
    )
    assert isinstance(expected, torch.Tensor)
    assert found.log_loss == pytest.approx(expected.item(), rel=1e-4)
    found.cross_entropy.backward()
    expected.backward()
    assert plain.grad is not None
    assert ours.grad is not None
    assert float((ours.grad - plain.grad).norm()) < 1e-3 * float(plain.grad.norm())


def test_only_what_is_asked_for_as_a_line_may_end_as_one(vocabulary: Vocabulary):
    options = TrainingOptions(target_tokens=8)
    line = idiom("users", target="x = (1):")
    block, unsaid = replace(line, stop=Stop.BLOCK), replace(line, ends=False)
    silent, long = replace(line, target=""), replace(line, target="a, b, c, d, e, f, g")
    encoded, _ = encode_examples([line, block, unsaid, silent, long], vocabulary, options)
    assert [bool(example.instead) for example in encoded] == [True, False, False, False, False]
    assert encoded[0].instead == LineEnds(vocabulary).instead(encoded[0].target)
