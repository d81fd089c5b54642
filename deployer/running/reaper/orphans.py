"""What is left of deployments that are gone. Pure.

A deployment is there while a machine, a group or an endpoint of it exists, or while this computer has a record
of it. A disk or an address that hangs on nothing is left over either way.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from deployer.planning.cost import Rates, every_pricing
from deployer.providers.cloud import Swept
from deployer.providers.inventory import Found
from deployer.running.reaper.costs import monthly


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
        if found.region in swept.blind or (swept.blind and one.everywhere):
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
        if not one.ends
        and one.found.region not in swept.blind
        and one.found.type not in every_pricing().free
    ]


def _alive(swept: Swept) -> set[tuple[str, str]]:
    """The deployments that are there, each with its scope."""
    machines = {(one.deployment, one.scope) for one in swept.machines}
    living = [one.found for one in swept.leftovers if one.lives]
    sleeping = [one.found for one in swept.sleepers]
    return machines | {(one.deployment, one.region) for one in (*living, *sleeping)}
