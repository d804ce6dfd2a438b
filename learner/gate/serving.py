"""The gate as a server uses it: trained from the ledger, asked before each offer, told what became of it."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from learner.gate.features import features_of, has_likelihood
from learner.gate.gate import Gate
from learner.gate.live import LiveOutcomes
from learner.gate.outcomes import read_judged, train
from learner.gate.shipped import read_prior
from learner.ledger_file import connect_to_read
from learner.schema import NewerLedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from learner.facts import Fact
    from learner.gate.features import Site
    from models.engine import Candidate

logger = logging.getLogger(__name__)


class ServingGate:
    """One session's gate; call every method from one thread."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._live = LiveOutcomes(gate)

    @classmethod
    def open(cls, ledger: Path) -> ServingGate:
        """Return a gate that has learned from the ledger's newest outcomes, if it can be read.

        Raises:
            PriorError: the prior that ships cannot be used.
        """
        prior = read_prior()
        try:
            with closing(connect_to_read(ledger)) as connection:
                judged = read_judged(connection)
        except FileNotFoundError:
            judged = []  # nothing was ever offered
        except (sqlite3.Error, NewerLedgerError, OSError) as error:
            # The ledger's own writer tells the user; until it is mended, the prior and this session count.
            logger.warning("the gate begins without the ledger %s: %s", ledger, error)
            judged = []
        # What is explored differs from session to session, and can be told from the ledger.
        gate = Gate(prior, seed=f"{len(judged)} {judged[-1].offer_id if judged else ''}")
        for _ in train(gate, judged):
            pass
        return cls(gate)

    def hides(
        self,
        offer_id: str,
        site: Site,
        text: str,
        candidates: Sequence[Candidate],
        at: float,
        threshold: float,
        support: float = 0.0,
    ) -> bool:
        """Return whether an offer is better not shown; its outcome is learned from in either case.

        Args:
            offer_id: of the offer in the ledger.
            site: where it stands.
            text: what would be offered.
            candidates: what the engine said; one of them is the text's.
            at: Unix time.
            threshold: the setting; 0 shows everything.
            support: how many episodes of memory speak for the text.
        """
        chosen = next((each for each in candidates if each.text.startswith(text)), None)
        chosen = chosen or next(iter(candidates), None)
        logprobs, stopped_by = (chosen.logprobs, chosen.stopped_by) if chosen else ((), "")
        recent = self._live.history.recently(at)
        features = features_of(site, text, logprobs, stopped_by, support, recent)
        p = self._gate.p_accept(features)
        # What the model does not judge cannot be judged here: unknown is not unlikely.
        hidden = has_likelihood(logprobs) and not self._gate.shows(p, threshold)
        self._live.judged(offer_id, features, p, text, at, hidden=hidden)
        return hidden

    def note(self, fact: Fact) -> None:
        """Learn from a fact on its way to the ledger, where it tells an outcome."""
        self._live.note(fact)

    def status(self, threshold: float) -> dict[str, Any]:
        """Return what ``nightschool.status`` tells of it; ``threshold`` is the setting."""
        found = self._gate.calibration()
        share, at_most = self._gate.lost(threshold)
        return {
            "threshold": self._gate.threshold(threshold),
            "outcomes": self._gate.outcomes,
            "hidden": self._live.hidden,
            "would_be_accepts": self._live.would_be_accepts,
            "lost": share,
            "lost_at_most": at_most,
            "calibration_error": found.error if found else None,
        }
