"""What the gate hides, what that costs, and how long a decision takes: on projects newer than the model.

The engine answers once at each cursor, with the prompt that is served first (near); an offer counts as
accepted where its first line or its first eight characters are what stands there
(``learner/gate/shadow.py``). The offers then pass the gate file by file, as a developer would meet them: it
judges each, and learns from each outcome as a server does (``learned``); or it keeps to the prior that ships
(``prior alone``). No project gave a row to that prior.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from estimates import Estimate, paired, spread
from pipe import model_file
from projects import REPORTING, SPARE, fetch
from report import SCRATCH, Figure, at_least, at_most, publish
from resumable import options_parser

from learner.gate.calibration import calibration
from learner.gate.features import History, Spot, features_of
from learner.gate.gate import THRESHOLD, Gate
from learner.gate.gathering import Row, folder_examples, gather, read_rows
from learner.gate.outcomes import WEIGHTS
from learner.gate.serving import ServingGate
from learner.gate.shipped import read_prior
from learner.labels import Label
from models.engine import Candidate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

PROJECTS = (REPORTING[-1], SPARE)
"""Those that no setting of the gate was ever looked at with (docs/gate.md)."""
ROWS = SCRATCH / "gate.jsonl"
PAUSE_S = 20.0
"""Between two offers of the simulated developer."""
MOST = 0.9
"""The highest that the setting takes: what is hidden then is left to the bound on lost accepts."""
LOST = 0.05
"""The share of would-be accepts that the gate may lose."""
TIMED = 3000


def main() -> None:
    options = parse()
    if not options.report:
        waiting = [
            each
            for project in PROJECTS
            for each in folder_examples(fetch(project), options.cursors, options.per_file, options.seed)
        ]
        SCRATCH.mkdir(exist_ok=True)
        model = model_file(options.model)
        if not gather(waiting, model, ROWS, threads=options.threads, minutes=options.minutes):
            sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = [row for row in read_rows(ROWS) if row.text]
    if not rows:
        sys.exit(f"{ROWS} holds no offers; run without --report first")
    publish("gate", figures_of(rows), summary(rows), options.to)


def parse() -> argparse.Namespace:
    parser = options_parser(__doc__)
    add = parser.add_argument
    add("--cursors", type=int, default=150, help="per project")
    add("--per-file", type=int, default=4)
    return parser.parse_args()


def figures_of(rows: list[Row]) -> list[Figure]:
    return [
        *costs(rows, "learned", told(rows)),
        *costs(rows, "prior alone", told(rows, learning=False)),
        *costs(rows, "learned, as much as the bound allows", told(rows, threshold=MOST)),
        hindsight(rows, told(rows)),
        at_most(
            "time per decision, p95 (ms)", decision_ms(rows), 5.0, f"{TIMED} decisions, features included"
        ),
    ]


def told(
    rows: Sequence[Row], *, learning: bool = True, threshold: float = THRESHOLD
) -> list[tuple[float, bool]]:
    """Return P(accept) of each offer and whether it was shown, in the rows' order."""
    gate, history = Gate(read_prior(), seed=1), History()
    found: list[tuple[float, bool]] = []
    for number, row in enumerate(rows):
        recent = history.recently(PAUSE_S * number)
        spot = Spot(row.language, row.before, row.after)
        x = features_of(spot, row.text, row.logprobs, row.stopped_by, recent=recent)
        p = gate.p_accept(x)
        shown = gate.shows(p, threshold)
        found.append((p, shown))
        if learning:
            gate.learn(x, row.accepted, 1.0 if shown else WEIGHTS[Label.HIDDEN], p=p)
            history.note(row.accepted, PAUSE_S * number)
    return found


