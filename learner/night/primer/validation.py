"""What the primer does for projects that it was not trained on, beside the bare base, in the real engine."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from learner.exam.results import paper_result
from learner.exam.sitting import Arm, Paper, sit
from models.engine import EngineOptions
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from learner.examples import Example

ANSWERED = 3
"""Every so many questions are answered freely; all are scored, which costs less."""


def validate(
    model: Path, primer: Path, examples: Sequence[Example], on_question: Callable[[int], None]
) -> dict[str, Any]:
    """Return both arms' figures and their differences (primer minus base), as JSON.

    Raises:
        EngineError: the engine failed, or the primer cannot be used with the model.
    """
    return asyncio.run(_validate(model, primer, examples, on_question))


async def _validate(
    model: Path, primer: Path, examples: Sequence[Example], on_question: Callable[[int], None]
) -> dict[str, Any]:
    async def tell(number: int) -> None:
        on_question(number)

    engine = ChildEngine(model, EngineOptions(bulk=True), lambda status: None)
    await engine.start()
    try:
        arms = {Arm.PRIMER: primer, Arm.BASE: None}
        marks = await sit(engine, arms, Paper(examples, ANSWERED), tell)
    finally:
        await engine.close()
    result = paper_result(examples, ANSWERED, marks)
    return {
        **{str(arm): asdict(result.figures(arm)) for arm in arms},
        "log_loss": asdict(result.log_loss(Arm.PRIMER, Arm.BASE)),
        "net_saved": asdict(result.net_saved(Arm.PRIMER, Arm.BASE)),
    }
