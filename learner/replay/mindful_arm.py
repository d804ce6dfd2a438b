"""The arms with memory and gate: both learn from each interaction, from the same facts as in the server."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from learner.declined import Declined
from learner.facts import Served
from learner.gate.features import features_of
from learner.gate.gate import EXPLORED
from learner.gate.live import LiveOutcomes
from learner.memory.chunk import chunk_of
from learner.memory.episode import is_right
from learner.memory.place import place_of
from learner.memory.store import Memory
from learner.replay.asking import Prediction
from learner.trim import trim
from models.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from learner.facts import Event, Offered, Settlement
    from learner.gate.gate import Gate
    from learner.memory.place import MemoryPlace
    from learner.memory.recall import Recalled
    from learner.replay.arms import ArmName
    from learner.replay.asking import Asker
    from learner.replay.situation import Situation
    from learner.replay.workplace import Workplace
    from models.prompt import Chunk, Prompt

PATIENCE_S = 30.0
AROUND = 120
"""Lines around the cursor that the prompt may show anyhow, so that no memory of them is shown."""


class MindfulArm:
    """Asks memory first, then the engine; the gate decides what is shown. The clock is the history's."""

    learns = True

    def __init__(
        self,
        name: ArmName,
        asker: Asker,
        adapter: Callable[[], Path | None],
        gate: Gate,
        memory_file: Path,
        seed: int,
    ) -> None:
        """``memory_file`` is the arm's own, and is begun anew; ``seed`` draws what the gate explores."""
        self.name = name
        self._asker, self._adapter = asker, adapter
        self._workplace: Workplace | None = None
        for suffix in ("", "-wal", "-shm"):
            memory_file.with_name(memory_file.name + suffix).unlink(missing_ok=True)
        self._seed = seed
        self._learned_at = 0.0
        self._now = 0.0
        """The memory's clock; questions from which nothing is learned set it for themselves alone."""
        self._troubles: list[str] = []
        self._memory = Memory.open(memory_file, on_trouble=self._troubles.append, clock=lambda: self._now)
        self._gate = gate
        self._outcomes = LiveOutcomes(gate)
        self._flush()

    def enter(self, workplace: Workplace) -> None:
        self._workplace = workplace

    @property
    def workplace(self) -> Workplace:
        assert self._workplace is not None, "an arm enters a project before it is asked"
        return self._workplace

    @property
    def adapter(self) -> Path | None:
        return self._adapter()

    async def predict(self, situation: Situation, *, learning: bool) -> Prediction:
        self._now = max(self._learned_at, situation.at)
        place = self._place(situation)
        recalled = self._memory.recall(place)
        prompt = self._asker.prompt(situation, self._chunks(situation, recalled))
        prediction = self._rival(situation, place, prompt, recalled)
        if prediction is None:
            prediction = await self._asker.ask(situation, prompt, self.adapter)
            if not prediction.text:
                return prediction
            if self._memory.refuses(place, prediction.text):
                return replace(prediction, shown=False)
        support = sum(found.support for found in recalled if is_right(found.text, prediction.text))
        prediction = replace(prediction, support=support)
        p = self._gate.p_accept(self._features(situation, prediction))
        shown = p >= self._gate.threshold() or (learning and self._explores(situation))
        return replace(prediction, shown=shown, p=p)

    def reveal(
        self,
        situation: Situation,
        offer: Offered,
        prediction: Prediction,
        facts: Sequence[Event | Settlement],
    ) -> None:
        self._now = self._learned_at = max(self._learned_at, situation.at)
        if prediction.p is not None:
            features = self._features(situation, prediction)
            self._outcomes.judged(
                offer.offer_id,
                features,
                prediction.p,
                prediction.text,
                offer.offered_at,
                hidden=not prediction.shown,
            )
        for fact in facts:
            self._outcomes.note(fact)
        self._memory.settle(offer, facts)
        self._flush()

    def close(self) -> None:
        self._memory.close(PATIENCE_S)

    def _explores(self, situation: Situation) -> bool:
        """Draw as the gate does, but by the question: a killed replay goes on with the same draws."""
        return random.Random(f"{self._seed} {situation.project} {situation.number}").random() < EXPLORED

    def _flush(self) -> None:
        """Wait until all is learned: the next place is asked with it.

        Raises:
            EngineError: the memory cannot be written, so that this arm would not be what it is called.
        """
        if not self._memory.flush(PATIENCE_S) or self._troubles:
            why = self._troubles[0] if self._troubles else f"nothing was learned within {PATIENCE_S:.0f} s"
            raise EngineError(f"the arm {self.name} cannot remember: {why}")

    def _rival(
        self, situation: Situation, place: MemoryPlace, prompt: Prompt, recalled: Sequence[Recalled]
    ) -> Prediction | None:
        """Return what the learned rule offers instead of asking the model."""
        for found in recalled:
            text = trim(found.text, situation.place) if self._memory.believes(found) else Declined.EMPTY
            if not isinstance(text, Declined) and not self._memory.refuses(place, text):
                said = found.candidate(text)
                return Prediction(prompt, text, said.logprobs, said.stopped_by, Served.MEMORY)
        return None

    def _chunks(self, situation: Situation, recalled: Sequence[Recalled]) -> tuple[Chunk, ...]:
        """Return the pieces of other files and what was written in like places, within one budget."""
        pieces = self.workplace.live.chunks(situation)
        around = situation.lines[max(0, situation.line - AROUND) : situation.line + AROUND]
        remembered = chunk_of(recalled, {line.strip() for line in around})
        if remembered is None:
            return pieces
        left = self._asker.budget.chunk_chars - len(remembered.text)
        kept: list[Chunk] = []
        for piece in reversed(pieces):
            left -= len(piece.text)
            if left >= 0 and len(kept) + 1 < self._asker.budget.chunks:
                kept.append(piece)
        return (*reversed(kept), remembered)

    def _features(self, situation: Situation, prediction: Prediction) -> NDArray[np.float64]:
        recent = self._outcomes.history.recently(self._now)
        return features_of(
            situation.place,
            prediction.text,
            prediction.logprobs,
            prediction.stopped_by,
            prediction.support,
            recent,
        )

    def _place(self, situation: Situation) -> MemoryPlace:
        return place_of(
            situation.lines,
            situation.line,
            situation.column,
            uri=(self.workplace.root / situation.path).as_uri(),
            project=str(self.workplace.root),
            language=situation.language,
        )
