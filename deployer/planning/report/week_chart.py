"""The week of the simulation, hour by hour: what is asked, and what runs for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from deployer.planning.compare.result import Row
from deployer.planning.report.line_chart import path
from deployer.planning.report.scale import Scale, round_up
from deployer.planning.report.svg import Mark, text

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY = 24
STRIP, BETWEEN, TOP = 58, 26, 22
"""Pixels of one strip, between two of them, and above the first."""
LEFT, RIGHT = 44, 8


def hours(rows: Sequence[Row]) -> int:
    """How many hours the week has: fewer than 168 where a log is shorter."""
    return min((len(row.week) for row in rows), default=0)


def day_hour(hour: int) -> str:
    """Name an hour of the week: `Monday 10:00`."""
    return f"{DAYS[hour // DAY % 7]} {hour % DAY:02}:00"


def titles(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what each hour says."""
    return tuple(_title(rows, hour) for hour in range(hours(rows)))


def _title(rows: Sequence[Row], hour: int) -> str:
    ran = "; ".join(f"{r.target} {r.week[hour].running_hours:.2f} h" for r in rows)
    return f"{day_hour(hour)}: {rows[0].week[hour].requests:,.1f} requests; running: {ran}"


def height(rows: Sequence[Row]) -> int:
    """How tall the drawing is."""
    return TOP + (len(rows) + 1) * (STRIP + BETWEEN) + 12


def draw(rows: Sequence[Row], width: int) -> tuple[Mark, ...]:
    """Draw a strip of the requests and one of each target's running hours."""
    x = Scale(0, hours(rows), LEFT, width - RIGHT)
    return tuple(_marks(rows, x, short=width < 600))


def _marks(rows: Sequence[Row], x: Scale, *, short: bool) -> Iterator[Mark]:
    last = TOP + (len(rows) + 1) * (STRIP + BETWEEN) - BETWEEN
    yield from _days(x, last, short=short)
    requests = [hour.requests for hour in rows[0].week]
    yield from _strip("requests an hour", "asked", requests, x, TOP)
    for number, row in enumerate(rows, 1):
        ran = [hour.running_hours for hour in row.week]
        said = f"{row.target}: machines that run"
        yield from _strip(said, row.target, ran, x, TOP + number * (STRIP + BETWEEN))
    for hour, said in enumerate(titles(rows)):
        box = {"x": x(hour), "y": TOP, "width": x(1) - x(0), "height": last - TOP}
        yield Mark("rect", {"class": "hit", **box}, title=said)


def _days(x: Scale, last: float, *, short: bool) -> Iterator[Mark]:
    for day in range(int(x.high) // DAY or 1):
        left, right = x(day * DAY), x(min((day + 1) * DAY, x.high))
        if day % 2:
            box = {"x": left, "y": TOP, "width": right - left, "height": last - TOP}
            yield Mark("rect", {"class": "day", **box})
        name = DAYS[day][:3] if short else DAYS[day]
        yield text(name, (left + right) / 2, last + 18, "tick mid")


def _strip(said: str, kind: str, values: Sequence[float], x: Scale, top: float) -> Iterator[Mark]:
    y = Scale(0, round_up(max(values)), top + STRIP, top)
    yield text(said, x.start, top - 7, f"strip-name t-{kind}")
    yield text(f"{y.high:g}", x.start - 6, top + 9, "tick end")
    yield text("0", x.start - 6, top + STRIP, "tick end")
    outline = list(_steps(values, x, y))
    area = [(x(0), y(0)), *outline, (x(len(values)), y(0))]
    yield Mark("path", {"class": f"area t-{kind}", "d": f"{path(area)}Z"})
    yield Mark("path", {"class": f"outline t-{kind}", "d": path(outline)})
    yield Mark(
        "line", {"class": "axis", "x1": x.start, "x2": x.end, "y1": top + STRIP, "y2": top + STRIP}
    )


def _steps(values: Sequence[float], x: Scale, y: Scale) -> Iterator[tuple[float, float]]:
    """The corners of the steps; hours alike make one step."""
    yield x(0), y(values[0])
    for hour, (before, after) in enumerate(pairwise(values), 1):
        if before != after:
            yield x(hour), y(before)
            yield x(hour), y(after)
    yield x(len(values)), y(values[-1])
