"""What the rows of a replay amount to, with intervals by a bootstrap over files."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from learner.exam.bootstrap import clusters, difference
from learner.replay.record import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from learner.replay.record import Row

PER = 1000
"""Typed characters that saved ones are counted by."""
CONTROLS = ("frozen", "static", "other_project", "shuffled")
"""What an arm must beat: the first two without learning, the others without learning this."""

LIMITS = {
    "exact_match": (0.0, 1.0),
    "edit_similarity": (0.0, 1.0),
    "log_loss": (0.0, math.inf),
    "show_rate": (0.0, 1.0),
}
"""What a figure cannot pass, and no interval of it should."""

Answers = dict[tuple[int, str, int], "Row"]
"""One arm's rows by seed, project and question."""

FIGURES: Mapping[str, tuple[Callable[[Row], float], Callable[[Row], float]]] = {
    "net_saved_per_1000": (lambda row: PER * row.net, lambda row: row.typed),
    "exact_match": (lambda row: row.exact, lambda row: 1),
    "edit_similarity": (lambda row: row.similarity, lambda row: 1),
    "log_loss": (lambda row: row.log_loss, lambda row: row.tokens),
    "show_rate": (lambda row: row.shown, lambda row: 1),
}
"""Of each figure, what is summed up and by what the sum is divided. Log-loss is in nats per token."""


def results(records: Mapping[int, Sequence[Row]]) -> dict[str, Any]:
    """Return the replay's results for JSON.

    ``arms`` and ``differences`` are of the future blocks after the whole stream; ``stream`` has the figures
    of the interactions themselves.

    Args:
        records: the rows of each seed, in the order in which they were asked.
    """
    rows = [(seed, row) for seed, found in records.items() for row in found]
    final = _final(rows)
    stream: dict[str, Answers] = defaultdict(dict)
    for seed, row in rows:
        if row.phase is Phase.STREAM:
            stream[row.arm][seed, row.project, row.number] = row
    return {
        "arms": {arm: _figures(answers) for arm, answers in final.items()},
        "slope": _slope(rows),
        "differences": _differences(final),
        "projects": list(dict.fromkeys(row.project for _, row in rows)),
        "seeds": list(records),
        "stream": {arm: _figures(answers) for arm, answers in stream.items()},
    }


def _final(rows: Sequence[tuple[int, Row]]) -> dict[str, Answers]:
    """Return, for each arm, the last answer to each question of the future blocks."""
    found: dict[str, Answers] = defaultdict(dict)
    for seed, row in rows:
        if row.phase is Phase.BLOCK:
            found[row.arm][seed, row.project, row.number] = row
    return found


def _figures(answers: Answers) -> dict[str, Any]:
    rows = list(answers.values())
    parts = {
        "duplicates": [row for row in rows if row.duplicate],
        "novel": [r for r in rows if not r.duplicate],
    }
    return {
        **{name: interval(rows, name) for name in FIGURES},
        **{
            part: {
                "questions": len(found),
                **{name: interval(found, name) for name in ("net_saved_per_1000", "exact_match")},
            }
            for part, found in parts.items()
        },
        "questions": len(rows),
    }


def interval(rows: Sequence[Row], figure: str) -> dict[str, float | None]:
    """Return a figure of some answers as ``mean``, ``low`` and ``high``; None where they are too few."""
    found = _told(rows, [0.0] * len(rows), figure)
    least, most = LIMITS.get(figure, (-math.inf, math.inf))
    return {name: None if value is None else min(most, max(least, value)) for name, value in found.items()}


def _differences(final: Mapping[str, Answers]) -> list[dict[str, Any]]:
    """Return each arm against each control, paired by question."""
    found: list[dict[str, Any]] = []
    for against in CONTROLS:
        for arm in final:
            if against not in final or arm == against or (arm in CONTROLS and arm < against):
                continue
            shared = [key for key in final[arm] if key in final[against]]
            first, second = [final[arm][key] for key in shared], [final[against][key] for key in shared]
            amounts = {
                name: _told(first, [FIGURES[name][0](row) for row in second], name)
                for name in ("net_saved_per_1000", "exact_match")
            }
            found.append(
                {
                    "arm": arm,
                    "against": against,
                    **amounts["net_saved_per_1000"],
                    "exact_match": amounts["exact_match"],
                }
            )
    return found


def _told(first: Sequence[Row], second: Sequence[float], figure: str) -> dict[str, float | None]:
    amount, unit = FIGURES[figure]
    units = [unit(row) for row in first]
    if not sum(units):
        return {"mean": None, "low": None, "high": None}
    amounts = [amount(row) for row in first]
    mean = (sum(amounts) - sum(second)) / sum(units)
    cluster = clusters([f"{row.project}/{row.file}" for row in first])
    if len(set(cluster)) < 2:
        return {"mean": mean, "low": None, "high": None}
    found = difference(amounts, second, units, cluster)
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _slope(rows: Sequence[tuple[int, Row]]) -> list[dict[str, Any]]:
    """Return each arm's figures on each future block by the interactions it had learned from.

    An arm that learns nothing was asked once, and has the same figures throughout.
    """
    asked: dict[tuple[str, Phase, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for _, row in rows:
        if row.phase is not Phase.STREAM:
            asked[row.project, row.phase, row.arm][row.interactions].append(row)
    times: dict[tuple[str, Phase], list[int]] = defaultdict(list)
    for (project, phase, _), by_time in asked.items():
        times[project, phase] = sorted({*times[project, phase], *by_time})
    found: list[dict[str, Any]] = []
    for (project, phase, arm), by_time in asked.items():
        for at in times[project, phase]:
            here = by_time.get(at) or by_time[max((t for t in by_time if t <= at), default=min(by_time))]
            figures = {name: interval(here, name) for name in ("net_saved_per_1000", "exact_match")}
            found.append(
                {
                    "arm": arm,
                    "interactions": at,
                    **{name: figure["mean"] for name, figure in figures.items()},
                    "intervals": {
                        name: {end: figure[end] for end in ("low", "high")}
                        for name, figure in figures.items()
                    },
                    "project": project,
                    "returned": phase is Phase.RETURN,
                }
            )
    return found
