"""A night with few outcomes practises: what is half mastered is trained on, and the report says so."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import house
import night_stubs
import pytest

from learner.examples import Example, Selection, Source
from learner.give_way import InterruptionError
from learner.job import TrainingOptions, read_examples, read_job
from learner.ledger_file import connect_to_read
from learner.lesson import prepare
from learner.lesson_cli import as_object, summary
from learner.nightly import Night, NightOptions
from learner.practice.grading import Exercise, Practice
from learner.registry import Registry
from learner.training_process import TrainingStoppedError
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def worked(home: Path, smollm: Path) -> Home:
    (home / "model.json").write_text(json.dumps({"model": "smollm2-135m"}))
    house.record(home / "ledger.db", house.habits(90))
    return Home(home)


@pytest.fixture
def options(tmp_path: Path) -> NightOptions:
    """A project with enough lines to practise."""
    project = tmp_path / "shop"
    project.mkdir()
    lines = "".join(f"def price_{number}(cart):\n    return cart.total({number})\n" for number in range(200))
    (project / "prices.py").write_text(lines)
    selection = Selection(repository=0, replay_share=0.1, projects=(project,))
    return NightOptions(selection, TrainingOptions(minutes=100, give_way=()))


def night(home: Home, options: NightOptions, **parts: Any) -> Night:
    usual = {"train": night_stubs.train, "examine": night_stubs.better}
    return Night(home, options, lambda _: None, **(usual | parts))


def test_what_is_half_mastered_is_trained_on_after_the_outcomes(worked: Home, options: NightOptions) -> None:
    set_before: list[Exercise] = []
    seen: dict[str, Any] = {}

    def practise(exercise: Exercise, on_task: Any, ended: Any) -> Practice:
        set_before.append(exercise)
        on_task(0)
        return Practice(list(exercise.tasks[:3]), mastered=2, hopeless=1, unasked=0, seconds=600.0)

    def train(files: Any, on_progress: Any) -> Any:
        seen.update(examples=read_examples(files), minutes=read_job(files).options.minutes)
        return night_stubs.train(files, on_progress)

    # Refused, so that the next night's exam has as many arms.
    parts = {"train": train, "examine": night_stubs.worse}
    result = night(worked, options, practise=practise, **parts).run()
    (exercise,) = set_before
    assert (exercise.adapter, exercise.seconds) == (None, 0.15 * 100 * 60)
    assert {task.source for task in exercise.tasks} == {Source.PRACTICE}
    sources = [example.source for example in seen["examples"]]
    assert sources.count(Source.PRACTICE) == 3
    assert sources == sorted(sources, key=[Source.OUTCOME, Source.PRACTICE, Source.REPLAY].index)
    report = Registry(worked).find(result.adapter).report
    assert report["practice"] == {"kept": 3, "mastered": 2, "hopeless": 1, "unasked": 0, "seconds": 600.0}
    assert report["files"] == [exercise.tasks[0].file]
    without = night(worked, replace(options, selection=replace(options.selection, practice=0)), **parts)
    with_practice = seen["minutes"]
    without.run()
    assert seen["minutes"] == pytest.approx(with_practice + 10)
    assert seen["minutes"] < 90, "the exam and what follows a promotion have the rest"


def test_with_enough_outcomes_nothing_is_practised(worked: Home, options: NightOptions) -> None:
    def never(*_: Any) -> Practice:
        raise AssertionError("practised")

    enough = replace(options, selection=replace(options.selection, practice=20))
    assert night(worked, enough, practise=never).run().examples


def test_practice_that_was_held_for_too_long_ends_the_night(worked: Home, options: NightOptions) -> None:
    def held(*_: Any) -> Practice:
        raise InterruptionError("paused for 30 min because you are typing")

    with pytest.raises(TrainingStoppedError, match="you are typing"):
        night(worked, options, practise=held).run()
    kept: list[Example] = []

    def practise(exercise: Exercise, on_task: Any, ended: Any) -> Practice:
        kept.extend(exercise.tasks)
        return Practice()

    assert night(worked, options, practise=practise).run().examples
    assert kept, "the next night begins it anew"


def test_the_lesson_shows_the_tasks(worked: Home, options: NightOptions) -> None:
    """Their number makes up for the outcomes that are missing, three for one."""
    with closing(connect_to_read(worked.ledger)) as ledger:
        lesson = prepare(ledger, worked, options.selection)
        few = prepare(ledger, worked, replace(options.selection, practice=72))
    assert 6 < len(lesson.tasks) <= 3 * 230
    assert 0 < len(few.tasks) <= 6
    assert f"practice  {len(lesson.tasks)} tasks" in summary(lesson)
    listed = [each for each in as_object(lesson)["examples"] if each["set"] == "tasks"]
    assert len(listed) == len(lesson.tasks)
    assert {each["source"] for each in listed} == {"practice"}
