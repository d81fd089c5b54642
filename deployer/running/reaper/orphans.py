"""What is left of deployments that are gone, and what only carries their tag. Pure.

A deployment is there while a machine, a group or an endpoint of it exists, or while this computer has a record
of it. A disk or an address that hangs on nothing is left over either way. What this tool has not made is never left
over of a deployment: it is somebody's, named with its cost, and kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from deployer.planning.cost import Rates, every_pricing
from deployer.planning.cost.rule import MONTH
from deployer.providers.cloud import Leftover, Machine, Swept
from deployer.providers.inventory import Found
from deployer.running.reaper.costs import monthly, monthly_of, prices


@dataclass(frozen=True)
class Orphan:
    """Something without a deployment. `monthly_usd` None is unpriced."""

    found: Found
    monthly_usd: Decimal | None


def orphans(swept: Swept, recorded: Collection[str], rates: Rates) -> list[Orphan]:
    """Name what is left over. Where machines could not be seen nothing is judged, nor what has no scope.

    Args:
        swept: everything that was found.
        recorded: the deployments that this computer has a record of.
        rates: where prices come from.
    """
    here = _alive(swept)
    anywhere = {deployment for deployment, _ in here}
    left = []
    for one in swept.leftovers:
        found = one.found
        if not found.ours or found.region in swept.blind or (swept.blind and one.everywhere):
            continue
        place = (found.deployment, found.region)
        alive = found.deployment in anywhere if one.everywhere else place in here
        if one.loose or not (alive or found.deployment in recorded):
            left.append(Orphan(found, monthly(one, rates)))
    return sorted(
        left, key=lambda o: (o.found.region, o.found.deployment, o.found.type, o.found.id)
    )


def standing(swept: Swept, rates: Rates) -> list[Orphan]:
    """Name what is billed besides machines, of every deployment, and does not end with a machine by itself."""
    return [
        Orphan(one.found, monthly(one, rates))
        for one in swept.leftovers
        if one.found.ours
        and not one.ends
        and one.found.region not in swept.blind
        and one.found.type not in every_pricing().free
    ]


def tagged(swept: Swept, rates: Rates) -> list[Orphan]:
    """Name what carries the tag of a deployment and was not made by this tool, machines too.

    Where something could not be seen, what proves the rest may be it: there only what costs something is named.
    """
    unsure = {gap.scope for gap in swept.gaps}
    disks = disks_of(swept.leftovers)
    strange = [one.found for one in swept.leftovers if not one.found.ours]
    named = [Orphan(one, monthly_of(one, rates)) for one in strange]
    named += [_machine(one, disks.get(one.id, ()), rates) for one in swept.machines if not one.ours]
    return [one for one in named if one.found.region not in unsure or one.monthly_usd != 0]


def _machine(of: Machine, disks: Sequence[Leftover], rates: Rates) -> Orphan:
    price = prices(of, [one for one in disks if one.found.ours], rates)
    hourly = None if price is None else price.running if of.running else price.resting
    found = Found(of.type, of.id, of.id, of.deployment, of.scope, ours=False, owner=of.owner)
    return Orphan(found, None if hourly is None else hourly * MONTH)


def disks_of(leftovers: Iterable[Leftover]) -> Mapping[str, Sequence[Leftover]]:
    """The disks of each machine, by its id."""
    disks: dict[str, list[Leftover]] = defaultdict(list)
    for one in leftovers:
        for machine in one.disk_of:
            disks[machine].append(one)
    return disks


def _alive(swept: Swept) -> set[tuple[str, str]]:
    """The deployments that are there, each with its scope."""
    machines = {(one.deployment, one.scope) for one in swept.machines if one.ours}
    living = [one.found for one in swept.leftovers if one.lives and one.found.ours]
    sleeping = [one.found for one in swept.sleepers]
    return machines | {(one.deployment, one.region) for one in (*living, *sleeping)}
