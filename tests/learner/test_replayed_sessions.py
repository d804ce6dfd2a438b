"""What was replayed teaches memory, gate and night, and is in no figure about the developer."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fact_builders import NOON, event, offered, session, settlement

from learner.facts import REPLAY_CLIENT, EventKind, Horizon, KnownBy
from learner.gate.outcomes import read_judged
from learner.gate.report import gate_report
from learner.ledger_file import connect, connect_to_read
from learner.live_watch import _read
from learner.report.lessons import week
from learner.stats import By, stats

if TYPE_CHECKING:
    from pathlib import Path

    from learner.ledger import Ledger

MODEL = "f" * 64
"""The base of ``fact_builders``."""


@pytest.fixture
def recorded(ledger: Ledger, ledger_path: Path) -> Path:
    """Three places of a replay, and one of the developer's own, all in the same file."""
    ledger.record(replace(session("r"), client=REPLAY_CLIENT))
    ledger.record(session("own"))
    for name, of in (("r1", "r"), ("r2", "r"), ("r3", "r"), ("o1", "own")):
        ledger.record(offered(name, session_id=of))
        ledger.record(event(EventKind.DIVERGED, offer_id=name, length=0))
        ledger.record(settlement("sub(3)", Horizon.MIN10, 0, 8, name))
    ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT, "r1"))
    assert ledger.flush()
    return ledger_path


def test_the_learners_read_it(recorded: Path) -> None:
    with closing(connect_to_read(recorded)) as connection:
        assert [each.replayed for each in read_judged(connection)] == [True, True, True, False]
        assert connection.execute("SELECT count(*) FROM outcomes").fetchone() == (4,)


def test_no_figure_counts_it(recorded: Path) -> None:
    with closing(connect_to_read(recorded)) as connection:
        (found,) = stats(connection)
        assert (found.offers, found.diverged, found.accepted) == (1, 1, 0)
        assert [each.offers for each in stats(connection, By.DAY)] == [1]
        assert gate_report(connection).outcomes == 1
        assert week(connection, NOON + 3600).outcomes == 1
        assert len(_read(connection, "offered_at >= ?", (MODEL, 0.0))) == 1


def test_it_stays_out_when_everything_is_derived_anew(recorded: Path) -> None:
    with closing(connect(recorded)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with closing(connect_to_read(recorded)) as connection:
        (found,) = stats(connection)
    assert found.offers == 1
