"""The prior that ships: what accepted offers look like, before this developer has seen one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learner.gate.features import NAMES, SIZE
from learner.gate.logistic import Belief

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PRIOR = Path(__file__).with_name("prior.json")
_LOWER = np.tril_indices(SIZE)


class PriorError(ValueError):
    """The prior's file cannot be used; the message says why and how to make it anew."""


@dataclass(frozen=True)
class Prior:
    """A belief about the weights, and what it was made of."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    accepts: tuple[float, ...]
    """P(accept) of the rows that would have been accepted, each from a fit without its project."""
    origin: Mapping[str, Any]
    """Rows, projects and figures, for people."""

    def belief(self) -> Belief:
        return Belief(self.mean, self.covariance)

    def to_json(self) -> str:
        content = {
            "origin": self.origin,
            "features": NAMES,
            "mean": [round(float(each), 4) for each in self.mean],
            "covariance": [float(f"{each:.4g}") for each in self.covariance[_LOWER]],
            "accepts": [round(each, 4) for each in self.accepts],
        }
        return json.dumps(content, indent=None, separators=(",", ":")) + "\n"


def read_prior(path: Path = PRIOR) -> Prior:
    """Return the prior of a file.

    Raises:
        PriorError: it cannot be read, or is of another version's features.
    """
    remedy = "make it anew with: python -m learner.gate.prior"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        mean = np.array(content["mean"], float)
        covariance = np.zeros((SIZE, SIZE))
        if tuple(content["features"]) != NAMES:
            raise PriorError(f"the gate's prior {path} has other features than this version; {remedy}")
        covariance[_LOWER] = content["covariance"]
        accepts = tuple(float(each) for each in content["accepts"])
        origin = content["origin"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, PriorError):
            raise
        raise PriorError(f"the gate's prior {path} cannot be read ({error}); {remedy}") from None
    whole = covariance + np.tril(covariance, -1).T
    if not _is_belief(mean, whole):
        raise PriorError(f"the gate's prior {path} holds no belief (numbers that cannot be); {remedy}")
    return Prior(mean, whole, accepts, origin)


def _is_belief(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> bool:
    finite = np.isfinite(mean).all() and np.isfinite(covariance).all()
    return mean.shape == (SIZE,) and bool(finite) and bool(np.linalg.eigvalsh(covariance)[0] > 0)
