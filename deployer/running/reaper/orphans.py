"""What is left of deployments that are gone, and what everything costs. Pure.

A deployment is there while a machine, a group or an endpoint of it exists, or while this computer has a record
of it. A disk or an address that hangs on nothing is left over either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployer.core.domain import Item, Resource, Usage
from deployer.planning.cost import Rates, Setting, every_pricing
from deployer.planning.cost.rule import MONTH, times
from deployer.planning.cost.spending import Prices
from deployer.running.inventory import Found
from stacks._aws import inventory
from stacks._aws.instances import Machine
from stacks._aws.sweep import EVERYWHERE, SERVED

NO_TRAFFIC = Usage(*(Decimal(0),) * 5, (Decimal(0),) * 2, (Decimal(0),) * 2)
FREE_HERE = frozenset(
    {
        inventory.TEMPLATE,
        inventory.GROUP,
        inventory.SCHEDULE,
        inventory.RECEIVERS,
        inventory.INTERFACE,
        inventory.CERTIFICATE,
        inventory.BUDGET,
    }
)
"""Types that cost nothing while nothing runs, whether or not a stack prices them."""
LIVING = frozenset({inventory.INSTANCE, inventory.GROUP, *SERVED.values()})
"""What a deployment lives by: while it is there, nothing else of it is left over."""
GIB = Decimal(2**30)


@dataclass(frozen=True)
class Orphan:
    """Something without a deployment. `monthly_usd` None is unpriced."""

    found: Found
    monthly_usd: Decimal | None


def orphans(
    found: Sequence[Found], recorded: Collection[str], blind: Collection[str], rates: Rates
) -> list[Orphan]:
    """Name what is left over.

    Args:
        found: everything that has the tag.
        recorded: the deployments that this computer has a record of.
        blind: regions whose machines could not be seen: what lies there, and what has no region, is not judged.
        rates: where prices come from.
    """
    here = {(one.deployment, one.region) for one in found if one.type in LIVING}
    anywhere = {deployment for deployment, _ in here}
    left = []
    for one in found:
        if (
            one.type in (inventory.INSTANCE, *SERVED.values())
            or one.region in blind
            or (blind and _global(one))
        ):
            continue
        place = one.deployment in anywhere if _global(one) else (one.deployment, one.region) in here
        there = place or one.deployment in recorded
        if _loose(one) or not there:
            left.append(Orphan(one, monthly(one, rates)))
    return sorted(
        left, key=lambda o: (o.found.region, o.found.deployment, o.found.type, o.found.id)
    )


def _global(one: Found) -> bool:
    return (
        one.type in (inventory.ROLE, inventory.PROFILE, inventory.BUDGET)
        or one.region == EVERYWHERE
    )


def _loose(one: Found) -> bool:
    """Whether it hangs on nothing although it should."""
    if one.type == inventory.VOLUME:
        return one.details.get("State") == "available"
    return one.type == inventory.ADDRESS and not (
        one.details.get("AssociationId") or one.details.get("InstanceId")
    )


def monthly(one: Found, rates: Rates) -> Decimal | None:
    """What it costs in a month of 730 h if it stays as it is; None where that is not known."""
    if one.type in SERVED.values():
        return None
    if one.type == inventory.LOGS:
        stored = Decimal(one.details.get("storedBytes", 0)) / GIB
        return times(stored, rates.rate("logs-storage", one.region).usd)
    if one.type in every_pricing().free or one.type in FREE_HERE:
        return Decimal(0)
    if one.type not in every_pricing().rules:
        return None
    return _sum([i.monthly_usd for i in _items(one, rates) if i.when != "used"])


def _items(one: Found, rates: Rates) -> Iterator[Item]:
    rule = every_pricing().rules.get(one.type)
    if rule is not None:
        priced = Resource(one.type, one.name, _inputs(one))
        yield from rule(priced, Setting(rates, NO_TRAFFIC, one.region))


def _inputs(one: Found) -> Mapping[str, Any]:
    """Its inputs in Pulumi's words, as far as a price depends on them."""
    told = one.details
    if one.type == inventory.VOLUME:
        return {
            "type": told.get("VolumeType"),
            "size": told.get("Size"),
            "iops": told.get("Iops"),
            "throughput": told.get("Throughput"),
        }
    if one.type == inventory.ENDPOINT:
        return {
            "vpcEndpointType": told.get("VpcEndpointType", "Gateway"),
            "subnetIds": list(told.get("SubnetIds", ())),
        }
    return {}


def prices(of: Machine, disks: Sequence[Found], rates: Rates) -> Prices | None:
    """What an hour of a machine costs: with its address while it runs, its disks always."""
    resting = _sum([_per_hour(monthly(disk, rates)) for disk in disks])
    running = [_rate(rates, of, "spot" if of.spot else "on-demand")]
    if of.address:
        running.append(rates.rate("public-ipv4", of.region).usd)
    awake = _sum(running)
    return None if resting is None or awake is None else Prices(awake + resting, resting)


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _per_hour(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount / MONTH


def _rate(rates: Rates, of: Machine, billing: str) -> Decimal | None:
    for offer in rates.offers("aws", of.region):
        if offer.instance_type == of.type and offer.billing == billing:
            return offer.usd_per_hour
    return None
