"""A comparison as text for a terminal: the table, bars of the costs, the curve, the rules."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from textwrap import wrap

import click

from deployer.cli import terminal
from deployer.cli.terminal import heading, table
from deployer.cli.views import compare_charts
from deployer.core.documents.compare import Rule
from deployer.core.units import usd
from deployer.planning.compare.breakeven import million
from deployer.planning.compare.result import Comparison, Row
from deployer.planning.compare.text import SHOWN, shown, told

WIDTH = 100
BAR = 40
BLOCKS, ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*%#"
"""Eighths of a line's height; the first is nothing at all, the last is the bars'."""
COLUMN = 30
CHART_COLUMNS = 60
"""What a chart that was asked for takes even where the terminal says that it is narrower."""


def render(made: Comparison, columns: int | None = None, *, ascii_only: bool = False) -> str:
    """Return the comparison as text, with charts where there are columns for them."""
    charts = compare_charts.render(made, columns, ascii_only=ascii_only) if columns else ""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    return "\n".join(_sections(made, charts, blocks))


def _sections(made: Comparison, charts: str, blocks: str) -> Iterator[str]:
    yield f"{heading(made.spec_name)}  {told(made)}"
    yield ""
    yield table(list(_table(made)))
    yield "  ~ estimated   = measured   unmarked: exact, or words; --json has every source"
    yield from _refused(made)
    yield from _costs(made, blocks[-1])
    yield from _alternatives(made)
    yield from _week(made, blocks)
    if charts:
        yield charts
    yield from _curve(made)
    yield from _break_even(made)
    yield from _recommended(made)


def _table(made: Comparison) -> Iterator[list[str]]:
    yield ["", *(heading(row.target) for row in made.rows)]
    no = click.style("no", fg="red")
    yield ["can serve it", *("yes" if row.feasible else no for row in made.rows)]
    yield from _lines("hardware", [_hardware(row) for row in made.rows])
    for name, said in SHOWN:
        yield from _lines(said, [shown(row, name) for row in made.rows])


def _lines(name: str, cells: Sequence[str]) -> Iterator[list[str]]:
    """One line of the table, or several where a cell is long."""
    wrapped = [wrap(cell, COLUMN) or [""] for cell in cells]
    for i in range(max(map(len, wrapped))):
        parts = [lines[i] if i < len(lines) else "" for lines in wrapped]
        yield [name if i == 0 else "", *parts]


def _hardware(row: Row) -> str:
    value = row.cells["hardware"].value
    return "none" if value is None else str(value)


def _refused(made: Comparison) -> Iterator[str]:
    for row in made.rows:
        if not row.feasible:
            yield ""
            yield from _wrapped(f"{row.target} is refused: {'; '.join(row.reasons[:2])}")


def _wrapped(text: str, indent: str = "  ") -> Iterator[str]:
    yield from wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    )


def _costs(made: Comparison, block: str) -> Iterator[str]:
    amounts = [(row, row.decimal("monthly_usd")) for row in made.rows]
    most = max((float(a) for _, a in amounts if a is not None), default=0.0)
    yield ""
    yield heading("  USD a month")
    rows = [[r.target, _amount(r), f"{block * _length(a, most)}{_without(r)}"] for r, a in amounts]
    yield table([["", *row] for row in rows], right=frozenset({2}))


def _amount(row: Row) -> str:
    """A month's cost; what cannot serve it has none, which is another thing than a price that is not known."""
    return usd(row.decimal("monthly_usd")) if row.items else "none"


def _without(row: Row) -> str:
    return f" (no price is known of: {row.without})" if row.without else ""


def _length(amount: Decimal | None, most: float) -> int:
    return 0 if amount is None or not most else max(1, round(BAR * float(amount) / most))


def _alternatives(made: Comparison) -> Iterator[str]:
    if not made.alternatives:
        return
    yield ""
    yield heading("  others, USD a month")
    rows = [["", r.target, _amount(r), f"{r.variant}{_without(r)}"] for r in made.alternatives]
    yield table(rows, right=frozenset({2}))


