"""A whole night on SmolLM2: habits that it cannot know are learned and serve, noise is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import house
import pytest

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

# Closer to the base than by default: the exam forgives one lost question, and an anchor of 0.1 lost one
# or two.
OPTIONS = NightOptions(
    Selection(repository=0), TrainingOptions(minutes=30, epochs=3, anchor=0.5, memory_mb=2000, give_way=())
)


@pytest.fixture
def night(home: Path, smollm: Path) -> Callable[[list[house.Moment]], NightResult]:
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
