"""Scripted sessions with known truth; ``benchmarks/outcomes.py`` plays the same at full length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sessions.play import play, play_served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sessions.score import Row


@pytest.mark.parametrize("reports", [False, True], ids=["stock client", "our client"])
@pytest.mark.parametrize("seed", [1, 2])
def test_each_outcome_of_a_session_is_told_right(seed: int, reports: bool):
    rows = play(seed, 100, reports=reports)
    assert_right(rows)


@pytest.mark.parametrize("reports", [False, True], ids=["stock client", "our client"])
def test_the_ledger_tells_each_outcome_of_a_session_with_the_server_right(reports: bool, tmp_path: Path):
    assert_right(play_served(3, 60, tmp_path, reports=reports))


def assert_right(rows: list[Row]) -> None:
    assert [(row.truth.scene, row.truth.label, row.label) for row in rows if not row.right] == []
    assert [(row.truth.scene, row.wrong_texts) for row in rows if row.wrong_texts] == []
