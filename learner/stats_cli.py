"""``nightschool stats``: how the offers fared, what came of the nights, and where the slope stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from learner.cli import NOTHING_TO_DO, as_json, local_time, number, opened, percent, print_table
from learner.ledger_file import connect_to_read
from learner.stats import By
from learner.stats import stats as read_stats
from models.home import Home

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from learner.gate.report import GateReport
    from learner.report.nights import Night
    from learner.report.slope import Slope
    from learner.stats import Stats

DAYS = 14
"""Days of the sparkline, up to the last one with an offer."""
NIGHTS = 3
_HEIGHTS = "▁▂▃▄▅▆▇█"


@click.command()
@click.option("--by", type=click.Choice([str(by) for by in By]), help="One line for each.")
@as_json
def stats(by: str | None, as_json: bool) -> None:
    """Tell how the offers fared, what the gate hid, what came of the nights, and where the slope is."""
    # Imported here: the adapters' registry and the report have no part in the ledger's figures.
    from learner.registry import Registry
    from learner.report.nights import nights as read_nights
    from learner.report.slope import SlopeError, read_slope

    home = Home.find()
    with opened(connect_to_read, home.ledger) as connection:
        groups = read_stats(connection, By(by) if by else None)
        days = kept_by_day(read_stats(connection, By.DAY))
        gate = gate_of(connection)
    nights = read_nights(Registry(home, warn))
    try:
        slope = read_slope(home.replay_result)
    except SlopeError as error:
        warn(str(error))
        slope = None
    if as_json:
        click.echo(json.dumps(described(by, groups, days, gate, nights, slope), indent=2))
    elif groups:
        print_groups(groups)
        if not by:
            lines = [*days_in_words(days), *gate_in_words(gate)]
            lines += [*nights_in_words(nights), *slope_in_words(slope)]
            click.echo("\n".join(["", *lines]))
    if not groups:
        click.echo("nothing was offered yet", err=True)
        click.get_current_context().exit(NOTHING_TO_DO)


def warn(message: str) -> None:
    click.echo(f"Warning: {message}", err=True)


def described(
    by: str | None,
    groups: Sequence[Stats],
    days: dict[str, int],
    gate: GateReport | None,
    nights: Sequence[Night],
    slope: Slope | None,
) -> dict[str, Any]:
    return {
        "by": by,
        "groups": [group.as_json() for group in groups],
        "kept_chars_by_day": days,
        "gate": gate.as_json() if gate else None,
        "nights": [asdict(night) for night in nights],
        "slope": asdict(slope) if slope else None,
    }


def gate_of(connection: sqlite3.Connection) -> GateReport | None:
    # Imported here: numpy has no part in the ledger's figures.
    from learner.gate.report import gate_report
    from learner.gate.shipped import PriorError

    try:
        return gate_report(connection)
    except PriorError as error:
        warn(str(error))
        return None


def gate_in_words(gate: GateReport | None) -> list[str]:
    return [f"gate  {line}" for line in gate.lines()] if gate else []


def print_groups(groups: Sequence[Stats]) -> None:
    headings = ("", "OFFERS", "SHOWN", "ACCEPTED", "PARTLY", "RATE", "KEPT 30 S", "KEPT 10 MIN",
                "SAVED KEYS", "P50 MS", "P95 MS")  # fmt: skip
    rows = [
        (
            group.group or "all", str(group.offers), str(group.shown), str(group.accepted),
            str(group.partial), percent(group.acceptance_rate), percent(group.kept_30s),
            percent(group.kept_10min), str(group.saved_keystrokes), number(group.latency_p50_ms),
            number(group.latency_p95_ms),
        )
        for group in groups
    ]  # fmt: skip
    print_table(headings, rows)


def kept_by_day(days: Sequence[Stats]) -> dict[str, int]:
    """Return the characters kept on each of the last days, those without an offer among them."""
    if not days:
        return {}
    kept = {day.group: day.kept_chars for day in days}
    last = date.fromisoformat(days[-1].group)
    first = max(date.fromisoformat(days[0].group), last - timedelta(days=DAYS - 1))
    count = (last - first).days + 1
    return {day: kept.get(day, 0) for day in ((first + timedelta(days=n)).isoformat() for n in range(count))}


def days_in_words(days: dict[str, int]) -> list[str]:
    names = list(days)
    between = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    most = max(days.values())
    return [f"kept characters per day  {sparkline(list(days.values()))}  {between}, at most {most:,}"]


def sparkline(values: Sequence[int]) -> str:
    """Return one character for each value; the lowest is 0, the highest the largest value."""
    most = max(max(values), 1)
    return "".join(_HEIGHTS[round(value / most * (len(_HEIGHTS) - 1))] for value in values)


def nights_in_words(nights: Sequence[Night]) -> list[str]:
    lines = [
        f"night {local_time(night.at)}  {night.verdict}" + (f": {night.reasons[0]}" if night.reasons else "")
        for night in nights[:NIGHTS]
    ]
    return lines or ["no night was done yet; run: nightschool train"]


def slope_in_words(slope: Slope | None) -> list[str]:
    """The first and the last snapshot of each arm."""
    from learner.report.page import estimate
    from learner.report.slope import ARMS, COMMAND

    if slope is None:
        return [f"no slope was measured yet; run: {COMMAND}"]
    lines = [f"slope of {local_time(slope.run_at)}, net saved characters per 1,000 typed on the same block"]
    for project in slope.projects:
        snapshots = slope.of(project)
        lines += [f"  {project}"] if project else []
        for arm in dict.fromkeys(each.arm for each in snapshots):
            of_arm = [each for each in snapshots if each.arm == arm]
            ends = (of_arm[0], of_arm[-1])
            told = (f"{estimate(one.net_saved, '{:.1f}')} after {one.interactions:,}" for one in ends)
            lines.append(f"    {ARMS.get(arm, arm)}: {' → '.join(told)}")
    return lines
