"""What a pricing rule is given and how it writes a line of the bill. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Protocol

from deployer.core.domain import HOURS_PER_MONTH, Basis, Item, Offer, Rate, Resource, Usage
from deployer.core.records import dataclass

MONTH = Decimal(HOURS_PER_MONTH)
When = Literal["running", "exists", "used"]


class Rates(Protocol):
    """Where prices come from (`deployer.planning.catalog.Catalog`). What has no price is None, never 0."""

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        """Every offer of a provider, in one region or in all."""
        ...

    def rate(self, component: str, region: str | None) -> Rate:
        """The price of one unit of a component in a region."""
        ...


@dataclass(frozen=True)
class Setting:
    """What a rule may know besides the resource: prices, the month's usage, the region, the resources beside it."""

    rates: Rates
    usage: Usage
    region: str | None
    resources: Sequence[Resource] = ()

    def rate(self, component: str) -> Rate:
        """The price of one unit of a component in this setting's region."""
        return self.rates.rate(component, self.region)


Rule = Callable[[Resource, Setting], Iterable[Item]]
"""Says what one resource costs a month; nothing at all when it is free."""


@dataclass(frozen=True)
class Quantity:
    """How many units a month. `low` and `high` are given where it is an estimate."""

    amount: Decimal | None
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    basis: Basis = "exact"

    @classmethod
    def between(cls, low: Decimal, high: Decimal, unit: str) -> Quantity:
        """An estimate: the middle, with its lowest and highest likely value."""
        return cls((low + high) / 2, unit, low, high, "estimated")


def line(resource: Resource, component: str, quantity: Quantity, rate: Rate, when: When) -> Item:
    """Write one line of the bill; it is unpriced when the price or the quantity is not known."""
    return Item(
        resource=resource.name,
        component=component,
        quantity=quantity.amount,
        unit=quantity.unit,
        unit_price_usd=rate.usd,
        monthly_usd=times(quantity.amount, rate.usd),
        when=when,
        source=rate.source,
        as_of=rate.as_of,
        basis=quantity.basis if rate.usd is not None else "unknown",
        monthly_range=_range(quantity, rate.usd),
    )


def times(quantity: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Multiply, where both are known."""
    return None if quantity is None or price is None else quantity * price


def _range(quantity: Quantity, price: Decimal | None) -> tuple[Decimal, Decimal] | None:
    low, high = times(quantity.low, price), times(quantity.high, price)
    return None if low is None or high is None else (low, high)


def decimal(value: Any) -> Decimal | None:
    """Read a figure of a resource's inputs; what is not a figure (known after apply) is None."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return None


def mapping(inputs: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Read a block of a resource's inputs; none is an empty one."""
    found = inputs.get(key)
    return found if isinstance(found, Mapping) else {}
