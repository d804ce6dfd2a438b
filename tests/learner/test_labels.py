"""One definition of each label: as functions, and as the SQL that the ledger's views use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fact_builders import event, offered, session, settlement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from learner import derived
from learner.fact_rows import FactRows
from learner.facts import Event, EventKind, Fact, Horizon, KnownBy, Settlement
from learner.labels import Label, Look, Verdict, Witness, verdict, weight
from learner.ledger_file import connect, transaction
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

EXPLICIT, INFERRED, TIMEOUT = KnownBy


def judged(*facts: Event | Settlement, declined: str | None = None) -> Verdict:
    """The verdict over these facts in the order given, by the function."""
    events = [fact for fact in facts if isinstance(fact, Event)]
    looks = [
        Look(fact.edit_distance, sum(isinstance(f, Event) for f in facts[:number]))
        for number, fact in enumerate(facts)
        if isinstance(fact, Settlement)
    ]
    return verdict(declined, [Witness(e.kind, e.known_by) for e in events], looks)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], Verdict(Label.UNSEEN, TIMEOUT)),
        ([event(EventKind.SHOWN, EXPLICIT)], Verdict(Label.IGNORED, EXPLICIT)),
        ([event(EventKind.UNSEEN), event(EventKind.SHOWN, EXPLICIT)], Verdict(Label.IGNORED, EXPLICIT)),
        ([event(EventKind.ACCEPTED), settlement()], Verdict(Label.ACCEPTED, INFERRED)),
        ([event(EventKind.ACCEPTED), settlement(distance=2)], Verdict(Label.EDITED, INFERRED)),
        (
            [event(EventKind.ACCEPTED), event(EventKind.DISTURBED), settlement(distance=2)],
            Verdict(Label.ACCEPTED, INFERRED),
        ),
        (
            [event(EventKind.ACCEPTED), settlement(distance=2), event(EventKind.DISTURBED)],
            Verdict(Label.EDITED, INFERRED),
        ),
        ([event(EventKind.IGNORED, TIMEOUT), event(EventKind.TYPED)], Verdict(Label.TYPED, INFERRED)),
        (
            [event(EventKind.TYPED), event(EventKind.REJECTED, EXPLICIT)],
            Verdict(Label.REJECTED, EXPLICIT),
        ),
        (
            [event(EventKind.DIVERGED), event(EventKind.ACCEPTED, EXPLICIT)],
            Verdict(Label.ACCEPTED, EXPLICIT),
        ),
        (
            [event(EventKind.ACCEPTED, EXPLICIT), event(EventKind.UNDONE)],
            Verdict(Label.REJECTED, INFERRED),
        ),
        (
            [event(EventKind.ACCEPTED, EXPLICIT), event(EventKind.UNDONE), event(EventKind.REDONE)],
            Verdict(Label.ACCEPTED, EXPLICIT),
        ),
        ([event(EventKind.PARTIAL), event(EventKind.DIVERGED)], Verdict(Label.PARTIAL, INFERRED)),
    ],
)
def test_the_best_witness_decides(facts: list[Event | Settlement], expected: Verdict) -> None:
    assert judged(*facts) == expected


def test_what_the_gate_kept_back_is_hidden_whatever_was_typed() -> None:
    assert judged(event(EventKind.TYPED), declined="hidden") == Verdict(Label.HIDDEN, EXPLICIT)


def test_weights_follow_what_stayed() -> None:
    assert weight(Label.ACCEPTED, 1.0) > weight(Label.TYPED, 1.0) > weight(Label.EDITED, 0.5) > 0
    assert weight(Label.ACCEPTED, 1.0) > weight(Label.ACCEPTED, 0.0)
    assert weight(Label.UNSEEN, 1.0) == weight(Label.SUPERSEDED, 1.0) == 0
    assert weight(Label.REJECTED, 0.0) < weight(Label.IGNORED, 0.0) < 0


events = st.builds(event, st.sampled_from(EventKind), st.sampled_from(KnownBy), length=st.integers(0, 9))
settlements = st.builds(
    settlement, horizon=st.sampled_from(Horizon), kept=st.integers(0, 9), distance=st.integers(0, 3)
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    return connect(tmp_path_factory.mktemp("labels") / "ledger.db")


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(events | settlements, max_size=8), st.sampled_from([None, "hidden"]))
def test_the_view_says_what_the_function_says(
    connection: sqlite3.Connection, course: list[Event | Settlement], declined: str | None
) -> None:
    # One settlement per horizon: a second replaces the first.
    seen: set[Horizon] = set()
    course = [f for f in course if isinstance(f, Event) or not (f.horizon in seen or seen.add(f.horizon))]
    facts: list[Fact] = [session(), offered(declined=declined), *course]
    connection.execute("BEGIN")
    derived.judge(connection, FactRows(connection, PrivacyFilter(())).write(facts))
    row = connection.execute("SELECT label, known_by FROM outcomes").fetchone()
    connection.execute("ROLLBACK")
    expected = judged(*course, declined=declined)
    assert row == (expected.label, expected.known_by)


def test_totals_survive_relabelling_and_a_rebuild_finds_the_same(tmp_path: Path) -> None:
    connection = connect(tmp_path / "ledger.db")
    rows = FactRows(connection, PrivacyFilter(()))
    course: list[list[Fact]] = [
        [session(), offered("a"), offered("b"), event(EventKind.IGNORED, TIMEOUT, "a")],
        [event(EventKind.ACCEPTED, EXPLICIT, "a"), settlement(offer_id="a", horizon=Horizon.S30)],
        [event(EventKind.PARTIAL, EXPLICIT, "b", length=4)],
    ]
    for facts in course:
        with transaction(connection):
            derived.judge(connection, rows.write(facts))
    tables = ("totals", "latencies WHERE offers > 0", "verdicts", "daily")
    before = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    with transaction(connection):
        derived.rebuild(connection)
    assert before == [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    accepted, partial, ignored = connection.execute("SELECT accepted, partial, ignored FROM daily").fetchone()
    assert (accepted, partial, ignored) == (1, 1, 0)
