"""The learned rule: how likely a remembered text is right at a place, and whether to offer it at all.

A logistic regression over a dozen features of the likeness of two places, trained online (stochastic
gradient descent on the log-loss, one step per settled place where something was remembered) and drawn to its
prior: what is known before anything was learned. Every settled place is an example, whether memory or the
model was offered there, so the rule cannot lock itself in or out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIOR: Mapping[str, float] = {
    "bias": -3.4,
    "begun": 0.6,
    "begun_length": 1.5,
    "tail": 1.0,
    "blank": -0.8,
    "share": 1.0,
    "overlap": 2.0,
    "definition": 0.6,
    "previous": 1.4,
    "after": 0.5,
    "project": 0.7,
    "file": 0.2,
    "support": 1.0,
    "contradicted": -2.0,
}
"""Weights before anything was learned; ``learner/memory/likeness.py`` says what the features are."""

RATE = 0.3
"""Step of the gradient descent at the first example; it falls with the root of their number."""
PULL = 0.01
"""Share of the way back to the prior at each step: what was learned long ago fades."""
LEAST = 0.5
"""Nothing less likely is offered instead of asking the model."""
FADE = 0.98
"""Of the model's record, at each new entry: about the last fifty count."""
_BEFORE = (2.0, 3.0)
"""Right and wrong answers of the model that are assumed before any was seen."""


@dataclass(frozen=True)
class Rule:
    """What was learned; a new one is made by each lesson, so that readers need no lock."""

    weights: Mapping[str, float] = field(default_factory=lambda: dict(PRIOR))
    examples: int = 0
    model_right: float = 0.0
    model_wrong: float = 0.0
    """The model's answers where memory knew something, faded."""

    @property
    def bar(self) -> float:
        """The least probability at which memory's text is offered: the model would be right as often."""
        right, wrong = self.model_right + _BEFORE[0], self.model_wrong + _BEFORE[1]
        return max(LEAST, right / (right + wrong))

    def probability(self, features: Mapping[str, float]) -> float:
        total = sum(self.weights[name] * value for name, value in features.items())
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))

    def judged(self, features: Mapping[str, float], right: bool) -> Rule:
        """Return the rule after a place with these features, where the text was right or not."""
        error = float(right) - self.probability(features)
        rate = RATE / math.sqrt(1 + self.examples / 10)
        weights = {
            name: weight + rate * error * features.get(name, 0.0) + PULL * (PRIOR[name] - weight)
            for name, weight in self.weights.items()
        }
        return replace(self, weights=weights, examples=self.examples + 1)

    def model_answered(self, right: bool) -> Rule:
        """Return the rule after the model's own answer at a place where memory knew something."""
        return replace(
            self,
            model_right=FADE * self.model_right + right,
            model_wrong=FADE * self.model_wrong + (not right),
        )

    def as_text(self) -> str:
        return json.dumps(
            {
                "weights": {name: round(weight, 6) for name, weight in self.weights.items()},
                "examples": self.examples,
                "model": [round(self.model_right, 6), round(self.model_wrong, 6)],
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Rule:
        """Return the rule that :meth:`as_text` wrote; features that are unknown or new keep to the prior.

        Raises:
            ValueError, KeyError, TypeError: it is no such text.
        """
        found = json.loads(text)
        weights = {name: float(found["weights"].get(name, prior)) for name, prior in PRIOR.items()}
        right, wrong = found["model"]
        if not all(map(math.isfinite, [*weights.values(), float(right), float(wrong)])):
            raise ValueError("a weight is not finite")
        return cls(weights, int(found["examples"]), float(right), float(wrong))
