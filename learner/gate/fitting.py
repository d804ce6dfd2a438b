"""The prior out of rows: fitted, and examined project by project on rows that the fit has not seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from learner.gate.calibration import calibration
from learner.gate.features import NAMES, SIZE, Spot, features_of
from learner.gate.logistic import Belief, fit
from learner.gate.shipped import Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from learner.gate.gathering import Row

WORTH = 150.0
"""Own outcomes that the prior counts as: it gives way within some days."""
SPREADS = (0.1, 0.2, 0.4, 0.8)
"""Standard deviations of a weight that are tried; what predicts unseen projects best is taken."""
UNSEEN = frozenset({"memory support", "from memory", "previous outcome", "recent acceptance", "time since"})
"""Features that the rows have nothing of: left to the developer's own outcomes."""
FREE = 3.0
"""Standard deviation of the bias."""
FOLDS = 10


def fit_prior(rows: Sequence[Row]) -> Prior:
    """Return the prior that the rows give; those without anything to offer are left out.

    Raises:
        ValueError: no two projects have offers.
    """
    rows = [row for row in rows if row.text]
    features = np.array([features_of_row(row) for row in rows]).reshape(-1, SIZE)
    accepted = np.array([row.accepted for row in rows], float)
    projects = [row.project for row in rows]
    if len(set(projects)) < 2:
        raise ValueError("rows of at least two projects are needed")
    tried = {spread: _unseen(features, accepted, projects, spread) for spread in SPREADS}
    spread = min(tried, key=lambda each: _log_loss(tried[each], accepted))
    belief = _fit(features, accepted, spread)
    told = tried[spread]
    found = calibration(zip(told.tolist(), accepted.astype(bool).tolist(), strict=True))
    assert found, "there are rows"
    origin: dict[str, Any] = {
        "rows": len(rows),
        "projects": sorted(set(projects)),
        "accepted": round(float(accepted.mean()), 4),
        "spread": spread,
        "log_loss": round(_log_loss(told, accepted), 4),
        "log_loss_of_the_mean": round(_log_loss(np.full(len(rows), float(accepted.mean())), accepted), 4),
        "calibration_error": round(found.error, 4),
    }
    accepts = tuple(sorted(told[accepted > 0].tolist()))
    return Prior(belief.mean, belief.covariance, accepts, origin)


def features_of_row(row: Row) -> NDArray[np.float64]:
    return features_of(Spot(row.language, row.before, row.after), row.text, row.logprobs, row.stopped_by)


def _unseen(
    features: NDArray[np.float64], accepted: NDArray[np.float64], projects: Sequence[str], spread: float
) -> NDArray[np.float64]:
    """Return P(accept) of each row from the rows of other projects, (rows,)."""
    fold = {project: number % FOLDS for number, project in enumerate(sorted(set(projects)))}
    number = np.array([fold[project] for project in projects])
    told = np.empty(len(accepted))
    for held in set(fold.values()):
        out = number == held
        belief = _fit(features[~out], accepted[~out], spread)
        told[out] = [belief.probability(each) for each in features[out]]
    return told


def _fit(features: NDArray[np.float64], accepted: NDArray[np.float64], spread: float) -> Belief:
    variance = np.full(SIZE, spread**2)
    variance[NAMES.index("bias")] = FREE**2
    found = fit(features, accepted, variance, WORTH)
    for name in UNSEEN:
        index = NAMES.index(name)
        found.covariance[index, :] = found.covariance[:, index] = 0.0
        found.covariance[index, index] = max(SPREADS[1], spread) ** 2
    return Belief(found.mean, found.covariance)


def _log_loss(told: NDArray[np.float64], accepted: NDArray[np.float64]) -> float:
    likelihood = np.where(accepted > 0, told, 1 - told)
    return -float(np.log(likelihood).mean()) if len(told) else math.nan
