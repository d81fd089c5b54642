"""What machines and what is left over of deployments cost, by the catalog and the providers' pricing rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from deployer.core.domain import Item, Resource, Usage
from deployer.planning.cost import Rates, Setting, every_pricing
from deployer.planning.cost.rule import MONTH
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import Leftover, Machine
from deployer.providers.inventory import Found

NO_TRAFFIC = Usage(*(Decimal(0),) * 5, (Decimal(0),) * 2, (Decimal(0),) * 2)


def monthly(one: Leftover, rates: Rates) -> Decimal | None:
    """What it costs in a month of 730 h if it stays as it is; None where that is not known."""
    return monthly_of(one.found, rates)


def monthly_of(found: Found, rates: Rates) -> Decimal | None:
    """The same of anything that was found. A machine costs what it does while it runs."""
    known = every_pricing()
    if found.type in known.free:
        return Decimal(0)
    if found.type not in known.rules:
        return None
    return _sum([item.monthly_usd for item in _items(found, rates) if item.when != "used"])


def at_least(found: Found, rates: Rates) -> Decimal | None:
    """What anything that was found costs in a month, as far as that is known: the disks of a machine stand for themselves."""
    known = every_pricing()
    if found.type in known.free:
        return Decimal(0)
    if found.type not in known.rules:
        return None
    amounts = [item.monthly_usd for item in _items(found, rates) if item.when != "used"]
    priced = [amount for amount in amounts if amount is not None]
    return sum(priced, Decimal(0)) if priced or not amounts else None


def _items(found: Found, rates: Rates) -> Iterator[Item]:
    priced = Resource(found.type, found.name, found.inputs)
    yield from every_pricing().rules[found.type](priced, Setting(rates, NO_TRAFFIC, found.region))


def prices(of: Machine, disks: Sequence[Leftover], rates: Rates) -> Prices | None:
    """What an hour of a machine costs: its disks always, and its address while it runs or as long as it keeps it."""
    address = [rates.rate("public-ipv4", of.scope).usd] if of.address else []
    kept = address if of.address_stays else []
    resting = _sum([*(_per_hour(monthly(disk, rates)) for disk in disks), *kept])
    running = [_rate(rates, of, "spot" if of.spot else "on-demand")]
    running += [] if of.address_stays else address
    awake = _sum(running)
    return None if resting is None or awake is None else Prices(awake + resting, resting)


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _per_hour(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount / MONTH


def _rate(rates: Rates, of: Machine, billing: str) -> Decimal | None:
    for offer in rates.offers(of.provider, of.scope):
        if offer.instance_type == of.type and offer.billing == billing:
            return offer.usd_per_hour
    return None
