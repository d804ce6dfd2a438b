"""Our side beside the other at the same cursors: the figures of paired rows, and how sure they are.

A row has ``file``, ``target`` and, for each side, what it answered: ``{"ours": {...}, "peer": {...}}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from estimates import (
    edit_similarity,
    mcnemar,
    mean_difference,
    median_of_ratios,
    paired,
    ratio_of_medians,
    ratio_of_p95,
    spread,
)
from report import Figure, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


def speed(
    rows: Sequence[Row], field: str, name: str, other: str, targets: tuple[float | None, float | None]
) -> list[Figure]:
    """Compare a time (milliseconds, in ``field``): the ratio of medians and of 95th percentiles.

    Args:
        targets: the greatest ratio of medians and of p95s; None where there is no target.
    """
    ours, theirs = ([row[side][field] for row in rows] for side in ("ours", "peer"))
    a, b = spread(ours), spread(theirs)
    files = [row["file"] for row in rows]
    each = paired(ours, theirs, files, median_of_ratios)
    figures = []
    for label, of_ours, of_theirs, statistic, target, note in (
        ("median", a.median, b.median, ratio_of_medians, targets[0], f"; median of ratios {each}"),
        ("p95", a.p95, b.p95, ratio_of_p95, targets[1], ""),
    ):
        estimate = paired(ours, theirs, files, statistic)
        note = f"{of_ours:.0f} / {of_theirs:.0f} ms, {estimate}{note}"
        title = f"{name}, {label}, ours / {other}"
        if target is None:
            figures.append(Figure(title, estimate.value, note=note))
        else:
            figures.append(at_most(title, estimate.value, target, note))
    return figures


def accuracy(rows: Sequence[Row], reply: str, sides: str, target: float = 0) -> list[Figure]:
    """Compare ``row["ours"]["text"]`` and ``row["peer"][reply]`` with the rest of the line as it was.

    Cursors at a line's end are left out: there is nothing to match.

    Args:
        sides: what is compared, as the figures' names say it: "ours minus llama-server".
        target: the least difference of exact match.
    """
    rows = [row for row in rows if row["target"].strip() and reply in row["peer"]]
    if not rows:
        return []
    files = [row["file"] for row in rows]
    ours, theirs = [row["ours"]["text"] for row in rows], [row["peer"][reply] for row in rows]
    ends = [row["target"].rstrip() for row in rows]
    exact, similar = [], []
    for side in (ours, theirs):
        exact.append([text.rstrip() == end for text, end in zip(side, ends, strict=True)])
        similar.append([edit_similarity(text.rstrip(), end) for text, end in zip(side, ends, strict=True)])
    test = mcnemar(*exact)
    chance = (
        f"; only the first right {test.only_ours}, only the second {test.only_theirs}, p = {test.p_value:.3g}"
    )
    return [
        _difference(f"exact match, {sides}", exact, files, target, chance),
        _difference(f"edit similarity, {sides}", similar, files, 0, ""),
    ]


def _difference(
    name: str, sides: Sequence[Sequence[float]], files: Sequence[str], target: float, note: str
) -> Figure:
    ours, theirs = sides
    estimate = paired(ours, theirs, files, mean_difference)
    means = f"{sum(ours) / len(ours):.3f} - {sum(theirs) / len(theirs):.3f} at {len(ours)} cursors"
    return at_least(name, estimate.value, target, f"{means}, {estimate}{note}")
