"""A plan's bill for the hours that a simulation found, by the same pricing as the plan's own. Pure.

`deployer.planning.cost` prices the plan's resources for the month's use; then the lines of the machine, the endpoint or
the hardware itself are written for the hours and copies that ran:

    "running", by the hour    copies x hours awake
    "exists"                  x copies (a stopped machine still pays its disk)
    the rest                  as it is: it follows the traffic, or there is one of it whatever runs
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from deployer.core.domain import HOURS_PER_MONTH, Estimate, Item, Plan, Usage
from deployer.planning import cost
from deployer.planning.cost.rule import Quantity
from deployer.planning.traffic import profile
from deployer.planning.traffic.demand import Demand
from deployer.planning.traffic.simulation import Simulation
from deployer.providers import api

MONTH = Decimal(HOURS_PER_MONTH)
Pair = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Pricing:
    """Prices, and the rules that a provider brings itself."""

    rates: cost.Rates
    rules: api.Pricing | None = None


@dataclass(frozen=True)
class Ran:
    """The same hours at the higher and at the lower end of the speed that is likely."""

    fast: Simulation
    slow: Simulation
    known: bool = True  # whether the speed is known at all

    def between(self, figure: str) -> Pair:
        """One figure of a month, lowest and highest likely."""
        found = sorted(_decimal(run.monthly(figure)) for run in (self.fast, self.slow))
        return found[0], found[1]

    @property
    def copies(self) -> Pair:
        """The copies at the busiest, fewest and most likely."""
        found = sorted((self.fast.copies, self.slow.copies))
        return Decimal(found[0]), Decimal(found[1])


def estimate(
    plan: Plan, demand: Demand, ran: Ran, pricing: Pricing, hourly: Decimal | None = None
) -> tuple[Estimate, Usage]:
    """Price a month. `hourly` is the price of other hardware in the place of the plan's own."""
    used = _usage(demand, ran)
    region = plan.offer.region if plan.offer else None
    bill = cost.estimate(
        plan.resources, rates=pricing.rates, usage=used, region=region, pricing=pricing.rules
    )
    main = {item.resource for item in bill.items if item.component in cost.ESSENTIAL}
    items = tuple(_item(i, ran, hourly) if i.resource in main else i for i in bill.items)
    return cost.total(items, bill.unpriced, used), used


def _usage(demand: Demand, ran: Ran) -> Usage:
    busy = ran.between("busy_hours")
    if not ran.known:
        busy = (Decimal(0), MONTH if demand.per_hour else Decimal(0))
    return profile.month(
        _decimal(ran.slow.monthly("requests")),
        (demand.input_tokens, demand.output_tokens),
        active_hours=ran.between("awake_hours"),
        busy_hours=busy,
    )


def _item(item: Item, ran: Ran, hourly: Decimal | None) -> Item:
    if hourly is not None and item.component in cost.ESSENTIAL and item.unit == "hour":
        item = replace(item, unit_price_usd=hourly)
    if item.unit_price_usd == 0 or item.when == "used":
        return item
    if item.unit == "hour" and item.component in cost.ESSENTIAL:
        return _by_hours(item, ran)
    low, high = ran.between("copy_hours") if item.unit == "hour" else ran.copies
    if item.unit == "hour" and item.when == "running":
        return _with(item, Quantity.between(low, high, "hour"))
    return _times(item, ran.copies)


def _by_hours(item: Item, ran: Ran) -> Item:
    """The machine itself: at least what is kept running whatever comes, such as two warm replicas."""
    least = (item.quantity or Decimal(0)) if item.when == "exists" else Decimal(0)
    low, high = (max(hours, least) for hours in ran.between("copy_hours"))
    return _with(item, Quantity.between(low, high, "hour"))


def _times(item: Item, copies: Pair) -> Item:
    if copies[1] == 1 or item.quantity is None:
        return item
    price = item.unit_price_usd or Decimal(1)
    low, high = item.monthly_range or (item.quantity * price, item.quantity * price)
    return _with(
        item, Quantity.between(low / price * copies[0], high / price * copies[1], item.unit)
    )


def _with(item: Item, quantity: Quantity) -> Item:
    price, amount = item.unit_price_usd, quantity.amount
    if price is None or amount is None or quantity.low is None or quantity.high is None:
        return replace(item, quantity=amount)
    exact = quantity.low == quantity.high
    return replace(
        item,
        quantity=amount,
        monthly_usd=amount * price,
        monthly_range=None if exact else (quantity.low * price, quantity.high * price),
        basis=item.basis if exact else "estimated",
    )


def _decimal(number: float) -> Decimal:
    return Decimal(str(round(number, 6)))
