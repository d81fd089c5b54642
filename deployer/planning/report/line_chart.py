"""A chart of lines, each with the range that is likely around it. Pure.

Lines differ by colour, by dashes and by the shape of their points, so that none of the three is needed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from deployer.planning.report.scale import Scale, round_down, round_up
from deployer.planning.report.svg import Mark, shape, text

GAP = 15
"""Pixels between two names at the ends of lines."""
TOP, BOTTOM, LEFT = 42, 44, 52
CHARACTER = 7.2
"""About the width of a character of the labels, in pixels."""
SHAPES = 8
"""About how many points of a line get its shape."""


@dataclass(frozen=True)
class Line:
    """One target's line: x, and the lowest and highest likely y. `knee` is the x of a point to stress."""

    name: str
    points: tuple[tuple[float, float, float], ...]
    titles: tuple[str, ...]  # what a point says when it is pointed at
    knee: float | None = None


@dataclass(frozen=True)
class Axis:
    """What stands at an axis, and how its values are written. `ticks` are found where none are given."""

    name: str
    text: Callable[[float], str]
    log: bool = False
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Span:
    """A range of x that a note below the chart speaks of, by its number."""

    low: float
    high: float
    number: int


@dataclass(frozen=True)
class Plot:
    """Everything that a chart of lines shows. `here` is an x with a word for it."""

    lines: tuple[Line, ...]
    x: Axis
    y: Axis
    spans: tuple[Span, ...] = ()
    here: tuple[float, str] | None = None


def draw(plot: Plot, width: int, height: int, *, named: bool) -> tuple[Mark, ...]:
    """Draw it. `named`: each line's name stands at its end."""
    names = max((len(line.name) for line in plot.lines), default=0)
    right = width - (names * CHARACTER + 14 if named else 12)
    x = Scale(*_ends(plot, 0), LEFT, right, plot.x.log)
    y = Scale(*_ends(plot, 1), height - BOTTOM, TOP, plot.y.log)
    return tuple(_marks(plot, x, y, named=named))


def _ends(plot: Plot, axis: int) -> tuple[float, float]:
    """The lowest and highest value on an axis."""
    points = [p for line in plot.lines for p in line.points]
    values = [v for p in points for v in (p[:1] if axis == 0 else p[1:])]
    told = (plot.x, plot.y)[axis]
    if told.log:
        low = min((v for v in values if v > 0), default=1.0)
        high = max((*values, low * 2))
        return (low, high) if axis == 0 else (round_down(low), round_up(high))
    high = max(values, default=1.0)
    return 0.0, high if axis == 0 and high > 0 else round_up(high)


def _marks(plot: Plot, x: Scale, y: Scale, *, named: bool) -> Iterator[Mark]:
    for span in plot.spans:
        yield from _span(span, x, y)
    yield from _grid(plot, x, y)
    if plot.here:
        yield from _here(plot.here, x, y)
    for line in plot.lines:
        yield from _band(line, x, y)
    for line in plot.lines:
        yield from _line(line, x, y)
    if named:
        yield from _names(plot.lines, x, y)


def _grid(plot: Plot, x: Scale, y: Scale) -> Iterator[Mark]:
    for value in y.ticks(6):
        yield Mark(
            "line", {"class": "grid", "x1": x.start, "x2": x.end, "y1": y(value), "y2": y(value)}
        )
        yield text(plot.y.text(value), x.start - 8, y(value) + 4, "tick end")
    for value in plot.x.ticks or x.ticks(int((x.end - x.start) / 56)):
        if x.low <= value <= x.high:
            yield text(plot.x.text(value), x(value), y.start + 18, "tick mid")
    yield Mark("line", {"class": "axis", "x1": x.start, "x2": x.end, "y1": y.start, "y2": y.start})
    yield text(plot.y.name, x.start - 44, 12, "axis-name")
    yield text(plot.x.name, x.end, y.start + 38, "axis-name end")


def _span(span: Span, x: Scale, y: Scale) -> Iterator[Mark]:
    left, right = x(span.low), x(span.high)
    wide = max(2.0, right - left)
    middle = (left + right) / 2
    box = {"x": middle - wide / 2, "y": y.end, "width": wide, "height": y.start - y.end}
    yield Mark("rect", {"class": "span", **box})
    yield Mark("circle", {"class": "span-dot", "cx": middle, "cy": y.end - 8, "r": 8})
    yield text(str(span.number), middle, y.end - 4, "span-number mid")


def _here(here: tuple[float, str], x: Scale, y: Scale) -> Iterator[Mark]:
    at, said = x(here[0]), here[1]
    yield Mark("line", {"class": "here", "x1": at, "x2": at, "y1": y.end, "y2": y.start})
    side = "end" if at > (x.start + x.end) / 2 else "start"
    yield text(said, at + (-6 if side == "end" else 6), y.start - 8, f"here-name {side}")


def _band(line: Line, x: Scale, y: Scale) -> Iterator[Mark]:
    up = [(x(at), y(high)) for at, _, high in line.points]
    down = [(x(at), y(low)) for at, low, _ in reversed(line.points)]
    if any(abs(a[1] - b[1]) > 0.5 for a, b in zip(up, reversed(down), strict=True)):
        yield Mark("path", {"class": f"band t-{line.name}", "d": f"{path((*up, *down))}Z"})


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return the points as the data of an SVG path."""
    return "M" + "L".join(f"{at:.1f} {up:.1f}" for at, up in points)


def _line(line: Line, x: Scale, y: Scale) -> Iterator[Mark]:
    points = [(x(at), y(_middle(low, high, log=y.log))) for at, low, high in line.points]
    yield Mark("path", {"class": f"line t-{line.name}", "d": path(points)})
    last = len(points) - 1
    parts = min(SHAPES, last) or 1
    for at, up in dict.fromkeys(points[round(last * n / parts)] for n in range(parts + 1)):
        yield shape(line.name, at, up, 4)
    if line.knee is not None:
        up = _on(points, x(line.knee))
        yield Mark("circle", {"class": f"knee t-{line.name}", "cx": x(line.knee), "cy": up, "r": 9})
    for (at, up), said in zip(points, line.titles, strict=True):
        yield Mark("circle", {"class": "hit", "cx": at, "cy": up, "r": 9}, title=said)


def _middle(low: float, high: float, *, log: bool) -> float:
    return (low * high) ** 0.5 if log and low > 0 else (low + high) / 2


def _on(points: Sequence[tuple[float, float]], at: float) -> float:
    """How high the line is at some place."""
    for (left, first), (right, second) in pairwise(points):
        if left <= at <= right:
            return first + (second - first) * (at - left) / ((right - left) or 1)
    return points[-1][1]


def _names(lines: Sequence[Line], x: Scale, y: Scale) -> Iterator[Mark]:
    """The names at the ends of the lines, moved apart where they would lie on each other."""
    last = float("-inf")
    for up, line in _ordered(lines, y):
        last = max(up, last + GAP)
        yield text(line.name, x.end + 11, last + 4, f"name t-{line.name}")


def _ordered(lines: Sequence[Line], y: Scale) -> list[tuple[float, Line]]:
    ends = [(y(_middle(*line.points[-1][1:], log=y.log)), line) for line in lines if line.points]
    return sorted(ends, key=lambda end: end[0])
