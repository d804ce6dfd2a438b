"""The replay of one project: predict, score, reveal, learn; at times, the whole future block for all arms."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from learner.developer import respond
from learner.replay.arms import ArmName
from learner.replay.facts_left import facts_of
from learner.replay.record import Phase
from learner.replay.scoring import offer_of, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from learner.facts import Event, Offered, Settlement
    from learner.replay.arms import Arm
    from learner.replay.asking import Asker, Prediction
    from learner.replay.questions import Question
    from learner.replay.record import Record, Row
    from learner.replay.workplace import Workplace

SNAPSHOTS = (0, 10, 50, 100, 300, 1000)
"""Interactions after which the future block is asked; and after the last one."""


class School(Protocol):
    """Where an adapter comes from: nights over what was recorded."""

    @property
    def adapter(self) -> Path | None:
        """What serves now; None is the bare base."""
        ...

    def enter(self, workplace: Workplace) -> None:
        """What is recorded from now on is of this project."""
        ...

    def record(self, offer: Offered, facts: Sequence[Event | Settlement]) -> None: ...

    async def study(self, interactions: int) -> None:
        """Do the night that is due after so many interactions, unless it was done before."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Course:
    """One project's part of a replay."""

    workplace: Workplace
    stream: Sequence[Question]
    block: Sequence[Question]


class Stream:
    """Plays courses for all arms, cursor by cursor; what the record has already is not asked again."""

    def __init__(
        self,
        asker: Asker,
        arms: Sequence[Arm],
        schools: dict[ArmName, School],
        record: Record,
        seed: int,
        on_row: Callable[[bool], None],
    ) -> None:
        self._asker, self._arms, self._schools, self._record = asker, arms, schools, record
        self._seed, self._on_row = seed, on_row
        """``on_row`` is told for each row whether it had to be asked for."""
        self._interactions = 0
        """Over all projects."""

    async def play(self, course: Course, *, moves: bool = True) -> None:
        """Play the stream, and the future block at each snapshot.

        ``moves`` is False where nobody looks at the project as it is: then its files stay as they are.

        Raises:
            EngineError: the engine failed; what was asked so far is in the record.
        """
        for taught in (*self._arms, *self._schools.values()):
            taught.enter(course.workplace)
        for number, question in enumerate(course.stream):
            if moves:
                course.workplace.move_to(question)
            if number in SNAPSHOTS:
                await self._ask_block(course, Phase.BLOCK)
            for arm in self._arms:
                await self._interact(arm, course, number)
            self._interactions += 1
        await self._ask_block(course, Phase.BLOCK)

    async def play_again(self, course: Course) -> None:
        """Ask the course's future block once more, after others: is it forgotten?"""
        for taught in (*self._arms, *self._schools.values()):
            taught.enter(course.workplace)
        await self._ask_block(course, Phase.RETURN)

    async def _ask_block(self, course: Course, phase: Phase) -> None:
        for school in self._schools.values():
            await school.study(self._interactions)
        # Who learns nothing answers the same each time.
        asked = [
            arm
            for arm in self._arms
            if arm.learns or (phase is Phase.BLOCK and not self._was_asked(course, arm))
        ]
        # Question by question: arms that are shown the same share its evaluation.
        for question in course.block:
            for arm in asked:
                await self._row(arm, question, phase)

    def _was_asked(self, course: Course, arm: Arm) -> bool:
        asked = {(question.situation.project, question.situation.number) for question in course.block}
        return any(
            (row.project, row.number) in asked
            and (row.phase, row.arm) == (Phase.BLOCK, arm.name)
            and row.interactions < self._interactions
            for row in self._record.rows.values()
        )

    async def _interact(self, arm: Arm, course: Course, number: int) -> None:
        question = course.stream[number]
        row = await self._row(arm, question, Phase.STREAM)
        told = self._told(arm, course, number)
        school = self._schools.get(arm.name)
        if told is None or not (arm.learns or school) or row.prediction is None:
            return
        offer = offer_of(question, row.prediction, course.workplace.root, f"{arm.name}-{self._seed}")
        offered = row.prediction.offered
        target = told.truth.target
        facts = facts_of(offer.offer_id, offered, respond(offered, target), target, offer.offered_at)
        arm.reveal(question.situation, offer, row.prediction, facts)
        if school:
            school.record(offer, facts)

    def _told(self, arm: Arm, course: Course, number: int) -> Question | None:
        """Return the question whose truth the arm is told; shuffled, that of an earlier one."""
        if arm.name is not ArmName.SHUFFLED:
            return course.stream[number]
        draw = random.Random(f"{self._seed} {number}")
        return course.stream[draw.randrange(number)] if number else None

    async def _row(self, arm: Arm, question: Question, phase: Phase) -> Row:
        key = (
            question.situation.project,
            phase,
            str(arm.name),
            self._interactions,
            question.situation.number,
        )
        if (known := self._record.rows.get(key)) is not None:
            self._on_row(False)
            return known
        prediction: Prediction = await arm.predict(question.situation, learning=phase is Phase.STREAM)
        scored = await self._asker.score(question.situation, prediction.prompt, question.truth, arm.adapter)
        row = row_of(question, prediction, scored, arm.name, phase, self._interactions)
        self._record.add(row)
        self._on_row(True)
        return row


def rows_of(course_sizes: Sequence[tuple[int, int]], fixed: int, learning: int) -> int:
    """Return how many rows a replay has in all, for its progress.

    Args:
        course_sizes: the lengths of stream and block of each project.
        fixed: arms that learn nothing.
        learning: arms that learn.
    """
    total = 0
    for stream, block in course_sizes:
        snapshots = sum(at < stream for at in SNAPSHOTS) + 1
        total += (fixed + learning) * stream + block * (fixed + learning * snapshots)
    returned = sum(block for _, block in course_sizes[:1]) if len(course_sizes) > 1 else 0
    return total + learning * returned
