"""Which plots the report has, and what is in each; none where there is nothing to draw."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TYPE_CHECKING

from learner.report.contents import day_number
from learner.report.estimates import Estimate, share_of
from learner.report.plots import Series, Tick, draw, picked
from learner.report.slope import ARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from learner.gate.calibration import Bin
    from learner.report.contents import Contents
    from learner.report.nights import Night, Switch
    from learner.report.plots import Drawing
    from learner.report.slope import Slope, Snapshot
    from learner.stats import Stats

TRAILING = 7
"""Days that the line of the accepted share is taken over."""


def percent(share: float) -> str:
    return f"{100 * share:g} %"


def accepted(day: Stats) -> int:
    """In full or in part."""
    return day.accepted + day.partial


def kept(days: Sequence[Stats], marks: Sequence[Tick]) -> Drawing:
    bars = {float(day_number(day)): Estimate(float(day.kept_chars)) for day in days}
    most = max(days, key=lambda day: day.kept_chars)
    return draw(
        "kept",
        "Characters kept per day",
        f"Bars, one for each of {len(days)} days; the highest is {most.kept_chars:,} on {most.group}.",
        "characters",
        [Series("characters that still stood after ten minutes", bars, bars=True)],
        x_ticks=day_ticks(days),
        shown="{:,.0f}".format,
        marks=marks,
    )


def acceptance(days: Sequence[Stats], marks: Sequence[Tick]) -> Drawing | None:
    shares = {float(day_number(day)): share for day in days if (share := share_of(accepted(day), day.shown))}
    if not shares:
        return None
    shown, taken = sum(day.shown for day in days), sum(map(accepted, days))
    return draw(
        "acceptance",
        "Share of the offers seen that were accepted",
        f"Dots with intervals for {len(shares)} days, and a line for {TRAILING} days at a time; over all days"
        f" {percent(round(taken / shown, 3))} of {shown:,}.",
        "of offers seen",
        [
            Series("a day, with its 95 % interval", shares, dots=True),
            Series(f"the last {TRAILING} days together", _trailing(days), line=True),
        ],
        x_ticks=day_ticks(days),
        shown=percent,
        marks=marks,
        most=1.0,
    )


def _trailing(days: Sequence[Stats]) -> dict[float, Estimate]:
    found = {}
    for last in days:
        end = day_number(last)
        window = [day for day in days if end - TRAILING < day_number(day) <= end]
        if shown := sum(day.shown for day in window):
            found[float(end)] = Estimate(sum(map(accepted, window)) / shown)
    return found


def latency(days: Sequence[Stats]) -> Drawing | None:
    halves = {_at(day): Estimate(day.latency_p50_ms) for day in days if day.latency_p50_ms is not None}
    most = {_at(day): Estimate(day.latency_p95_ms) for day in days if day.latency_p95_ms is not None}
    if not halves:
        return None
    worst = max(estimate.mean for estimate in most.values())
    return draw(
        "latency",
        "Time until an offer was there",
        f"Two lines over {len(halves)} days; the worst day's 95th percentile is {worst:,.0f} ms.",
        "milliseconds",
        [
            Series("half of the offers came within (p50)", halves, line=True, dots=len(days) < 40),
            Series("95 of 100 came within (p95)", most, line=True, dots=len(days) < 40),
        ],
        x_ticks=day_ticks(days),
        shown="{:,g}".format,
    )


def slopes(slope: Slope) -> list[Drawing]:
    """Two plots for each project."""
    found = []
    for number, project in enumerate(slope.projects):
        snapshots = slope.of(project)
        found += [
            _slope(
                f"slope-saved-{number}",
                "Net saved characters per 1,000 typed",
                "characters",
                {each: each.net_saved for each in snapshots},
                "{:g}".format,
            ),
            _slope(
                f"slope-exact-{number}",
                "Exact match",
                "of the future block",
                {each: each.exact_match for each in snapshots},
                percent,
            ),
        ]
    return [drawing for drawing in found if drawing]


def _slope(
    name: str,
    title: str,
    unit: str,
    figures: Mapping[Snapshot, Estimate | None],
    shown: Callable[[float], str],
) -> Drawing | None:
    """A line for each arm; logarithmic, since the interactions are."""
    points: dict[str, dict[float, Estimate]] = {}
    for each, estimate in figures.items():
        if estimate:
            points.setdefault(each.arm, {})[math.log10(1 + each.interactions)] = estimate
    if not points:
        return None
    counts = sorted({each.interactions for each in figures})
    ends = "; ".join(f"{arm_in_words(arm)} {shown(round(of[max(of)].mean, 3))}" for arm, of in points.items())
    first, last = (math.log10(1 + counts[n]) for n in (0, -1))
    return draw(
        name,
        title,
        f"A line for each arm, from {counts[0]:,} to {counts[-1]:,} interactions. At the end: {ends}.",
        unit,
        [Series(arm_in_words(arm), of, line=True, dots=True) for arm, of in points.items()],
        x_ticks=_readable([Tick(math.log10(1 + count), f"{count:,}") for count in counts]),
        shown=shown,
        span=(first - 0.15, max(last, first + 0.5) + 0.15),
        most=1.0 if shown is percent else math.inf,
        dodge=2.5,
    )


def _readable(ticks: Sequence[Tick], apart: float = 0.25) -> list[Tick]:
    """Leave out what would be written over the one before it."""
    found: list[Tick] = []
    for tick in ticks:
        if not found or tick.at - found[-1].at >= apart:
            found.append(tick)
    return found


def arm_in_words(arm: str) -> str:
    return ARMS.get(arm, arm)


def calibration(bins: Sequence[Bin]) -> Drawing:
    """What P(accept) said against what happened; the diagonal is a gate that keeps its word."""
    observed = {
        each.expected: share
        for each in bins
        if (share := share_of(round(each.observed * each.count), each.count))
    }
    outcomes = sum(each.count for each in bins)
    return draw(
        "calibration",
        "Does the gate keep its word?",
        f"A dot with its interval for each of {len(bins)} bins of {outcomes:,} outcomes, and the diagonal on"
        " which they should lie.",
        "accepted, by what was expected",
        [
            Series("accepted of those expected so, with the 95 % interval", observed, dots=True),
            Series("as expected", {0.0: Estimate(0.0), 1.0: Estimate(1.0)}, line=True),
        ],
        x_ticks=[Tick(tenth / 10, percent(tenth / 10)) for tenth in range(0, 11, 2)],
        shown=percent,
        span=(-0.02, 1.02),
        most=1.0,
    )


def exams(nights: Sequence[Night]) -> Drawing | None:
    """Each night's difference to what served then; oldest first."""
    told = [night for night in reversed(nights) if night.log_loss]
    if not told:
        return None
    promoted, refused = {}, {}
    for number, night in enumerate(told):
        assert night.log_loss
        (promoted if night.verdict == "promoted" else refused)[float(number)] = night.log_loss
    dates = [date.fromtimestamp(night.at) for night in told]
    parts = [("promoted", promoted), ("refused", refused)]
    return draw(
        "exams",
        "The exams: difference in log-loss to what served",
        f"A dot with its interval for each of {len(told)} nights; below zero is better."
        f" {len(promoted)} promoted, {len(refused)} not.",
        "nats per token",
        [Series(name, points, dots=True) for name, points in parts if points],
        x_ticks=picked([Tick(float(number), day_in_words(day)) for number, day in enumerate(dates)]),
        span=(-0.5, max(len(told), 4) - 0.5),
    )


def day_ticks(days: Sequence[Stats]) -> list[Tick]:
    """At most five days, evenly from the first to the last."""
    first, last = day_number(days[0]), day_number(days[-1])
    every = max(1, math.ceil((last - first + 1) / 5))
    return [Tick(float(n), day_in_words(date.fromordinal(n))) for n in range(first, last + 1, every)]


def day_in_words(day: date) -> str:
    return f"{day.day} {day:%b}"


def switch_days(contents: Contents) -> dict[int, list[Switch]]:
    """The days on which what serves changed, of those that are drawn, with what changed."""
    if not contents.days:
        return {}
    first, last = day_number(contents.days[0]), day_number(contents.days[-1])
    found: dict[int, list[Switch]] = {}
    for switch in contents.switches:
        day = datetime.fromtimestamp(switch.at).date().toordinal()
        if first <= day <= last:
            found.setdefault(day, []).append(switch)
    return found


def _at(day: Stats) -> float:
    return float(day_number(day))
