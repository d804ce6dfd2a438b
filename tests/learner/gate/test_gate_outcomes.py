"""What the gate learns from the ledger, and from facts on their way there."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from fact_builders import NOON, event, offered, session, settlement

from learner.facts import EventKind, Fact, Horizon, KnownBy, Served
from learner.gate.features import NAMES, Spot, features_of
from learner.gate.gate import Gate
from learner.gate.outcomes import Judged, accepted_of, read_judged, train
from learner.gate.report import GateReport, gate_report
from learner.gate.serving import ServingGate
from learner.labels import Label
from learner.ledger_file import connect_to_read
from models.engine import Candidate

if TYPE_CHECKING:
    from pathlib import Path

    from learner.gate.shipped import Prior
    from learner.ledger import Ledger

S10, MIN10, CLOSE = Horizon.S10, Horizon.MIN10, Horizon.CLOSE
UNLIKELY = (Candidate("add(1, 2)", (-3.0, -2.5, math.nan), "newline"),)


KNOWN = (Candidate("add(1, 2)", (-0.5,), "memory"),)
"""As memory offers it."""


def hidden(offer_id: str, *written: tuple[Horizon, str], at: float = NOON) -> list[Fact]:
    offer = offered(offer_id, declined="hidden", candidates=UNLIKELY, offered_at=at)
    return [offer, *(settlement(text, horizon, offer_id=offer_id) for horizon, text in written)]


@pytest.fixture
def recorded(ledger: Ledger, ledger_path: Path) -> Path:
    facts: list[Fact] = [session()]
    facts += [offered("a"), event(EventKind.ACCEPTED, KnownBy.EXPLICIT, "a")]
    facts += [offered("t", offered_at=NOON + 10), event(EventKind.TYPED, offer_id="t")]
    facts += [offered("r", offered_at=NOON + 20), event(EventKind.REJECTED, KnownBy.EXPLICIT, "r")]
    facts += [offered("i", offered_at=NOON + 30), event(EventKind.IGNORED, offer_id="i")]
    facts += [offered("u", offered_at=NOON + 40), event(EventKind.UNSEEN, offer_id="u")]
    facts += [offered("q", invoked=True), event(EventKind.REJECTED, KnownBy.EXPLICIT, "q")]
    facts += [offered("m", served=Served.MEMORY), event(EventKind.ACCEPTED, offer_id="m")]
    facts += [offered("n", served=Served.MEMORY, candidates=KNOWN, support=3, offered_at=NOON + 35)]
    facts += [event(EventKind.REJECTED, KnownBy.EXPLICIT, "n")]
    facts += hidden("h1", (S10, "add("), (CLOSE, "add(1, 2)\n"), at=NOON + 50)
    facts += hidden("h2", (S10, "sub(3)"), (CLOSE, "sub(3)"), at=NOON + 60)
    facts += hidden("h3", (S10, ""), at=NOON + 70)
    for fact in facts:
        ledger.record(fact)
    assert ledger.flush()
    return ledger_path


def judged_in(path: Path, newest: int = 2000) -> list[Judged]:
    with closing(connect_to_read(path)) as connection:
        return read_judged(connection, newest)


def report_of(path: Path) -> GateReport:
    with closing(connect_to_read(path)) as connection:
        return gate_report(connection)


def test_the_ledger_tells_each_outcome(recorded: Path):
    judged = judged_in(recorded)
    assert {each.offer_id: each.accepted for each in judged} == {
        "a": True, "t": True, "r": False, "i": False, "n": False, "h1": True, "h2": False, "h3": None,
    }  # fmt: skip
    assert [each.offer_id for each in judged] == ["a", "t", "r", "i", "n", "h1", "h2", "h3"]
    assert judged[0].spot == Spot("python", "result = ", "")
    assert judged[0].logprobs == (-0.1, -0.25)
    assert all(math.isfinite(p) for each in judged for p in each.logprobs)
    assert [(each.stopped_by, each.support) for each in judged if each.offer_id in "an"] == [
        ("newline", 0), ("memory", 3),
    ]  # fmt: skip


def test_what_memory_offered_is_learned_with_what_spoke_for_it(recorded: Path, prior: Prior):
    told = {each.judged.offer_id: each for each in train(Gate(prior), judged_in(recorded))}
    names = ("memory support", "from memory")
    assert [told["n"].features[NAMES.index(name)] for name in names] == [math.log1p(3), 1.0]
    assert [told["a"].features[NAMES.index(name)] for name in names] == [0.0, 0.0]


def test_each_is_judged_before_it_is_learned(recorded: Path, prior: Prior):
    gate = Gate(prior)
    judged = judged_in(recorded)
    told = list(train(gate, judged))
    assert told[0].p == Gate(prior).p_accept(told[0].features)
    assert gate.outcomes == 7, "nobody knows of h3"
    again = list(train(Gate(prior), judged))
    assert [each.p for each in again] == [each.p for each in told]


def test_only_the_newest_are_learned(recorded: Path):
    judged = judged_in(recorded, newest=2)
    assert [each.offer_id for each in judged] == ["h2", "h3"]


def test_the_report_counts_what_was_hidden_and_what_it_cost(recorded: Path):
    report = report_of(recorded)
    assert (report.outcomes, report.hidden, report.would_be_accepts, report.accepts) == (7, 3, 1, 2)
    assert report.lost == pytest.approx(1 / 3)
    assert report.lost_at_most > 0.33
    assert report.calibration and report.calibration.outcomes == 7
    assert sum(each.count for each in report.calibration.bins) == 7
    assert "3 hidden, of which 1 would have been accepted" in report.lines()[0]


def test_an_empty_ledger_is_no_trouble(ledger: Ledger, ledger_path: Path, tmp_path: Path):
    ledger.record(session())
    assert ledger.flush()
    report = report_of(ledger_path)
    assert (report.outcomes, report.lost, report.calibration) == (0, None, None)
    assert report.lines() == ["no outcomes yet; it judges by the prior that ships"]
    assert ServingGate.open(tmp_path / "nothing.db").status(0.25)["outcomes"] == 0


def test_a_ledger_of_an_older_definition_is_derived_anew(recorded: Path):
    with closing(sqlite3.connect(recorded)) as older, older:
        older.execute("DROP VIEW outcomes")
        older.execute("DROP VIEW daily")
        older.execute("DROP TABLE verdicts")
        older.execute("PRAGMA user_version = 1")
    assert ServingGate.open(recorded).status(0.25)["outcomes"] == 7


def test_a_damaged_ledger_leaves_the_prior(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    damaged = tmp_path / "ledger.db"
    damaged.write_bytes(b"no database" * 1000)
    assert ServingGate.open(damaged).status(0.25)["outcomes"] == 0
    assert "ledger.db" in caplog.text


def test_damaged_candidates_are_judged_by_the_rest(recorded: Path, prior: Prior):
    with closing(sqlite3.connect(recorded)) as spoiled, spoiled:
        spoiled.execute("UPDATE candidates SET logprobs = '[-0.1, '")
    judged = judged_in(recorded)
    assert {each.logprobs for each in judged} == {()}
    assert all(0 < told.p < 1 for told in train(Gate(prior), judged))


def test_what_was_typed_later_decides_where_ten_seconds_were_too_few():
    looks = [("10s", "ad"), ("30s", "add(1, 2)"), ("close", "something else")]
    assert accepted_of(Label.HIDDEN, "add(1, 2)", looks) is True
    assert accepted_of(Label.HIDDEN, "add(1, 2)", [("10s", "")]) is None
    assert accepted_of(Label.HIDDEN, "add(1, 2)", [("10s", ""), ("close", "")]) is False
    assert accepted_of(Label.SUPERSEDED, "add(1, 2)", []) is None


class Watched:
    """A serving gate with one judged offer."""

    def __init__(self, prior: Prior, *, unlikely: bool = False) -> None:
        self.gate = Gate(prior, seed=1)
        self.serving = ServingGate(self.gate)
        logprobs = (-3.0,) * 5 if unlikely else (-0.05,) * 5
        self.candidates: tuple[Candidate, ...] = (Candidate("add(1, 2)", logprobs, "newline"),)
        self.spot = Spot("python", "result = ", "")
        self.is_hidden = self.judge("o1")

    def judge(self, offer_id: str) -> bool:
        return self.serving.hides(offer_id, self.spot, "add(1, 2)", self.candidates, NOON, 0.25)

    @property
    def p(self) -> float:
        return self.gate.p_accept(features_of(self.spot, "add(1, 2)", self.candidates[0].logprobs))


def test_an_outcome_is_learned_at_once(prior: Prior):
    for kind, rises in ((EventKind.ACCEPTED, True), (EventKind.TYPED, True), (EventKind.REJECTED, False)):
        watched = Watched(prior)
        before = watched.p
        watched.serving.note(event(kind))
        assert (watched.p > before) is rises
        assert watched.gate.outcomes == 1


def test_each_offer_is_learned_once_unless_it_is_taken_back(prior: Prior):
    watched = Watched(prior)
    for kind in (EventKind.ACCEPTED, EventKind.ACCEPTED, EventKind.SHOWN, EventKind.DISTURBED):
        watched.serving.note(event(kind))
    assert watched.gate.outcomes == 1
    watched.serving.note(event(EventKind.UNDONE))
    assert watched.gate.outcomes == 2
    watched.serving.note(event(EventKind.ACCEPTED, offer_id="never judged"))
    assert watched.gate.outcomes == 2


def test_a_hidden_offer_that_is_typed_counts_as_lost(prior: Prior):
    watched = Watched(prior, unlikely=True)
    assert watched.is_hidden
    before = watched.p
    watched.serving.note(settlement("add(", S10))
    assert watched.gate.outcomes == 0
    watched.serving.note(settlement("add(1, 2)", Horizon.S30))
    watched.serving.note(settlement("add(1, 2)", CLOSE))
    status = watched.serving.status(0.25)
    assert (status["hidden"], status["would_be_accepts"], status["outcomes"]) == (1, 1, 1)
    assert watched.p > before


def test_a_hidden_offer_that_nobody_typed_was_rightly_hidden(prior: Prior):
    watched = Watched(prior, unlikely=True)
    watched.serving.note(settlement("", MIN10))
    status = watched.serving.status(0.25)
    assert (status["would_be_accepts"], status["outcomes"]) == (0, 1)


def test_an_offer_of_which_the_model_says_nothing_is_shown(prior: Prior):
    watched = Watched(prior, unlikely=True)
    watched.candidates = (Candidate("add(1, 2)", (math.nan,), "newline"),)
    assert not any(watched.judge(f"n{number}") for number in range(50))
    watched.candidates = ()
    assert not watched.judge("none")
