"""Models that are served without a machine of one's own: applied, looked at and removed.

    service.py      what is asked of a service; each provider has its own
    manager.py      a deployment that exists
    driver.py       a plan that is being applied

Nothing here asks the model itself but the smoke test: a call would wake it, and be billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from deployer.running.endpoints.manager import EndpointManager
    from deployer.running.stack.driver import Driver
    from deployer.running.stack.request import ApplyRequest


def make_driver(request: ApplyRequest) -> Driver:
    """Return what applies an order to a service; the provider's `manager` must be an `EndpointManager`."""
    from deployer.running.endpoints.driver import EndpointDriver

    make = request.provider.manager
    assert make is not None  # noqa: S101 - a provider of endpoints has both parts
    manager = make(request.store.home, request.say)
    return EndpointDriver(request, cast("EndpointManager", manager))
