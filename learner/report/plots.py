"""Where everything in a plot stands; the template ``plot.svg`` writes it down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from learner.report.estimates import Estimate

WIDTH, HEIGHT = 400.0, 230.0
"""The drawing's own units: small, so that its letters are still read on a telephone."""
LEFT, RIGHT, TOP, BOTTOM = 44.0, 392.0, 28.0, 206.0
TICKS = 4
"""About so many steps on the upright axis."""
WIDEST = 24.0
"""Of a bar."""


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Series:
    """What is drawn in one colour; the keys of ``points`` are positions on the level axis."""

    name: str
    points: dict[float, Estimate]
    bars: bool = False
    line: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Layer:
    """One series in the drawing's units."""

    name: str
    number: int
    """Says the colour, the dashes and the shape of the dots."""
    path: str
    """Of the line, in SVG's notation."""
    dots: list[tuple[float, float]]
    whiskers: list[tuple[float, float, float]]
    """x, and the interval's ends in y."""
    bars: list[tuple[float, float, float, float]]
    """x, y, width and height."""


@dataclass(frozen=True)
class Drawing:
    name: str
    """Unique on the page."""
    title: str
    told: str
    """What is seen, in a sentence, for those who do not see it."""
    unit: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    zero: float
    marks: list[Tick]
    """Upright lines with a number each."""
    layers: list[Layer] = field(default_factory=list)


def draw(
    name: str,
    title: str,
    told: str,
    unit: str,
    series: Sequence[Series],
    *,
    x_ticks: Sequence[Tick],
    shown: Callable[[float], str] = "{:g}".format,
    marks: Sequence[Tick] = (),
    span: tuple[float, float] | None = None,
    most: float = math.inf,
    dodge: float = 0.0,
) -> Drawing:
    """Lay a plot out; its upright axis always has 0, and all of the intervals up to ``most``.

    ``span`` is the level axis' range; by default half a step around what there is. What several series have
    at the same place is drawn ``dodge`` apart.
    """
    positions = [x for one in series for x in one.points]
    first, last = span or (min(positions) - 0.5, max(positions) + 0.5)
    values = [v for one in series for estimate in one.points.values() for v in _extent(estimate)]
    ticks = steps(values, most)
    low, high = ticks[0], ticks[-1]

    def across(x: float) -> float:
        return round(LEFT + (x - first) / (last - first) * (RIGHT - LEFT), 2)

    def up(y: float) -> float:
        return round(BOTTOM - (min(max(y, low), high) - low) / (high - low) * (BOTTOM - TOP), 2)

    width = min(WIDEST, round(0.8 * (RIGHT - LEFT) / (last - first), 2))
    return Drawing(
        name,
        title,
        told,
        unit,
        [Tick(across(tick.at), tick.text) for tick in x_ticks],
        [Tick(up(value), shown(value)) for value in ticks],
        up(0.0),
        [Tick(across(mark.at), mark.text) for mark in marks],
        [
            _layer(one, number, (number - (len(series) - 1) / 2) * dodge, width, across, up)
            for number, one in enumerate(series)
        ],
    )


def _layer(
    series: Series,
    number: int,
    shift: float,
    width: float,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> Layer:
    at = {x: round(across(x) + shift, 2) for x in series.points}
    points = [(at[x], up(estimate.mean)) for x, estimate in sorted(series.points.items())]
    return Layer(
        series.name,
        number,
        "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if series.line and points else "",
        points if series.dots else [],
        [
            (at[x], up(estimate.high), up(estimate.low))
            for x, estimate in sorted(series.points.items())
            if estimate.low is not None and estimate.high is not None
        ],
        [
            (round(x - width / 2, 2), min(y, up(0.0)), width, round(abs(up(0.0) - y), 2))
            for x, y in points
            if series.bars
        ],
    )


def steps(values: Iterable[float], most: float = math.inf) -> list[float]:
    """Return round numbers from below all values to above them, 0 always among them, ``most`` the last."""
    found = [0.0, *values]
    low, high = min(found), min(max(found), most)
    if low == high:
        high = low + 1.0
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= rough * 0.999)
    ends = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(ends[0], ends[1] + 1)]


def picked(ticks: Sequence[Tick], most: int = 5) -> list[Tick]:
    """Return at most so many of the ticks, evenly, the first among them."""
    every = max(1, math.ceil(len(ticks) / most))
    return list(ticks[::every])


def _extent(estimate: Estimate) -> list[float]:
    return [value for value in (estimate.mean, estimate.low, estimate.high) if value is not None]
