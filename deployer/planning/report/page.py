"""A comparison as what the page says: cards, the table, the bills, the reasons, all as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from deployer.core.documents.compare import Rule
from deployer.core.units import usd
from deployer.planning.compare.breakeven import within
from deployer.planning.compare.result import Cell, Comparison, Row
from deployer.planning.compare.text import SHOWN, figure, told
from deployer.planning.report.bill import Bill, bill
from deployer.planning.report.footnotes import Sources

GROUPS = (
    ("Hardware", ("hardware", "fit")),
    ("Money", ("monthly_usd", "unpriced", "usd_per_1m_tokens", "idle_hourly_usd", "upfront_usd")),
    ("Speed and capacity", ("copies", "capacity_users", "capacity_per_hour", "utilisation",
                            "wait", "cold_start_share", "ttft_ms")),
    ("Operation", ("latency", "privacy", "setup", "complexity", "scaling", "updates", "failover")),
)  # fmt: skip
NAMES = dict(SHOWN)
"""What a cell is called; one that is not named here is called by its own name."""


@dataclass(frozen=True)
class Figure:
    """One cell: what it says, on what it rests, and the number of its source."""

    text: str
    basis: str
    source: int


@dataclass(frozen=True)
class Card:
    """One target at a glance. `share` is its cost as a share of the dearest one's, 0 to 1."""

    target: str
    provider: str
    hardware: str
    chosen: bool
    close: bool
    refused: tuple[str, ...]
    month: Figure
    without: str
    within: str
    upfront: Figure
    share: float


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    name: str
    cells: tuple[Figure, ...]


@dataclass(frozen=True)
class Group:
    """Lines of the table that belong together."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Other:
    """An alternative that was weighed."""

    target: str
    variant: str
    month: Figure


@dataclass(frozen=True)
class Page:
    """Everything that the page says besides the charts."""

    name: str
    digest: str
    generated_at: str
    traffic: str
    target: str | None
    because: tuple[Rule, ...]
    hybrid: str | None
    cards: tuple[Card, ...]
    targets: tuple[str, ...]
    table: tuple[Group, ...]
    rules: tuple[Rule, ...]
    break_even: tuple[str, ...]
    bills: tuple[Bill, ...]
    others: tuple[Other, ...]
    notes: tuple[str, ...]


def view(made: Comparison, sources: Sources) -> Page:
    """Return what the page says; `sources` learns every source that is named."""
    said = made.recommendation
    return Page(
        name=made.spec_name,
        digest=made.spec_digest,
        generated_at=made.generated_at,
        traffic=told(made),
        target=said.target,
        because=tuple(_because(said.rules)),
        hybrid=said.hybrid,
        cards=tuple(_cards(made, sources)),
        targets=tuple(row.target for row in made.rows),
        table=tuple(_groups(made, sources)),
        rules=said.rules,
        break_even=tuple(_break_even(made)),
        bills=tuple(bill(row, sources) for row in made.rows if row.items),
        others=tuple(_others(made, sources)),
        notes=made.notes,
    )


def _because(rules: tuple[Rule, ...]) -> Iterator[Rule]:
    """The rules that left something out; where none did, the cost."""
    left: tuple[str, ...] | None = None
    for rule in rules:
        if rule.verdict == "applies" and rule.keeps != left:
            yield rule
        left = rule.keeps


def _cards(made: Comparison, sources: Sources) -> Iterator[Card]:
    amounts = [row.decimal("monthly_usd") for row in made.rows]
    most = max((a for a in amounts if a is not None), default=Decimal(0))
    for row, amount in zip(made.rows, amounts, strict=True):
        month, hardware = row.cells["monthly_usd"], row.cells["hardware"].value
        yield Card(
            target=row.target,
            provider=row.provider,
            hardware="no hardware" if hardware is None else str(hardware),
            chosen=row.target == made.recommendation.target,
            close=row.target in made.recommendation.close,
            refused=row.reasons,
            month=Figure(
                "unknown" if amount is None else usd(amount),
                month.basis,
                sources.number(month.source),
            ),
            without=row.without,
            within=_range(row),
            upfront=_figure(row.cells["upfront_usd"], sources),
            share=float(amount / most) if amount and most else 0.0,
        )


def _range(row: Row) -> str:
    """The range of a month's cost, where it is one."""
    pair = row.monthly
    return within(pair) if pair and usd(pair[0]) != usd(pair[1]) else ""


def _groups(made: Comparison, sources: Sources) -> Iterator[Group]:
    for name, cells in GROUPS:
        entries = tuple(
            Entry(
                NAMES.get(cell, cell), tuple(_figure(row.cells[cell], sources) for row in made.rows)
            )
            for cell in cells
        )
        yield Group(name, entries)


def _figure(cell: Cell, sources: Sources) -> Figure:
    return Figure(figure(cell), cell.basis, sources.number(cell.source))


def _break_even(made: Comparison) -> Iterator[str]:
    for paid in made.paid:
        yield f"own hardware pays for itself against {paid.against} {paid.verdict}"
    for met in made.meetings:
        yield f"{met.pair[0]} and {met.pair[1]}: {met.verdict}"


def _others(made: Comparison, sources: Sources) -> Iterator[Other]:
    for row in made.alternatives:
        yield Other(row.target, row.variant, _figure(row.cells["monthly_usd"], sources))
