"""Offers with known chances, and a prior made of them: what the gate's tests share."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from learner.gate.features import Spot, features_of
from learner.gate.gathering import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HERE = Spot("python", "    total = ", "")
WORDS = ("add(first, second)", "0", "load(path)", "self.items[key].value", "[]", "None")


def features(mean_logprob: float, text: str = "add(first, second)") -> NDArray[np.float64]:
    """Return the features of an offer whose six tokens are about as likely as that."""
    return features_of(HERE, text, (mean_logprob,) * 6)


def chance(mean_logprob: float) -> float:
    """How often an offer of the made-up developer's is accepted."""
    return 1.0 / (1.0 + math.exp(-(2.0 + 5.0 * mean_logprob)))


def rows(count: int, seed: int = 1) -> list[Row]:
    """Return rows of ten projects whose offers are right as often as :func:`chance` says."""
    draw = random.Random(seed)
    found: list[Row] = []
    for number in range(count):
        logprob, text = -draw.expovariate(2.0), draw.choice(WORDS)
        right = draw.random() < chance(logprob)
        found.append(
            Row(
                project=f"project{number % 10}",
                file=f"{number}.py",
                line=1,
                language="python",
                before=HERE.before,
                after="",
                text=text,
                logprobs=(logprob,) * 6,
                stopped_by="newline",
                target=text if right else "something_else(entirely)",
                ends=True,
            )
        )
    return found