def costs(rows: Sequence[Row], arm: str, judged: Sequence[tuple[float, bool]]) -> list[Figure]:
    shown = [float(was_shown) for _, was_shown in judged]
    accepted = [float(row.accepted) for row in rows]
    files = [row.file for row in rows]

    def estimate(statistic: Any) -> Estimate:
        return paired(shown, accepted, files, statistic)

    hidden, gain, lost = (estimate(each) for each in (share_hidden, relative_gain, share_lost))
    found = calibration((p, row.accepted) for (p, _), row in zip(judged, rows, strict=True))
    assert found, "there are rows"
    rate = sum(accepted) / len(rows)
    return [
        at_least(f"offers hidden, {arm}", hidden.value, 0.20, f"{hidden}, {len(rows)} offers"),
        at_least(
            f"acceptance of those shown, relative gain, {arm}", gain.value, 0.25,
            f"{gain}; without the gate {rate:.3f}",
        ),
        at_most(
            f"would-be accepts lost, {arm}", lost.value, LOST, f"{lost}, {sum(accepted):.0f} would-be accepts"
        ),
        Figure(
            f"calibration error, {arm}", found.error,
            note=f"Brier score {found.brier:.3f}; {rate * (1 - rate):.3f} for the mean",
        ),
    ]  # fmt: skip


def hindsight(rows: Sequence[Row], judged: Sequence[tuple[float, bool]]) -> Figure:
    """Return the limit of what is known of an offer: the best threshold, chosen with all outcomes in hand."""
    p, accepted = np.array([p for p, _ in judged]), np.array([row.accepted for row in rows], dtype=float)
    lost = np.cumsum(accepted[np.argsort(p)]) / accepted.sum()
    hidden = float(np.searchsorted(lost, LOST, side="right") / len(rows))
    pairs = p[accepted == 1][:, None] - p[accepted == 0][None, :]
    area = float((pairs > 0).mean() + (pairs == 0).mean() / 2)
    return Figure(
        "offers that could be hidden, best threshold in hindsight, learned", hidden,
        note=f"at {LOST:.0%} of would-be accepts lost; area under the ROC curve {area:.3f}",
    )  # fmt: skip


def share_hidden(shown: NDArray[np.float64], accepted: NDArray[np.float64]) -> float:
    del accepted
    return float(1.0 - shown.mean())


def relative_gain(shown: NDArray[np.float64], accepted: NDArray[np.float64]) -> float:
    return float((shown * accepted).sum() / max(1.0, shown.sum()) / max(1e-9, accepted.mean()) - 1.0)


def share_lost(shown: NDArray[np.float64], accepted: NDArray[np.float64]) -> float:
    return float(((1.0 - shown) * accepted).sum() / max(1.0, accepted.sum()))


def decision_ms(rows: Sequence[Row]) -> float:
    """Return the 95th percentile of what one decision of a server's gate takes."""
    with tempfile.TemporaryDirectory() as folder:
        gate = ServingGate.open(Path(folder) / "ledger.db")
    taken: list[float] = []
    for number in range(TIMED):
        row = rows[number % len(rows)]
        spot = Spot(row.language, row.before, row.after)
        candidates = (Candidate(row.text, row.logprobs, row.stopped_by),)
        began = time.perf_counter()
        gate.hides(f"o{number}", spot, row.text, candidates, PAUSE_S * number, THRESHOLD)
        taken.append(1000 * (time.perf_counter() - began))
    return spread(taken).p95


def summary(rows: list[Row]) -> dict[str, Any]:
    """Return the sample and the calibration behind the figures."""
    judged = told(rows)
    found = calibration((p, row.accepted) for (p, _), row in zip(judged, rows, strict=True))
    assert found, "there are rows"
    asked = {row.project for row in rows}
    return {
        "projects": [asdict(project) for project in PROJECTS if f"{project.name}-{project.version}" in asked],
        "offers": len(rows),
        "files": len({row.file for row in rows}),
        "threshold": THRESHOLD,
        "prior": dict(read_prior().origin),
        "calibration": asdict(found),
    }


if __name__ == "__main__":
    main()
