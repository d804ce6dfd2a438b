"""Logistic regression that knows how sure it is, and learns one outcome at a time.

The belief about the weights is a normal distribution. An outcome moves it to the exact mode along the one
direction that it tells of, and shrinks the covariance there: sequential Laplace updating (Spiegelhalter and
Lauritzen, *Sequential updating of conditional probabilities on directed graphical structures*, 1990). The
probability is averaged over the belief (MacKay, *The evidence framework applied to classification networks*,
1992), so that it is near one half where little is known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRIFT = 2e-5
"""Variance that a weight regains with each outcome, up to the prior's: habits change."""
_STEPS = 80


class Belief:
    """A normal distribution over the weights; ``mean`` is (size,), ``covariance`` (size, size)."""

    def __init__(self, mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> None:
        self.mean = mean.copy()
        self.covariance = covariance.copy()
        self._most = np.diag(covariance).copy()

    def probability(self, features: NDArray[np.float64]) -> float:
        """Return P(accept) of features (size,), strictly between 0 and 1."""
        score = float(features @ self.mean)
        variance = float(features @ self.covariance @ features)
        return _bounded(sigmoid(score / math.sqrt(1.0 + math.pi * max(0.0, variance) / 8.0)))

    def learn(self, features: NDArray[np.float64], accepted: bool, weight: float = 1.0) -> None:
        """Move towards one outcome that counts as ``weight`` outcomes (0 to 1)."""
        direction = self.covariance @ features
        variance = max(0.0, float(features @ direction))
        score = float(features @ self.mean)
        pull = mode(score, variance, accepted, weight)
        self.mean += pull * direction
        p = sigmoid(score + pull * variance)
        bend = weight * p * (1.0 - p)
        self.covariance -= np.outer(direction, direction) * (bend / (1.0 + bend * variance))
        diagonal = np.einsum("ii->i", self.covariance)
        diagonal += np.where(diagonal < self._most, DRIFT, 0.0)


def mode(score: float, variance: float, accepted: bool, weight: float) -> float:
    """Return ``a`` where ``a = weight * (accepted - sigmoid(score + variance * a))``.

    The right side falls with ``a``, so there is one such ``a``, between -weight and weight: Newton's method,
    with halving where that would leave the bracket or does not narrow it.
    """
    low, high = (0.0, weight) if accepted else (-weight, 0.0)
    pull, width = 0.5 * (low + high), 2.0 * weight
    for _ in range(_STEPS):
        p = sigmoid(score + variance * pull)
        error = pull - weight * (accepted - p)
        if abs(error) < 1e-9:
            break
        low, high = (low, pull) if error > 0 else (pull, high)
        pull -= error / (1.0 + weight * variance * p * (1.0 - p))
        if high - low > 0.5 * width or not low < pull < high:
            pull = 0.5 * (low + high)
        width = high - low
    return pull


def fit(
    features: NDArray[np.float64],
    accepted: NDArray[np.float64],
    variance: NDArray[np.float64],
    worth: float = math.inf,
) -> Belief:
    """Return the posterior mode and its Laplace covariance under a normal prior around zero.

    Args:
        features: (rows, size).
        accepted: (rows,), 0 or 1.
        variance: the prior's, (size,).
        worth: the covariance is as wide as if there had been no more than this many rows, so that what
            comes later still counts.
    """
    mean = np.zeros(features.shape[1])
    precision = np.diag(1.0 / variance)
    bend = np.full(len(features), 0.25)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(features @ mean, -30.0, 30.0)))
        bend = p * (1.0 - p)
        gradient = features.T @ (accepted - p) - mean / variance
        step = np.linalg.solve(features.T @ (features * bend[:, None]) + precision, gradient)
        # Half steps, where a whole one would overshoot: the likelihood is concave, the way is right.
        mean = mean + step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))
        if float(np.abs(step).max()) < 1e-8:
            break
    share = min(1.0, worth / max(1, len(features)))
    covariance = np.linalg.inv(share * features.T @ (features * bend[:, None]) + precision)
    return Belief(mean, 0.5 * (covariance + covariance.T))


def sigmoid(score: float) -> float:
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-min(score, 700.0)))
    grown = math.exp(max(score, -700.0))
    return grown / (1.0 + grown)


def _bounded(p: float) -> float:
    return min(1.0 - 1e-6, max(1e-6, p))
