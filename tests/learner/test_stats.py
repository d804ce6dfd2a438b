"""The figures of `stats` against what was counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fact_builders import NOON, event, offered, settlement

from learner.facts import EventKind, Fact, Horizon, KnownBy
from learner.ledger_file import connect_to_read
from learner.stats import By, Stats, percentile, stats

if TYPE_CHECKING:
    from pathlib import Path

    from learner.ledger import Ledger

EXPLICIT = KnownBy.EXPLICIT
S30, MIN10, CLOSE = Horizon.S30, Horizon.MIN10, Horizon.CLOSE

COURSES: list[list[Fact]] = [
    # Accepted: nine characters, of which all stand after 30 s and five after 10 min.
    [event(EventKind.ACCEPTED, EXPLICIT, "a"), settlement(horizon=S30, kept=9, offer_id="a"),
     settlement(horizon=MIN10, kept=5, offer_id="a")],
    # Edited: nine taken, six after 30 s, four after 10 min.
    [event(EventKind.ACCEPTED, EXPLICIT, "b"), settlement(horizon=S30, kept=6, distance=3, offer_id="b"),
     settlement(horizon=MIN10, kept=4, distance=5, offer_id="b")],
    # Four taken in part, all stand after 30 s; closed with three of them before 10 min were over.
    [event(EventKind.PARTIAL, EXPLICIT, "c", length=4), settlement(horizon=S30, kept=4, offer_id="c"),
     settlement(horizon=CLOSE, kept=3, offer_id="c")],
    [event(EventKind.TYPED, offer_id="d")],
    [event(EventKind.DIVERGED, offer_id="e", length=2)],
    [event(EventKind.IGNORED, KnownBy.TIMEOUT, "f")],
    [event(EventKind.UNSEEN, offer_id="g")],
    [event(EventKind.SUPERSEDED, offer_id="h")],
    [event(EventKind.REJECTED, EXPLICIT, "i")],
]  # fmt: skip
"""Nine offers, ids a to i, after 100, 200, … 900 ms."""
DAY = 86_400


@pytest.fixture
def recorded(ledger: Ledger, ledger_path: Path) -> Path:
    for number, course in enumerate(COURSES):
        in_lua = number >= 6
        ledger.record(
            offered(
                "abcdefghi"[number],
                latency_ms=100.0 * (number + 1),
                offered_at=NOON + (DAY if number >= 3 else 0),
                uri="file:///other/b.lua" if in_lua else "file:///project/a.py",
                project="/other" if in_lua else "/project",
                language="lua" if in_lua else "python",
                adapter="night-1" if number == 0 else None,
            )
        )
        for fact in course:
            ledger.record(fact)
    ledger.record(offered("gated", declined="hidden", latency_ms=5_000.0, offered_at=NOON + DAY))
    ledger.record(offered("nothing", declined="empty", latency_ms=5_000.0))
    assert ledger.flush()
    return ledger_path


def groups(path: Path, by: By | None = None) -> dict[str, Stats]:
    connection = connect_to_read(path)
    try:
        return {group.group: group for group in stats(connection, by)}
    finally:
        connection.close()


def test_the_figures_are_those_counted_by_hand(recorded: Path) -> None:
    assert groups(recorded)[""] == Stats(
        group="",
        offers=9,
        shown=7,
        accepted=2,
        partial=1,
        edited=1,
        typed=1,
        diverged=1,
        rejected=1,
        ignored=1,
        unseen=1,
        superseded=1,
        hidden=1,
        acceptance_rate=3 / 7,
        taken_chars=22,
        kept_chars=12,
        kept_30s=19 / 22,
        kept_10min=12 / 22,
        saved_keystrokes=8 + 5 + 3,
        latency_p50_ms=500.0,
        latency_p95_ms=900.0,
    )


@pytest.mark.parametrize(
    ("by", "counts"),
    [
        (By.DAY, [3, 6]),
        (By.LANGUAGE, {"python": 6, "lua": 3}),
        (By.PROJECT, {"/project": 6, "/other": 3}),
        (By.ADAPTER, {"night-1": 1, "base": 8}),
    ],
)
def test_groups_add_up(recorded: Path, by: By, counts: dict[str, int] | list[int]) -> None:
    found = {name: group.offers for name, group in groups(recorded, by).items()}
    assert (list(found.values()) if by is By.DAY else found) == counts


def test_without_offers_there_is_no_group(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered(declined="empty"))
    assert ledger.flush()
    assert groups(ledger_path) == {}


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([(10.0, 1), (20.0, 98), (500.0, 1)], 0.5) == 20.0
    assert percentile([(10.0, 1), (20.0, 98), (500.0, 1)], 0.995) == 500.0
    assert percentile([], 0.5) is None
