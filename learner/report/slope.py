"""The slope: the last result of ``nightschool replay``, read from its file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learner.report.estimates import Estimate, estimate_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ARMS = {
    "frozen": "frozen: base with primer, nothing learned",
    "static": "static retrieval, never updated",
    "memory": "memory",
    "weights": "weights",
    "both": "memory and weights",
    "other_project": "another project's adapter",
    "shuffled": "shuffled feedback",
}
"""The arms of a replay in the order in which they are shown, in words."""


class SlopeError(Exception):
    """The file is no result of a replay; the message names it and says what to do."""


@dataclass(frozen=True)
class Snapshot:
    """One arm after so many interactions, asked the same future block as all the others."""

    project: str
    """Whose block it is."""
    arm: str
    interactions: int
    net_saved: Estimate | None
    """Net saved characters per 1,000 typed."""
    exact_match: Estimate | None
    """As a share."""
    returned: bool
    """Asked once more after another project."""


@dataclass(frozen=True)
class Final:
    """One arm on all future blocks, after the whole stream."""

    arm: str
    questions: int | None
    net_saved: Estimate | None
    exact_match: Estimate | None


@dataclass(frozen=True)
class Contrast:
    """One arm against another on the same questions, after the whole stream."""

    arm: str
    against: str
    net_saved: Estimate | None
    exact_match: Estimate | None


@dataclass(frozen=True)
class Slope:
    """What a replay found."""

    run_at: float
    """When the result was written, in Unix time."""
    snapshots: tuple[Snapshot, ...]
    """In the arms' order, and by interactions."""
    finals: tuple[Final, ...]
    contrasts: tuple[Contrast, ...]
    projects: tuple[str, ...]
    """Those with snapshots, in the order of the stream."""
    seeds: tuple[int, ...]

    def of(self, project: str, *, returned: bool = False) -> list[Snapshot]:
        return [one for one in self.snapshots if one.project == project and one.returned == returned]


def read_slope(path: Path) -> Slope | None:
    """Return what the replay's result says, or None where there is none.

    Raises:
        SlopeError: it is damaged, or no such result.
    """
    try:
        found = json.loads(path.read_bytes())
        return _slope(found, path.stat().st_mtime)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SlopeError(
            f"{path} is no result of a replay ({type(error).__name__}); delete it and run: {COMMAND}"
        ) from None


SAVED, EXACT = "net_saved_per_1000", "exact_match"
COMMAND = "nightschool replay PATH"
"""What makes a result; PATH is a git repository."""


def _slope(found: Mapping[str, Any], run_at: float) -> Slope:
    snapshots = [_snapshot(row) for row in found["slope"]]
    arms = sorted(found.get("arms", {}).items(), key=lambda item: _rank(item[0]))
    return Slope(
        run_at,
        tuple(sorted(snapshots, key=lambda one: (_rank(one.arm), one.interactions))),
        tuple(
            Final(arm, row.get("questions"), estimate_of(row.get(SAVED)), estimate_of(row.get(EXACT)))
            for arm, row in arms
        ),
        tuple(
            Contrast(str(row["arm"]), str(row["against"]), estimate_of(row), estimate_of(row.get(EXACT)))
            for row in found.get("differences", ())
        ),
        tuple(dict.fromkeys(one.project for one in snapshots)),
        tuple(map(int, found.get("seeds", ()))),
    )


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        str(row.get("project", "")),
        str(row["arm"]),
        int(row["interactions"]),
        _snapshot_estimate(row, SAVED),
        _snapshot_estimate(row, EXACT),
        bool(row.get("returned", False)),
    )


def _snapshot_estimate(row: Mapping[str, Any], name: str) -> Estimate | None:
    """Return the figure with its interval; replays of earlier versions had none."""
    interval = row.get("intervals", {}).get(name, {})
    return estimate_of({**interval, "mean": row.get(name)})


def _rank(arm: str) -> tuple[int, str]:
    return (list(ARMS).index(arm), "") if arm in ARMS else (len(ARMS), arm)
