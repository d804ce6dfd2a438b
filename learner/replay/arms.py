"""The arms: who is asked at each place, what each may know, and what each learns of what came of it.

| arm | shown of other files | offers from memory, gate | adapter |
|---|---|---|---|
| frozen | nothing | | primer |
| static | the project as it stood at the start | | primer |
| memory | the project as it is | learn from each interaction | primer |
| weights | the project as it stood at the start | | own nights |
| both | the project as it is | learn from each interaction | own nights |
| other_project | the project as it is | learn from each interaction | another project's nights |
| shuffled | the project as it is | learn from other places' outcomes | nights on other places' outcomes |
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from learner.facts import Event, Offered, Settlement
    from learner.replay.asking import Asker, Prediction
    from learner.replay.retrieval import Retrieval
    from learner.replay.situation import Situation
    from learner.replay.workplace import Workplace


class ArmName(StrEnum):
    FROZEN = "frozen"
    STATIC = "static"
    MEMORY = "memory"
    WEIGHTS = "weights"
    BOTH = "both"
    OTHER_PROJECT = "other_project"
    SHUFFLED = "shuffled"


MINDFUL = frozenset({ArmName.MEMORY, ArmName.BOTH, ArmName.OTHER_PROJECT, ArmName.SHUFFLED})
"""Those with memory and gate, and with the project as it is."""
SCHOOLED = frozenset({ArmName.WEIGHTS, ArmName.BOTH, ArmName.OTHER_PROJECT, ArmName.SHUFFLED})
"""Those whose adapter comes from nights."""


class Arm(Protocol):
    """One way of completing, played through the whole replay."""

    @property
    def name(self) -> ArmName: ...

    @property
    def learns(self) -> bool:
        """Whether it may answer the same question otherwise later."""
        ...

    @property
    def adapter(self) -> Path | None:
        """What it is asked with; None is the bare base."""
        ...

    def enter(self, workplace: Workplace) -> None:
        """What is asked from now on is of this project."""
        ...

    async def predict(self, situation: Situation, *, learning: bool) -> Prediction:
        """Return what it would offer; ``learning`` is False where nothing will be revealed.

        Raises:
            EngineError: the engine failed.
        """
        ...

    def reveal(
        self,
        situation: Situation,
        offer: Offered,
        prediction: Prediction,
        facts: Sequence[Event | Settlement],
    ) -> None:
        """Learn what became of it; only an arm that learns is told."""
        ...

    def close(self) -> None: ...


class FixedArm:
    """Learns nothing by itself: the engine, perhaps with retrieval, with the adapter that it is given."""

    def __init__(self, name: ArmName, asker: Asker, adapter: Callable[[], Path | None]) -> None:
        self.name = name
        self._asker, self._adapter = asker, adapter
        self._retrieval: Retrieval | None = None

    @property
    def learns(self) -> bool:
        return self.name in SCHOOLED

    @property
    def adapter(self) -> Path | None:
        return self._adapter()

    def enter(self, workplace: Workplace) -> None:
        self._retrieval = None if self.name is ArmName.FROZEN else workplace.static

    async def predict(self, situation: Situation, *, learning: bool) -> Prediction:
        chunks = self._retrieval.chunks(situation) if self._retrieval else ()
        return await self._asker.ask(situation, self._asker.prompt(situation, chunks), self.adapter)

    def reveal(
        self,
        situation: Situation,
        offer: Offered,
        prediction: Prediction,
        facts: Sequence[Event | Settlement],
    ) -> None:
        """Nothing: what it learns, its nights do."""

    def close(self) -> None:
        """Nothing to close."""
