"""Scripted sessions with known truth; ``benchmarks/outcomes.py`` plays the same at full length."""

import pytest

from tests.sessions.play import play


@pytest.mark.parametrize("reports", [False, True], ids=["stock client", "our client"])
@pytest.mark.parametrize("seed", [1, 2])
def test_each_outcome_of_a_session_is_told_right(seed: int, reports: bool):
    rows = play(seed, 100, reports=reports)
    assert [(row.truth.scene, row.truth.label, row.label) for row in rows if not row.right] == []
    assert [(row.truth.scene, row.wrong_texts) for row in rows if row.wrong_texts] == []
