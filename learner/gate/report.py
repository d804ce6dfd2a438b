"""What the gate did, for people: offers hidden, what that cost, and whether P(accept) kept its word."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from learner.gate.calibration import calibration
from learner.gate.gate import THRESHOLD, Gate
from learner.gate.guard import upper_bound
from learner.gate.outcomes import NEWEST, read_judged, train
from learner.gate.shipped import read_prior
from learner.labels import Label

if TYPE_CHECKING:
    import sqlite3

    from learner.gate.calibration import Calibration


@dataclass(frozen=True)
class GateReport:
    """The newest outcomes, as the gate saw them one after the other."""

    outcomes: int
    """Offers, shown or hidden, of which it is known whether they were (or would have been) accepted."""
    hidden: int
    """All that were hidden, whatever is known of them."""
    would_be_accepts: int
    """Hidden ones that were then typed by hand."""
    accepts: int
    """Shown ones that were accepted, or typed by hand."""
    lost: float | None
    """Would-be accepts among the hidden, of all would-be accepts; None where there were none."""
    lost_at_most: float
    """The upper end of that share's 95 % interval."""
    threshold: float
    """Below this P(accept) the gate hides now: the default threshold, or less where the bound asks for it."""
    calibration: Calibration | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Return it in words."""
        if not self.outcomes and not self.hidden:
            return ["no outcomes yet; it judges by the prior that ships"]
        lost = "" if self.lost is None else f", {self.lost:.1%} of all (at most {self.lost_at_most:.1%})"
        lines = [
            f"{self.hidden} hidden, of which {self.would_be_accepts} would have been accepted{lost}",
            f"hides below P(accept) {self.threshold:.2f}",
        ]
        if self.calibration:
            lines.append(
                f"P(accept) is off by {self.calibration.error:.3f} in the mean over"
                f" {self.calibration.outcomes} outcomes (Brier score {self.calibration.brier:.3f})"
            )
        return lines


def gate_report(
    connection: sqlite3.Connection, threshold: float = THRESHOLD, newest: int = NEWEST
) -> GateReport:
    """Return the report over the newest outcomes of a ledger.

    Each is judged by a gate that knows the prior and the outcomes before it, and no others. What was replayed
    is learned from, and in no figure.

    Raises:
        PriorError: the prior that ships cannot be used.
    """
    gate = Gate(read_prior())
    told = [each for each in train(gate, read_judged(connection, newest)) if not each.judged.replayed]
    known = [each for each in told if each.judged.accepted is not None]
    hidden = [each for each in told if each.judged.label is Label.HIDDEN]
    missed = sum(bool(each.judged.accepted) for each in hidden)
    accepts = sum(bool(each.judged.accepted) for each in known) - missed
    wanted = missed + accepts
    return GateReport(
        outcomes=len(known),
        hidden=len(hidden),
        would_be_accepts=missed,
        accepts=accepts,
        lost=missed / wanted if wanted else None,
        lost_at_most=upper_bound(missed, wanted),
        threshold=gate.threshold(threshold),
        calibration=calibration((each.p, bool(each.judged.accepted)) for each in known),
    )
