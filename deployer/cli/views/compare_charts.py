"""The charts of a comparison in a terminal: lines of characters, one letter or shape for each target.

What a terminal cannot write it is not sent: without the shapes (and the blocks of the bars) there are letters
and ASCII. The report (`--html`) has the same charts with their ranges; here a line is the middle of its range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10

import click

from deployer.cli.terminal import heading
from deployer.planning.compare.breakeven import million
from deployer.planning.compare.result import Comparison, Money

HEIGHT = 10
LEAST, MOST = 40, 100
"""Columns of a chart: narrower is not drawn, wider is not better."""
MARGIN = 12
SHAPES = {"local": "●", "cloud-gpu": "▲", "serverless": "■"}
LETTERS = {"local": "L", "cloud-gpu": "C", "serverless": "S"}
COLOURS = {"local": None, "cloud-gpu": "yellow", "serverless": "green"}
SEVERAL = {True: "+", False: "◆"}
"""Where several lines meet, by whether it is plain ASCII."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """Lines by target, and how what stands at the axes is written."""

    title: str
    lines: Mapping[str, Points]
    x_name: str
    x_text: Callable[[float], str]
    log: bool


def drawable(encoding: str | None) -> bool:
    """Whether an encoding has the shapes."""
    try:
        "".join((*SHAPES.values(), SEVERAL[False], "│└─█")).encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def render(made: Comparison, columns: int, *, ascii_only: bool) -> str:
    """Return the charts that there are figures and columns for."""
    width = min(MOST, columns) - MARGIN
    if width < LEAST:
        return ""
    found = [chart for chart in (_months(made), _traffic(made)) if chart.lines]
    return "\n".join(line for c in found for line in _drawn(c, width, ascii_only=ascii_only))


def _middle(pair: Money) -> float:
    return float(pair[0] + pair[1]) / 2


def _months(made: Comparison) -> Chart:
    lines = {
        target: [(float(month), _middle(pair)) for month, pair in enumerate(spent)]
        for target, spent in made.months.items()
        if spent
    }
    return Chart(
        "USD spent until the end of each month", lines, "months", lambda x: f"{x:.0f}", False
    )


def _traffic(made: Comparison) -> Chart:
    lines = {
        row.target: [
            (p.tokens, _middle(p.usd[row.target])) for p in made.curve if row.target in p.usd
        ]
        for row in made.rows
    }
    known = {target: points for target, points in lines.items() if points}
    return Chart("USD a month against the traffic", known, "tokens a month", million, True)


def _drawn(chart: Chart, width: int, *, ascii_only: bool) -> Iterator[str]:
    shapes = LETTERS if ascii_only else SHAPES
    bar, corner, dash = ("|", "+", "-") if ascii_only else ("│", "└", "─")
    bottom, top = _ends(chart)
    grid = _grid(chart, width, bottom, top)
    legend = "  ".join(click.style(f"{shapes[t]} {t}", fg=COLOURS[t]) for t in chart.lines)
    yield ""
    yield heading(f"  {chart.title}")
    yield f"  {'':>8}  {legend}"
    for number, row in enumerate(grid):
        value = top - (top - bottom) * number / (HEIGHT - 1)
        label = million(10**value if chart.log else value) if number % 3 == 0 else ""
        cells = "".join(_cell(targets, shapes, ascii_only=ascii_only) for targets in row)
        yield f"  {label:>8} {bar}{cells}".rstrip()
    yield f"  {'':>8} {corner}{dash * width}"
    xs = [x for points in chart.lines.values() for x, _ in points]
    first, last = chart.x_text(min(xs)), f"{chart.x_text(max(xs))} {chart.x_name}"
    yield f"  {'':>8}  {first}{last:>{width - len(first)}}"


def _ends(chart: Chart) -> tuple[float, float]:
    values = [_height(chart, y) for points in chart.lines.values() for _, y in points]
    low = min(values) if chart.log else 0.0
    return low, max(*values, low + 1e-9) if values else low + 1


def _height(chart: Chart, value: float) -> float:
    return log10(max(value, 0.01)) if chart.log else value


def _grid(chart: Chart, width: int, bottom: float, top: float) -> list[list[tuple[str, ...]]]:
    """The targets in each cell, the highest row first."""
    grid: list[list[tuple[str, ...]]] = [[()] * width for _ in range(HEIGHT)]
    for target, points in chart.lines.items():
        for column in range(width):
            value = _height(chart, points[round(column * (len(points) - 1) / (width - 1))][1])
            row = round((top - value) / (top - bottom) * (HEIGHT - 1))
            grid[row][column] = (*grid[row][column], target)
    return grid


def _cell(targets: tuple[str, ...], shapes: Mapping[str, str], *, ascii_only: bool) -> str:
    if not targets:
        return " "
    if len(targets) > 1:
        return SEVERAL[ascii_only]
    return click.style(shapes[targets[0]], fg=COLOURS[targets[0]])
