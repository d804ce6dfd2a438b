"""The results of a replay for people: tables with 95 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, RenderableType

COLUMNS = {
    "net_saved_per_1000": ("net saved", 1.0, 0),
    "exact_match": ("exact, %", 100.0, 1),
    "edit_similarity": ("similarity", 1.0, 3),
    "log_loss": ("log-loss", 1.0, 3),
    "show_rate": ("shown, %", 100.0, 0),
}
"""Of each figure: its heading, what it is multiplied by, its decimals."""


def print_results(result: Mapping[str, Any], console: Console) -> None:
    seeds = ", ".join(map(str, result["seeds"]))
    console.print(f"projects: {', '.join(result['projects'])}; seeds: {seeds}")
    console.print("net saved: characters per 1,000 typed; below each figure its 95 % interval")
    console.print(_arms("The future block, after all interactions", result["arms"]))
    console.print(_arms("The interactions themselves", result["stream"]))
    console.print(_parts(result["arms"]))
    console.print(_slope(result))
    if result["differences"]:
        console.print(_differences(result))


def _arms(title: str, arms: Mapping[str, Any]) -> RenderableType:
    table = _table(title, "arm", *(heading for heading, _, _ in COLUMNS.values()), "asked")
    for arm, figures in arms.items():
        cells = [told(figures[name], scale, digits) for name, (_, scale, digits) in COLUMNS.items()]
        table.add_row(arm, *cells, str(figures["questions"]))
    return table


def _parts(arms: Mapping[str, Any]) -> RenderableType:
    headings = [
        f"{part}: {heading}" for part in ("duplicates", "novel") for heading in ("net saved", "exact, %")
    ]
    table = _table("Lines that stand elsewhere in the project (duplicates), and novel ones", "arm", *headings)
    for arm, figures in arms.items():
        cells = [
            told(figures[part][name], COLUMNS[name][1], COLUMNS[name][2])
            for part in ("duplicates", "novel")
            for name in ("net_saved_per_1000", "exact_match")
        ]
        table.add_row(arm, *cells)
    return table


def _slope(result: Mapping[str, Any]) -> RenderableType:
    headings = ("net saved", "exact, %")
    table = _table("The slope", "project", "arm", "interactions", *headings)
    for row in result["slope"]:
        project = row["project"] + (" again" if row["returned"] else "")
        net, exact = (
            told({"mean": row[name], **row["intervals"][name]}, COLUMNS[name][1], COLUMNS[name][2])
            for name in ("net_saved_per_1000", "exact_match")
        )
        table.add_row(project, row["arm"], str(row["interactions"]), net, exact)
    return table


def _differences(result: Mapping[str, Any]) -> RenderableType:
    table = _table("Differences", "arm", "against", "net saved", "exact, points")
    for row in result["differences"]:
        table.add_row(row["arm"], row["against"], told(row, 1.0, 0), told(row["exact_match"], 100.0, 1))
    return table


def told(figure: Mapping[str, Any], scale: float, digits: int) -> str:
    """Return a mean and its interval in words; a dash where there is none."""
    if figure["mean"] is None:
        return "-"
    mean = f"{scale * figure['mean']:.{digits}f}"
    if figure.get("low") is None:
        return mean
    return f"{mean}\n{scale * figure['low']:.{digits}f} … {scale * figure['high']:.{digits}f}"


def _table(title: str, *headings: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 or heading == "against" else "right")
    return table
