"""What the commands tell of the gate, and what they tell where there is nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from fact_builders import event, offered, session, settlement

from learner.facts import EventKind, Horizon
from learner.ledger import Ledger
from learner.stats_cli import stats
from lsp_server.status import gate_status
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path / "home"))
    return Home.find()


def record(home: Home) -> None:
    troubles: list[str] = []
    ledger = Ledger.open(home.ledger, on_trouble=troubles.append)
    for fact in (
        session(),
        offered("shown"),
        event(EventKind.ACCEPTED, offer_id="shown"),
        offered("hidden", declined="hidden"),
        settlement("add(1, 2)", Horizon.S10, offer_id="hidden"),
    ):
        ledger.record(fact)
    assert ledger.close() and not troubles


def test_stats_tells_what_was_hidden_and_what_it_cost(home: Home):
    record(home)
    words = CliRunner().invoke(stats)
    assert "gate  1 hidden, of which 1 would have been accepted, 50.0% of all (at most " in words.stdout
    found = json.loads(CliRunner().invoke(stats, ["--json"]).stdout)["gate"]
    assert (found["outcomes"], found["hidden"], found["would_be_accepts"], found["lost"]) == (2, 1, 1, 0.5)
    assert sum(each["count"] for each in found["calibration"]["bins"]) == 2


def test_status_tells_the_same_in_a_line(home: Home):
    record(home)
    found = gate_status(home)
    assert (found["hidden"], found["would_be_accepts"]) == (1, 1)
    assert found["lines"][0].startswith("1 hidden, of which 1 would have been accepted")


def test_status_says_why_it_cannot_tell(home: Home):
    assert gate_status(home) == {"lines": ["nothing was offered yet"]}
    home.root.mkdir(parents=True)
    home.ledger.write_bytes(b"no database" * 1000)
    (line,) = gate_status(home)["lines"]
    assert line.startswith("cannot be told: ")
