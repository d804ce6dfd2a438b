"""How sure a difference between two arms is: a paired bootstrap over clusters of questions.

Questions of one file are no independent evidence, so whole clusters are drawn (Davison and Hinkley,
*Bootstrap Methods and their Application*, 1997, section 3.8). Both arms answered the same questions, so their
differences are drawn, not their marks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

DRAWS = 10_000
LEVEL = 0.95
LEAST_CLUSTERS = 8
"""With fewer the bootstrap's intervals are too narrow: larger clusters are cut until there are as many."""


@dataclass(frozen=True)
class Difference:
    """A difference of two arms (first minus second) per unit, with its central 95 % interval."""

    mean: float
    low: float
    high: float


def clusters(files: Sequence[str]) -> list[int]:
    """Return the cluster of each question, given its file; the questions are in the order of time.

    A file is a cluster; while there are fewer than :data:`LEAST_CLUSTERS`, the largest is cut in two by time.
    """
    members: list[list[int]] = [[] for _ in dict.fromkeys(files)]
    number = {file: index for index, file in enumerate(dict.fromkeys(files))}
    for question, file in enumerate(files):
        members[number[file]].append(question)
    while 0 < len(members) < min(LEAST_CLUSTERS, len(files)):
        largest = max(members, key=len)
        members.remove(largest)
        members += [largest[: len(largest) // 2], largest[len(largest) // 2 :]]
    found = [0] * len(files)
    for cluster, questions in enumerate(members):
        for question in questions:
            found[question] = cluster
    return found


def difference(
    first: ArrayLike, second: ArrayLike, units: ArrayLike, cluster: Sequence[int], seed: int = 0
) -> Difference:
    """Return the sum of ``first - second`` divided by the sum of ``units``.

    Args:
        first: the first arm's amount for each question, (questions,).
        second: the second arm's.
        units: by what it is divided: tokens, or ones for a mean over questions.
        cluster: the cluster of each question; there are at least two.
        seed: of the draws.
    """
    present, index = np.unique(cluster, return_inverse=True)
    count = len(present)
    differences = np.bincount(index, np.asarray(first, float) - np.asarray(second, float), count)
    sizes = np.bincount(index, np.asarray(units, float), count)
    random = np.random.default_rng(seed)
    # How often each cluster is drawn, (DRAWS, clusters).
    drawn = random.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    low, high = np.quantile(drawn @ differences / (drawn @ sizes), (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    mean = differences.sum() / sizes.sum()
    wider = _widening(count)
    return Difference(float(mean), float(mean - wider * (mean - low)), float(mean + wider * (high - mean)))


def _widening(count: int) -> float:
    """Return by what factor a percentile interval of few clusters is too narrow.

    The spread of the draws misses the square root of ``count / (count - 1)``, and the normal distribution's
    tails are lighter than Student's (whose quantile is from Abramowitz and Stegun, 26.7.5).
    """
    freedom = count - 1
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    student = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return math.sqrt(count / freedom) * student / z
