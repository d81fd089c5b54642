"""A plan's bill for the hours that a simulation found, by the same program and pricing as the plan's own. Pure.

`deployer.planning.cost` prices the resources for the month's use. An endpoint that sleeps is then done: what it costs
follows from its hours awake. The lines of machines and hardware are written for the hours and copies that ran, from
what the program makes of one copy, or of a fleet of two where there are several:

    "running"     copies x hours awake: the machine, its address, the disks and metrics of a fleet
    "exists"      x copies (a stopped machine still pays its disk)
    the rest      as it is: it follows the traffic, or there is one of it whatever runs
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from deployer.core.domain import HOURS_PER_MONTH, Estimate, Item, Plan, Resource, Usage
from deployer.core.records import dataclass
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
    """The same hours at the higher and at the lower end of the speed that is likely.

    `window_hours` is what is billed at least each time that it wakes; `sleeps`: it is a service that starts and stops
    copies by itself.
    """

    fast: Simulation
    slow: Simulation
    known: bool = True  # whether the speed is known at all
    window_hours: float = 0.0
    sleeps: bool = False

    def between(self, figure: str) -> Pair:
        """One figure of a month, lowest and highest likely."""
        found = sorted(_decimal(run.monthly(figure)) for run in (self.fast, self.slow))
        return found[0], found[1]

    @property
    def paid_hours(self) -> Pair:
        """The hours of all copies that are billed: half a window more, on average, for each time that it wakes."""
        found = sorted(
            min(
                run.monthly("copy_hours") + run.monthly("cold_starts") * self.window_hours / 2,
                float(HOURS_PER_MONTH) * run.copies,
            )
            for run in (self.fast, self.slow)
        )
        return _decimal(found[0]), _decimal(found[1])

    @property
    def copies(self) -> Pair:
        """The copies at the busiest, fewest and most likely."""
        found = sorted((self.fast.copies, self.slow.copies))
        return Decimal(found[0]), Decimal(found[1])


@dataclass(frozen=True)
class Shape:
    """What a program makes of `copies` copies: the lines of the bill are divided by that. `gone`: while it is not used
    nothing of the machine is left.
    """

    resources: Sequence[Resource]
    copies: int = 1
    gone: bool = False


def estimate(
    plan: Plan, demand: Demand, ran: Ran, pricing: Pricing, shape: Shape | None = None
) -> tuple[Estimate, Usage]:
    """Price a month."""
    used, made = _usage(demand, ran), shape or Shape(plan.resources)
    bill = _bill(plan, made.resources, used, pricing)
    main = {item.resource for item in bill.items if item.component in cost.ESSENTIAL}
    items = [_item(i, ran, made) if i.resource in main else i for i in bill.items]
    items += _bought(plan, made.resources, used, ran, pricing)
    return cost.total(tuple(items), bill.unpriced, used), used


def _bill(plan: Plan, resources: Sequence[Resource], used: Usage, pricing: Pricing) -> Estimate:
    region = plan.offer.region if plan.offer else None
    return cost.estimate(
        resources, rates=pricing.rates, usage=used, region=region, pricing=pricing.rules
    )


def _bought(
    plan: Plan, resources: Sequence[Resource], used: Usage, ran: Ran, pricing: Pricing
) -> Iterator[Item]:
    """The machines beyond the one that is owned already: they would have to be bought."""
    more = ran.copies[0] - 1, ran.copies[1] - 1
    if not more[1] or not any(owned(one) for one in resources):
        return
    paid = [replace(one, inputs={**one.inputs, "owned": False}) for one in resources]
    for item in _bill(plan, paid, used, pricing).items:
        if item.component in cost.ESSENTIAL:
            yield _times(item, more)


def owned(one: Resource) -> bool:
    """Whether a resource is hardware that is paid already."""
    return bool(one.inputs.get("owned"))


def _usage(demand: Demand, ran: Ran) -> Usage:
    busy = ran.between("busy_hours")
    if not ran.known:
        busy = (Decimal(0), MONTH if demand.per_hour else Decimal(0))
    return profile.month(
        _decimal(ran.slow.monthly("requests")),
        (demand.input_tokens, demand.output_tokens),
        active_hours=ran.paid_hours,
        busy_hours=busy,
    )


def _item(item: Item, ran: Ran, made: Shape) -> Item:
    if item.unit_price_usd == 0 or item.when == "used":
        return item
    machine = item.unit == "hour" and item.component in cost.ESSENTIAL
    if ran.sleeps:  # awake, it is priced by its hours; kept awake, at least for what is kept
        return _by_hours(item, ran) if machine and item.when == "exists" else item
    if machine:
        return _by_hours(item, ran)
    running = item.when == "running" or made.gone
    low, high = (h / MONTH for h in ran.paid_hours) if running else ran.copies
    return _times(item, (low / made.copies, high / made.copies))


def _by_hours(item: Item, ran: Ran) -> Item:
    """The machine itself: at least what is kept running whatever comes, such as two warm replicas."""
    least = (item.quantity or Decimal(0)) if item.when == "exists" else Decimal(0)
    low, high = (max(hours, least) for hours in ran.paid_hours)
    return _with(item, Quantity.between(low, high, "hour"))


def _times(item: Item, factors: Pair) -> Item:
    if factors[0] == factors[1] == 1 or item.quantity is None:
        return item
    price = item.unit_price_usd or Decimal(1)
    low, high = item.monthly_range or (item.quantity * price, item.quantity * price)
    return _with(
        item, Quantity.between(low / price * factors[0], high / price * factors[1], item.unit)
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
