"""The lines of a bill, as several documents hold them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from deployer.core.documents.base import Pair
from deployer.core.domain import Basis, Date, Item
from deployer.core.records import dataclass

KINDS: dict[str, Literal["fixed", "usage"]] = {
    "running": "fixed",
    "exists": "fixed",
    "used": "usage",
}


@dataclass(frozen=True, kw_only=True)
class BillItem:
    """One line of the bill: quantity x unit price a month."""

    resource: str
    component: str
    quantity: Decimal | None
    unit: str
    unit_price_usd: Decimal | None
    monthly_usd: Decimal | None
    """Null: no price is known."""
    monthly_usd_range: Pair | None
    """Where the quantity is an estimate."""
    kind: Literal["fixed", "usage"]
    when: Literal["running", "exists", "used"]
    """running: it stops with the machine; exists: it is also paid while the machine is stopped; used: it follows the traffic."""
    basis: Basis
    source: str
    as_of: Date | None
    """The date of the price."""

    @classmethod
    def of(cls, item: Item) -> BillItem:
        """Return a line of an estimate as documents have it."""
        return cls(
            resource=item.resource,
            component=item.component,
            quantity=item.quantity,
            unit=item.unit,
            unit_price_usd=item.unit_price_usd,
            monthly_usd=item.monthly_usd,
            monthly_usd_range=item.monthly_range,
            kind=KINDS[item.when],
            when=item.when,
            basis=item.basis,
            source=item.source,
            as_of=item.as_of,
        )
