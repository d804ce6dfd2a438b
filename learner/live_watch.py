"""Does a new adapter do worse in the field than the one before it did? If so, that one serves again.

The exam saw outcomes of the past; this looks at those since the promotion. Two group sequential tests
(Pocock, *Group sequential methods*, Biometrika 64, 1977) of half the level each, one of the share that is
kept, one of the keystrokes saved: after 50, 100, 200, … offers a one-sided Student test compares the new
adapter's first offers with the last ones of the adapter before. Each look is a function of the first offers
since the promotion, so that it does not matter who looks, and how often.

Two things keep noise from being taken for harm. Offers in one file on one day are one piece of evidence
(variances are those of a ratio of cluster totals, Cochran, *Sampling Techniques*, 1977, section 9A.1); and
days differ whatever serves: how much is estimated from the days before, and added.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from learner.current import OFF, is_adapter_id
from learner.facts import REPLAY_CLIENT
from learner.labels import HIDDEN, NOT_SHOWN, TAKEN, Label
from learner.ledger_file import connect_to_read
from learner.registry import NothingToDoError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from learner.registry import Registry

LOOKS = (50, 100, 200, 400, 800, 1600)
"""Offers under the new adapter at which it is judged; after the last it has proved itself."""
BOUND = 2.453
"""Pocock's constant for six looks: an adapter that is no worse is rolled back with a probability of 2.5 % by
each of the two tests, so 5 % in all. As a normal deviate; the tests use Student's of the same level."""
LEAST_BEFORE = 50
LEAST_CLUSTERS = 4
"""With fewer offers, or files and days, on either side nothing can be said."""
DAY_SPREAD, DAY_SPREAD_WEIGHT = 0.15, 4
"""The relative standard deviation of a day's mean that is assumed, and the days it counts for beside those
that were seen."""
LEAST_OF_A_DAY = 20
"""Offers that make a day's mean worth something."""
SETTLED_S = 120.0
"""What was offered later than this ago may not have settled yet."""
HISTORY_S = 28 * 24 * 3600.0
MOST_BEFORE = 5000


@dataclass(frozen=True)
class LiveOffer:
    """An offer that was seen, or the model's silence where one was asked for."""

    at: float
    """Unix time."""
    file: str
    adapter: str | None
    """None for the base alone."""
    kept: float
    """The share of its text (0 to 1) that was taken and stayed, or was typed by hand."""
    saved: float
    """Keystrokes that it saved."""


@dataclass(frozen=True)
class Harm:
    """The new adapter is worse; ``reason`` says by how much."""

    offers: int
    """Under the new adapter, when it became certain."""
    reason: str


def harm(before: Sequence[LiveOffer], after: Sequence[LiveOffer], days: Sequence[LiveOffer]) -> Harm | None:
    """Return how the new adapter does worse, if that is certain.

    Args:
        before: the last offers of the adapter before.
        after: all offers of the new one, oldest first.
        days: all offers before the promotion, whichever adapter made them: how much do days differ?
    """
    if len(before) < LEAST_BEFORE:
        return None
    cap = _percentile([offer.saved for offer in before if offer.saved > 0], 0.95)
    # One long block would count for fifty lines: such a length tells of the place, not of the adapter.
    measures: tuple[tuple[str, str, Callable[[LiveOffer], float]], ...] = (
        ("kept", "of what it offers is kept", lambda offer: offer.kept),
        ("saved", "keystrokes an offer are saved", lambda offer: min(offer.saved, cap)),
    )
    for name, spoken, measure in measures:
        old = _Sample.of(before, measure)
        spread = _day_spread(days, measure)
        for count in LOOKS:
            if count > len(after):
                break
            new = _Sample.of(after[:count], measure)
            t, limit = _test(old, new, spread)
            if t < limit:
                figures = [f"{100 * m:.1f} %" if name == "kept" else f"{m:.2f}" for m in (new.mean, old.mean)]
                return Harm(
                    count,
                    f"after {count} offers {figures[0]} {spoken}, against {figures[1]} over {len(before)} "
                    f"offers of the one before (t = {t:.1f}, limit {limit:.1f})",
                )
    return None


def roll_back_if_worse(ledger: Path, registry: Registry, base: str, now: float) -> Harm | None:
    """Judge the adapter that serves ``base`` since a night; if it is worse, let the one before serve again.

    What the user chose by hand is not judged. Reads the ledger: not for the event loop.

    Raises:
        sqlite3.Error, OSError, NewerLedgerError: the ledger cannot be read, or ``current`` not be written.
    """
    choice = registry.choice(base)
    last = next((change for change in reversed(registry.history()) if change.base == base), None)
    if not is_adapter_id(choice.adapter) or not choice.before or last is None or last.by != "night":
        return None
    old = None if choice.before[0] == OFF else choice.before[0]
    if not ledger.exists():
        return None
    connection = connect_to_read(ledger)
    try:
        until = now - SETTLED_S
        since = (base, choice.since, until)
        after = [
            offer
            for offer in _read(connection, "offered_at >= ? AND offered_at < ? ORDER BY offered_at", since)
            if offer.adapter == choice.adapter
        ]
        if len(after) < LOOKS[0]:
            return None
        earlier = (base, choice.since - HISTORY_S, choice.since)
        days = _read(connection, "offered_at >= ? AND offered_at < ? ORDER BY offered_at DESC", earlier)
    finally:
        connection.close()
    found = harm([offer for offer in days if offer.adapter == old], after[: LOOKS[-1]], days)
    if found is None:
        return None
    try:
        registry.rollback(base, by="live", reason=found.reason, expected=choice.adapter)
    except NothingToDoError:
        return None  # another server was quicker, or the user
    return found


