"""What differs between the places that a stack is applied to: a rented machine, a serverless service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError
from deployer.providers.inventory import Inventory
from deployer.running.stack.request import ApplyRequest

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config


def driver_of(request: ApplyRequest) -> Driver:
    """Return what applies a plan where its provider serves.

    Raises:
        PrerequisiteError: the provider can be planned, not applied.
    """
    make = request.provider.driver
    if make is None:
        raise PrerequisiteError(
            f"applying {request.provider.target} with {request.provider.name} is not supported in this version",
            hint="'deployer plan' shows what it would cost",
        )
    made: Driver = make(request)
    return made


class Driver(Protocol):
    """One place while a plan is applied there, as its provider knows it. Its calls come in this order."""

    @property
    def things(self) -> Inventory:
        """What exists there."""
        ...

    def preflight(self) -> Config:
        """See that everything is granted before anything is made; return what the program is told besides.

        Raises:
            DeployerError: something is missing, with its hint.
        """
        ...

    def select_zone(self, state: Mapping[str, Any], config: Config) -> None:
        """Decide, by Pulumi's state, what only a look at it can tell (the zone)."""
        ...

    def is_healthy(self, record: Deployment) -> bool:
        """Whether what was made is there and can be called."""
        ...

    def create(self, attempt: Callable[[], None], config: Config) -> None:
        """Make it by one attempt, or by several (zone after zone)."""
        ...

    def resume(self, record: Deployment) -> None:
        """Start what was put to rest."""
        ...

    def record(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:
        """The record with what exists now and where it is; `bill` prices Pulumi's own state."""
        ...

    def verify(self, record: Deployment) -> None:
        """Wait until it answers as it should.

        Raises:
            RemoteError: it does not, within the limit.
        """
        ...
