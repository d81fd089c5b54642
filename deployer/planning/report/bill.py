"""A bill as what the page says of it: each line with its share, its basis and its source. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.core.domain import Item
from deployer.core.units import usd
from deployer.planning.compare.breakeven import within
from deployer.planning.compare.result import Row
from deployer.planning.report.footnotes import Sources

WHEN = {"running": "while it runs", "exists": "as long as it exists", "used": "with the traffic"}


@dataclass(frozen=True)
class BillLine:
    """One line: `share` is its part of the whole bill, 0 to 1."""

    component: str
    quantity: str
    price: str
    month: str
    share: float
    when: str
    basis: str
    source: int


@dataclass(frozen=True)
class Bill:
    """The bill of one target for a month."""

    target: str
    total: str
    basis: str
    lines: tuple[BillLine, ...]
    unpriced: tuple[str, ...]


def bill(row: Row, sources: Sources) -> Bill:
    """Return the bill of a row, its dearest lines first."""
    total = sum((item.monthly_usd or Decimal(0) for item in row.items), Decimal(0))
    ordered = sorted(row.items, key=lambda item: -(item.monthly_usd or Decimal(0)))
    return Bill(
        target=row.target,
        total=within(row.monthly),
        basis=row.cells["monthly_usd"].basis,
        lines=tuple(_line(item, total, sources) for item in ordered),
        unpriced=row.unpriced,
    )


def _line(item: Item, total: Decimal, sources: Sources) -> BillLine:
    amount = item.monthly_usd
    return BillLine(
        component=item.component,
        quantity=f"{_quantity(item.quantity)} {item.unit}",
        price=_price(item.unit_price_usd),
        month="unknown" if amount is None else _amount(item, amount),
        share=float(amount / total) if amount and total else 0.0,
        when=WHEN[item.when],
        basis="unknown" if amount is None else item.basis,
        source=sources.number(item.source, item.as_of),
    )


def _amount(item: Item, amount: Decimal) -> str:
    return usd(amount) if item.monthly_range is None else within(item.monthly_range)


def _price(price: Decimal | None) -> str:
    """A price of a unit: two places, and up to four where it has them."""
    if price is None:
        return "unpriced"
    whole, places = f"{price:,.4f}".split(".")
    return f"{whole}.{places[:2]}{places[2:].rstrip('0')}"


def _quantity(quantity: Decimal | None) -> str:
    return (
        "unknown"
        if quantity is None
        else f"{quantity:,.4g}"
        if quantity < 100
        else f"{quantity:,.0f}"
    )
