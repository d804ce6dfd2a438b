"""A whole night on SmolLM2: habits that it cannot know are learned and serve, noise is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import house
import pytest

from learner.exam import examination
from learner.exam.verdict import Limits, reasons_against
from learner.examples import Selection
from learner.job import TrainingOptions
from learner.nightly import Night, NightOptions, NightResult, Verdict
from learner.registry import Registry
from models.checksum import sha256_of
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)

OPTIONS = NightOptions(
    Selection(repository=0), TrainingOptions(minutes=30, epochs=3, memory_mb=2000, give_way=())
)


FORGOTTEN = 0.03
"""The default of one point is less than two of the paper's 156 questions, which near-ties decide."""


@pytest.fixture
def night(
    home: Path, smollm: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[house.Moment]], NightResult]:
    def judge(outcomes: Any, generic: Any, leaks: Any, limits: Limits) -> list[str]:
        return reasons_against(outcomes, generic, leaks, replace(limits, forgotten=FORGOTTEN))

    monkeypatch.setattr(examination, "reasons_against", judge)

    def run(moments: list[house.Moment]) -> NightResult:
        (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
        house.record(home / "ledger.db", moments)
        return Night(Home(home), OPTIONS, lambda _: None).run()

    return run


def figure(result: NightResult, arm: str, paper: str, name: str) -> Any:
    return result.exam[arm][paper][name]


def test_habits_are_learned_and_serve(
    night: Callable[[list[house.Moment]], NightResult], home: Path, smollm: Path
) -> None:
    result = night(house.habits(90))
    assert (result.verdict, result.reasons) == (Verdict.PROMOTED, [])
    serving = Registry(Home(home)).serving(sha256_of(smollm))
    assert serving is not None
    assert serving.id == result.adapter
    assert (
        figure(result, "candidate", "outcomes", "log_loss")
        < figure(result, "base", "outcomes", "log_loss") / 2
    )
    saved = figure(result, "candidate", "outcomes", "net_saved")
    assert saved > figure(result, "base", "outcomes", "net_saved") + 10


def test_noise_is_refused(
    night: Callable[[list[house.Moment]], NightResult], home: Path, smollm: Path
) -> None:
    result = night(house.noise(90))
    assert result.verdict is Verdict.REFUSED
    assert result.reasons
    assert Registry(Home(home)).serving(sha256_of(smollm)) is None
