"""Which site a plan is applied to, and which keeper looks after what was made there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deployer.providers.api import Keeper, Say
from deployer.running.stack.driver import Order, Site

SERVERLESS = "serverless"


def site_of(order: Order) -> Site:
    """Return the site of a plan."""
    if order.plan.target == SERVERLESS:
        from deployer.running.endpoints.driver import Served
        from deployer.running.endpoints.manager import ServedKeeper

        return Served(order, ServedKeeper(order.provider, order.store.home, order.say))
    from deployer.running.aws.driver import Rented
    from deployer.running.aws.manager import CloudKeeper

    return Rented(order, CloudKeeper(order.provider, order.store.home, order.say))


def keeper_of(provider: Any, home: Path, say: Say) -> Keeper:
    """Return what looks after the deployments of a provider that has a Pulumi program."""
    if provider.TARGET == SERVERLESS:
        from deployer.running.endpoints.manager import ServedKeeper

        return ServedKeeper(provider, home, say)
    from deployer.running.aws.manager import CloudKeeper

    return CloudKeeper(provider, home, say)