def _read(connection: sqlite3.Connection, only: str, values: tuple[object, ...]) -> list[LiveOffer]:
    """Return offers that were seen, and silences; not what nobody saw or the gate kept back."""
    not_shown = ", ".join(f"'{label}'" for label in NOT_SHOWN)
    rows = connection.execute(
        "SELECT offered_at, files.uri, engines.adapter, label, taken_chars, kept_30s, saved_keystrokes,"
        " length(text) FROM offers JOIN engines ON engines.id = offers.engine"
        " JOIN files ON files.id = offers.file LEFT JOIN sessions ON sessions.session_id = offers.session_id"
        " LEFT JOIN verdicts ON verdicts.offer = offers.id"
        f" WHERE engines.model = ? AND client IS NOT '{REPLAY_CLIENT}' AND (label NOT IN ({not_shown})"
        f" OR label IS NULL AND declined <> '{HIDDEN}') AND {only} LIMIT {MOST_BEFORE}",
        values,
    )
    return [
        LiveOffer(at, uri, adapter, _kept(label, taken, kept, length), float(saved or 0))
        for at, uri, adapter, label, taken, kept, saved, length in rows
    ]


def _kept(label: str | None, taken: int | None, kept: int | None, length: int) -> float:
    if label == Label.TYPED:
        return 1.0
    if label not in TAKEN or not length:
        return 0.0
    # Not looked at yet: what was taken counts as kept.
    return (taken or 0 if kept is None else kept) / length


@dataclass(frozen=True)
class _Sample:
    """A mean over offers, and how sure it is."""

    mean: float
    variance: float
    """Of the mean, between clusters."""
    clusters: int
    days: int

    @classmethod
    def of(cls, offers: Sequence[LiveOffer], measure: Callable[[LiveOffer], float]) -> _Sample:
        totals: defaultdict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for offer in offers:
            total = totals[offer.file, _day(offer)]
            total[0] += measure(offer)
            total[1] += 1
        mean = sum(total for total, _ in totals.values()) / len(offers)
        squares = sum((total - mean * count) ** 2 for total, count in totals.values())
        clusters = len(totals)
        variance = squares / len(offers) ** 2 * clusters / max(1, clusters - 1)
        return cls(mean, variance, clusters, len({day for _, day in totals}))


def _test(old: _Sample, new: _Sample, spread: float) -> tuple[float, float]:
    """Return Student's t of the difference, and what it must fall below."""
    if min(old.clusters, new.clusters) < LEAST_CLUSTERS or old.mean <= 0:
        return 0.0, -math.inf
    between_days = (spread * old.mean) ** 2 * (1 / old.days + 1 / new.days)
    # Where nothing at all is kept nothing varies, and yet the mean is not known exactly.
    sampling = max(new.variance, (old.mean / (2 * new.clusters)) ** 2) + old.variance
    t = (new.mean - old.mean) / math.sqrt(sampling + between_days)
    return t, -_student(statistics.NormalDist().cdf(BOUND), old.clusters + new.clusters - 2)


def _day_spread(offers: Sequence[LiveOffer], measure: Callable[[LiveOffer], float]) -> float:
    """Return the relative standard deviation of the days' means beyond what sampling explains."""
    by_day: defaultdict[int, list[LiveOffer]] = defaultdict(list)
    for offer in offers:
        by_day[_day(offer)].append(offer)
    samples = [_Sample.of(day, measure) for day in by_day.values() if len(day) >= LEAST_OF_A_DAY]
    total, weight = DAY_SPREAD_WEIGHT * DAY_SPREAD**2, float(DAY_SPREAD_WEIGHT)
    if len(samples) > 1 and (mean := statistics.fmean(sample.mean for sample in samples)) > 0:
        degrees = len(samples) - 1
        seen = sum((sample.mean - mean) ** 2 for sample in samples) / degrees
        sampling = statistics.fmean(sample.variance for sample in samples)
        total += degrees * max(0.0, seen - sampling) / mean**2
        weight += degrees
    return math.sqrt(total / weight)


def _day(offer: LiveOffer) -> int:
    return datetime.fromtimestamp(offer.at).toordinal()


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _student(probability: float, degrees: int) -> float:
    """Return the quantile of Student's distribution, to a hundredth from 5 degrees on.

    Abramowitz and Stegun, *Handbook of Mathematical Functions*, 1964, 26.7.5.
    """
    z = statistics.NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )
