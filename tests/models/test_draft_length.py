"""How many drafted tokens are worth a batch, with made-up chances, costs and clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.draft_length import LONGEST_EVIDENCE, SIZES, BatchCosts, BatchTimer, Kind, Odds, worthwhile

CHANCE = st.floats(0, 1)


@pytest.mark.parametrize(
    ("chances", "costs", "count"),
    [
        ([0.9, 0.9, 0.9], [1, 1, 1, 1], 3),  # rows that cost nothing
        ([0.99, 0.99, 0.99], [1, 2, 3, 4], 0),  # rows that cost as much as single tokens
        ([1.0, 0.0, 1.0], [1, 1.2, 1.4, 1.6], 1),  # what comes after a token that is wrong
        ([0.3, 0.9], [1, 1.3, 1.3], 2),  # 1.57 tokens in 1.3, where one alone does not pay: 1.3 in 1.3
        ([0.5, 0.5], [1, 1.4, 1.7], 0),  # 1.5 tokens in 1.4: too little to rely on
        ([], [1], 0),
    ],
)
def test_as_many_are_evaluated_as_give_the_most_tokens_per_second(
    chances: list[float], costs: list[float], count: int
) -> None:
    assert worthwhile(chances, costs) == count


@given(st.lists(st.tuples(CHANCE, st.floats(0.01, 2)), max_size=6), st.floats(0.1, 1))
def test_no_other_number_is_clearly_faster(drafted: list[tuple[float, float]], single: float) -> None:
    costs = [single]
    for _, more in drafted:
        costs.append(costs[-1] + more)
    rates, tokens, together = [1 / single], 1.0, 1.0
    for (chance, _), cost in zip(drafted, costs[1:], strict=True):
        together *= chance
        tokens += together
        rates.append(tokens / cost)
    count = worthwhile([chance for chance, _ in drafted], costs)
    assert rates[count] >= max(rates) / 1.21
    assert count == 0 or rates[count] == pytest.approx(max(rates))


def test_what_comes_true_raises_the_odds_of_its_own_kind_and_evidence() -> None:
    odds = Odds()
    before = odds.chances(Kind.PROMPT, 3, 3)
    for _ in range(30):
        odds.note(Kind.PROMPT, 4, right=True)
    after = odds.chances(Kind.PROMPT, 3, 3)
    assert after[1] > before[1] + 0.1
    assert (after[0], after[2]) == (before[0], before[2])
    for _ in range(200):
        odds.note(Kind.PROMPT, 4, right=False)
    assert odds.chances(Kind.PROMPT, 4, 1)[0] < 0.05


def test_a_long_copy_is_judged_by_all_long_ones() -> None:
    odds = Odds()
    odds.note(Kind.RECALLED, LONGEST_EVIDENCE + 70, right=False)
    longest = odds.chances(Kind.RECALLED, LONGEST_EVIDENCE, 1)
    assert odds.chances(Kind.RECALLED, LONGEST_EVIDENCE + 5, 3) == longest * 3
    assert longest < Odds().chances(Kind.RECALLED, LONGEST_EVIDENCE, 1)


def test_the_longer_the_copy_the_surer_it_goes_on() -> None:
    """What is known before anything was learned; noise of the places it was measured at apart."""
    for kind in Kind:
        chances = Odds().chances(kind, 1, LONGEST_EVIDENCE)
        assert chances[-1] > chances[3] > chances[0]


def test_costs_between_those_measured_lie_on_a_line() -> None:
    costs = BatchCosts({1: 1.0, 4: 2.5, 2: 2.0})
    assert costs.up_to(4) == pytest.approx([1.0, 2.0, 2.25, 2.5])
    assert costs.most == 4


class Machine:
    """Evaluates a row in a second and a batch in one more; every fifth batch is disturbed."""

    def __init__(self) -> None:
        self.now, self.count = 0.0, 0
        self.aborts_at: int | None = None

    def decode(self, rows: int) -> None:
        self.count += 1
        if self.count == self.aborts_at:
            raise KeyboardInterrupt
        self.now += 1 + rows + (50 if self.count % 5 == 0 else 0)


def test_a_batch_costs_its_shortest_time() -> None:
    machine = Machine()
    timer = BatchTimer(machine.decode, lambda: machine.now)
    assert timer.costs is None
    while not timer.is_done:
        timer.step()
    assert timer.costs is not None
    assert [timer.costs.up_to(rows)[-1] for rows in SIZES] == [1 + rows for rows in SIZES]


def test_a_round_that_was_aborted_counts_for_nothing() -> None:
    machine = Machine()
    timer = BatchTimer(machine.decode, lambda: machine.now)
    machine.aborts_at = 4
    with pytest.raises(KeyboardInterrupt):
        timer.step()
    assert timer.costs is None and not timer.is_done
    timer.step()
    assert timer.costs is not None
