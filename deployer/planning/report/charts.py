"""The charts of a comparison: what each one shows, how it is read, and its figures as a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from deployer.planning.compare.breakeven import million, within
from deployer.planning.compare.curve import MONTHS
from deployer.planning.compare.result import Comparison, Money, Paid, Wall
from deployer.planning.report import week_chart
from deployer.planning.report.footnotes import Sources
from deployer.planning.report.line_chart import Axis, Line, Plot, Span
from deployer.planning.report.line_chart import draw as draw_lines
from deployer.planning.report.svg import Chart, Drawing

WIDE, NARROW = (560, 340), (340, 300)
"""Widths and heights of a chart on a desk and on a phone."""
WEEK_WIDE = 960
YEAR = 12


def charts(made: Comparison, sources: Sources) -> tuple[Chart, ...]:
    """Return the charts that there are figures for; `sources` learns where those are from."""
    drawn = (draw(made, sources) for draw in (_months, _traffic, _wall, _week))
    return tuple(chart for chart in drawn if chart)


def _cost_sources(made: Comparison, sources: Sources) -> tuple[int, ...]:
    cells = [row.cells["monthly_usd"] for row in made.rows if row.monthly]
    return _numbers([*(cell.source for cell in cells), made.traffic.source], sources)


def _numbers(said: Iterable[str], sources: Sources) -> tuple[int, ...]:
    return tuple(dict.fromkeys(sources.number(source) for source in said))


def _drawn(plot: Plot) -> tuple[Drawing, Drawing]:
    wide = Drawing(*WIDE, draw_lines(plot, *WIDE, named=True))
    return wide, Drawing(*NARROW, draw_lines(plot, *NARROW, named=False))


def _spent(amount: float) -> str:
    """An amount at an axis: `12k`, `0.05`."""
    return million(amount) if amount >= 1000 else f"{amount:g}"


def _line(
    name: str, xs: Sequence[float], pairs: Sequence[Money], said: Callable[[float], str]
) -> Line:
    points = tuple((x, float(low), float(high)) for x, (low, high) in zip(xs, pairs, strict=True))
    titles = tuple(
        f"{name}, {said(x)}: {within(pair)} USD" for x, pair in zip(xs, pairs, strict=True)
    )
    return Line(name, points, titles)


def _months(made: Comparison, sources: Sources) -> Chart | None:
    spent = {target: months for target, months in made.months.items() if months}
    if not spent:
        return None
    xs = [float(month) for month in range(MONTHS + 1)]
    paid = list(_paid_in_time(made.paid))
    plot = Plot(
        lines=tuple(
            _line(t, xs, pairs, lambda x: f"after {x:.0f} months") for t, pairs in spent.items()
        ),
        x=Axis("months", lambda x: f"{x:.0f}", ticks=tuple(range(0, MONTHS + 1, 6))),
        y=Axis("USD spent", _spent),
        spans=tuple(Span(*ends, n) for n, (_, ends) in enumerate(paid, 1)),
    )
    wide, narrow = _drawn(plot)
    return Chart(
        name="months",
        title="Cost over months",
        said=f"Money spent by the end of each month for {MONTHS} months; {_after(spent)}.",
        note="Purchases are paid in month 0, the rest month by month. A shaded line is a range of likely cost.",
        basis="estimated",
        sources=_cost_sources(made, sources),
        wide=wide,
        narrow=narrow,
        head=("month", *spent),
        rows=tuple(
            (str(m), *(within(pairs[m]) for pairs in spent.values())) for m in range(MONTHS + 1)
        ),
        legend=tuple(spent),
        points=tuple(
            f"own hardware pays for itself against {p.against} {p.verdict}" for p, _ in paid
        ),
    )


def _after(spent: dict[str, tuple[Money, ...]]) -> str:
    said = (f"{target} {within(months[YEAR])} USD after a year" for target, months in spent.items())
    return ", ".join(said)


def _paid_in_time(paid: Sequence[Paid]) -> Iterator[tuple[Paid, tuple[float, float]]]:
    """What is paid for within the months that are shown; an end that never comes is the last of them."""
    for each in paid:
        soon, late = each.months or (None, None)
        if soon is not None and soon <= MONTHS:
            yield each, (soon, min(float(MONTHS), MONTHS if late is None else late))


def _traffic(made: Comparison, sources: Sources) -> Chart | None:
    targets = [r.target for r in made.rows if any(r.target in p.usd for p in made.curve)]
    if not targets:
        return None
    met = [m for m in made.meetings if m.tokens]
    plot = Plot(
        lines=tuple(_against_traffic(made, target) for target in targets),
        x=Axis("tokens a month", million, log=True),
        y=Axis("USD a month", _spent, log=True),
        spans=tuple(Span(*m.tokens, n) for n, m in enumerate(met, 1) if m.tokens),
        here=(made.traffic.tokens_per_month, "this traffic"),
    )
    wide, narrow = _drawn(plot)
    return Chart(
        name="traffic",
        title="Cost against traffic",
        said="Cost of a month against the tokens of a month: "
        + "; ".join(f"{m.pair[0]} and {m.pair[1]}: {m.verdict}" for m in made.meetings),
        note="Both axes grow by factors of ten. Shading: where estimates overlap, and two are too close to call.",
        basis="estimated",
        sources=_cost_sources(made, sources),
        wide=wide,
        narrow=narrow,
        head=("tokens a month", "requests a day", *targets),
        rows=tuple(
            (
                million(p.tokens),
                f"{p.requests_per_day:,.3g}",
                *(within(p.usd.get(t)) for t in targets),
            )
            for p in made.curve
        ),
        legend=tuple(targets),
        points=tuple(f"{m.pair[0]} and {m.pair[1]}: {m.verdict}" for m in met),
    )


def _against_traffic(made: Comparison, target: str) -> Line:
    known = [p for p in made.curve if target in p.usd]
    xs, pairs = [p.tokens for p in known], [p.usd[target] for p in known]
    return _line(target, xs, pairs, lambda x: f"{million(x)} tokens a month")


def _wall(made: Comparison, sources: Sources) -> Chart | None:
    if not made.walls:
        return None
    users = [crowd.users for crowd in next(iter(made.walls.values())).points]
    plot = Plot(
        lines=tuple(_crowded(target, wall) for target, wall in made.walls.items()),
        x=Axis("users at the same time", lambda x: f"{x:,.0f}", log=True, ticks=_thinned(users)),
        y=Axis("seconds to a whole answer", lambda y: f"{y:g}", log=True),
    )
    wide, narrow = _drawn(plot)
    ends = "; ".join(_answered(made.walls))
    bases = {wall.basis for wall in made.walls.values()}
    return Chart(
        name="wall",
        title="The scaling wall",
        said=f"Seconds to a whole answer of {made.traffic.output_tokens:,.0f} tokens; {ends}.",
        note=f"Rings: {ends}; further users have to queue. An answer has"
        f" {made.traffic.output_tokens:,.0f} tokens, and each user asks again after an answer.",
        basis=" and ".join(sorted(bases)),
        sources=_numbers((wall.source for wall in made.walls.values()), sources),
        wide=wide,
        narrow=narrow,
        head=("users", *made.walls),
        rows=tuple(
            (f"{n:,}", *(_seconds(wall, i) for wall in made.walls.values()))
            for i, n in enumerate(users)
        ),
        legend=tuple(made.walls),
    )


def _answered(walls: Mapping[str, Wall]) -> Iterator[str]:
    """`local and cloud-gpu answer 8 at once`."""
    for at_once in dict.fromkeys(wall.at_once for wall in walls.values()):
        names = [target for target, wall in walls.items() if wall.at_once == at_once]
        *most, last = names
        said = f"{', '.join(most)} and {last} answer" if most else f"{last} answers"
        yield f"{said} {at_once:,} at once"


def _thinned(users: Sequence[int]) -> tuple[float, ...]:
    """At most seven of them."""
    return tuple(float(n) for n in users[:: max(1, -(-len(users) // 7))])


def _crowded(target: str, wall: Wall) -> Line:
    return Line(
        name=target,
        points=tuple((float(c.users), *c.seconds) for c in wall.points),
        titles=tuple(
            f"{target}, {c.users:,} users: {_seconds(wall, i)} s" for i, c in enumerate(wall.points)
        ),
        knee=float(wall.at_once),
    )


def _seconds(wall: Wall, index: int) -> str:
    low, high = wall.points[index].seconds
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"


def _week(made: Comparison, sources: Sources) -> Chart | None:
    rows = [row for row in made.rows if row.week]
    if not rows or not made.traffic.requests_per_month:
        return None
    tall = week_chart.height(rows)
    return Chart(
        name="week",
        title="One week" if week_chart.hours(rows) > week_chart.DAY else "The hours of the log",
        said=f"{week_chart.hours(rows)} hours: requests, and the machines that run for them. {_hours_run(made)}.",
        note=f"The mean of each hour of the week: {made.traffic.source}. {_hours_run(made)}.",
        basis="estimated",
        sources=_numbers([made.traffic.source], sources),
        wide=Drawing(WEEK_WIDE, tall, week_chart.draw(rows, WEEK_WIDE)),
        narrow=Drawing(NARROW[0], tall, week_chart.draw(rows, NARROW[0])),
        head=("hour", "requests", *(f"{row.target}, h" for row in rows)),
        rows=tuple(
            (
                week_chart.day_hour(hour),
                f"{rows[0].week[hour].requests:,.1f}",
                *(f"{row.week[hour].running_hours:.2f}" for row in rows),
            )
            for hour in range(week_chart.hours(rows))
        ),
        legend=(),
    )


def _hours_run(made: Comparison) -> str:
    said = [
        f"{row.target} {Decimal(round(row.simulation.monthly('copy_hours'))):,} h"
        for row in made.rows
        if row.simulation
    ]
    return f"Machines run in a month: {', '.join(said)}"
