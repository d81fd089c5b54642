"""The figures of a comparison as text, the same in a terminal, in Markdown and in the report. Pure."""

from __future__ import annotations

from decimal import Decimal

from deployer.planning.compare.breakeven import million
from deployer.planning.compare.result import Cell, Comparison, Row

SHOWN = (
    ("fit", "fit"),
    ("monthly_usd", "USD a month"),
    ("unpriced", "not in the cost"),
    ("usd_per_1m_tokens", "USD per 1M tokens"),
    ("idle_hourly_usd", "idle, USD an hour"),
    ("upfront_usd", "up front, USD"),
    ("copies", "copies at the peak"),
    ("capacity_users", "users at once"),
    ("capacity_per_hour", "requests an hour"),
    ("utilisation", "used on average, running"),
    ("wait", "queueing, busiest hours"),
    ("cold_start_share", "meet a cold start"),
    ("latency", "latency"),
    ("ttft_ms", "first token, ms"),
    ("privacy", "privacy"),
    ("setup", "set-up"),
    ("complexity", "complexity"),
)
"""The lines of the table: the cell, and what it is called."""
MARKS = {"estimated": "~", "measured": "=", "exact": "", "unknown": ""}


def told(made: Comparison) -> str:
    """The traffic in one line."""
    asked = made.traffic
    return (
        f"{asked.requests_per_month:,.0f} requests, {million(asked.tokens_per_month)} tokens a month,"
        f" at most {asked.peak_per_hour:,.0f} expected an hour ({asked.source})"
    )


def shown(row: Row, name: str) -> str:
    """One cell as text, with the mark of its basis and its range."""
    cell = row.cells[name]
    marked = not isinstance(cell.value, str | None)
    return f"{MARKS[cell.basis] if marked else ''}{figure(cell)}"


def figure(cell: Cell) -> str:
    """A cell's figure with its unit's precision, as a range where it is one; `unknown` where it is not known."""
    value, ends = cell.value, cell.within
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if ends and ends[0] != ends[1]:
        low, high = _number(cell, ends[0]), _number(cell, ends[1])
        return low if low == high else f"{low} to {high}"
    return _number(cell, value)


def _number(cell: Cell, value: Decimal | float) -> str:
    if cell.unit == "share":
        return _percent(float(value))
    if cell.unit == "USD/hour":
        return f"{value:,.4f}"
    if cell.unit.startswith("USD"):
        return f"{value:,.2f}"
    return f"{value:,.0f}"


def _percent(share: float) -> str:
    return "0 %" if not share else "<0.01 %" if share < 0.0001 else f"{100 * share:.3g} %"
