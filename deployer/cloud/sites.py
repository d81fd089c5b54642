"""Which site a plan is applied to, and which keeper looks after what was made there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deployer.cloud.site import Order, Site
from deployer.target import Keeper, Say

SERVERLESS = "serverless"


def site_of(order: Order) -> Site:
    """Return the site of a plan."""
    if order.plan.target == SERVERLESS:
        from deployer.cloud.serverless.keeper import ServedKeeper
        from deployer.cloud.serverless.site import Served

        return Served(order, ServedKeeper(order.provider, order.store.home, order.say))
    from deployer.cloud.rented import Rented
    from deployer.cloud.runner import CloudKeeper

    return Rented(order, CloudKeeper(order.provider, order.store.home, order.say))


def keeper_of(provider: Any, home: Path, say: Say) -> Keeper:
    """Return what looks after the deployments of a provider that has a Pulumi program."""
    if provider.TARGET == SERVERLESS:
        from deployer.cloud.serverless.keeper import ServedKeeper

        return ServedKeeper(provider, home, say)
    from deployer.cloud.runner import CloudKeeper

    return CloudKeeper(provider, home, say)