def _week(made: Comparison, blocks: str) -> Iterator[str]:
    """Monday to Sunday: requests, and how many hours of machines run for them."""
    weeks = [(row.target, row.week) for row in made.rows if row.week]
    if not weeks or not made.traffic.requests_per_month:
        return
    yield ""
    yield heading("  the week, Monday to Sunday: requests, then the hours that run for them")
    first = weeks[0][1]
    rows = [["", "requests", *_days([hour.requests for hour in first], blocks)]]
    rows += [
        ["", target, *_days([h.running_hours for h in week], blocks)] for target, week in weeks
    ]
    yield table(rows)


def _days(values: Sequence[float], blocks: str) -> list[str]:
    """A sparkline a day, two hours a character (the busier of them), all of one scale."""
    most = max(values) or 1.0
    days = [values[first : first + 24] for first in range(0, len(values), 24)]
    return [
        "".join(blocks[_eighths(max(day[i : i + 2]), most)] for i in range(0, 24, 2))
        for day in days
    ]


def _eighths(value: float, most: float) -> int:
    return min(8, max(int(value > 0), round(8 * value / most)))


def _curve(made: Comparison) -> Iterator[str]:
    if not made.curve:
        return
    yield ""
    yield heading("  USD a month against the traffic")
    names = [row.target for row in made.rows]
    rows = [["", "requests a day", "tokens a month", *names]]
    for point in made.curve[::2]:
        costs = [_middle(point.usd.get(name)) for name in names]
        served = [bool(row.items) for row in made.rows]
        cells = _least(costs, served)
        rows.append(["", f"{point.requests_per_day:,.3g}", million(point.tokens), *cells])
    yield table(rows, right=frozenset(range(1, 3 + len(names))))


def _middle(pair: tuple[Decimal, Decimal] | None) -> Decimal | None:
    return None if pair is None else (pair[0] + pair[1]) / 2


def _least(costs: Sequence[Decimal | None], served: Sequence[bool]) -> Iterator[str]:
    """The costs as text, the least of them marked; `served` says of each whether it can serve the model at all."""
    known = [c for c in costs if c is not None]
    for cost, can in zip(costs, served, strict=True):
        text = usd(cost) if can else "none"
        yield click.style(text, fg="green") if known and cost == min(known) else text


def _break_even(made: Comparison) -> Iterator[str]:
    yield ""
    yield heading("  break-even")
    for paid in made.paid:
        yield from _wrapped(f"own hardware pays for itself against {paid.against} {paid.verdict}")
    for met in made.meetings:
        yield from _wrapped(f"{met.pair[0]} and {met.pair[1]}: {met.verdict}")


def _recommended(made: Comparison) -> Iterator[str]:
    said = made.recommendation
    yield ""
    yield f"  {heading('recommended')}  {click.style(said.target or 'none', fg='green' if said.target else 'red')}"
    for rule in said.rules:
        yield from _wrapped(_rule(rule), "    ")
    if said.close:
        yield from _wrapped(f"too close to call: {said.target}, {', '.join(said.close)}")
    if said.hybrid:
        yield from _wrapped(f"hybrid: {said.hybrid}")
    for note in made.notes:
        yield from _wrapped(f"note: {note}")


def _rule(rule: Rule) -> str:
    mark = {"applies": "->", "does not apply": " .", "left out": " x", "nothing left": " !"}
    return f"{mark[rule.verdict]} {rule.rule}: {rule.detail}"


def show(made: Comparison, *, markdown: bool, charts: bool | None) -> None:
    """Print a comparison for a human, on stdout, or as Markdown; `charts` None: in a terminal with room."""
    made = terminal.all_printable(made)
    if markdown:
        from deployer.cli.views import compare_markdown

        terminal.out(compare_markdown.render(made))
        return
    plain = not compare_charts.drawable(getattr(sys.stdout, "encoding", None))
    terminal.out(render(made, _columns(asked=charts), ascii_only=plain))


def _columns(*, asked: bool | None) -> int | None:
    """The columns that charts may take; None: they are not shown."""
    if asked is False or (asked is None and not sys.stdout.isatty()):
        return None
    columns = shutil.get_terminal_size((100, 24)).columns
    return max(columns, CHART_COLUMNS) if asked else columns
