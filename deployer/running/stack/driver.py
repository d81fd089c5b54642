"""What differs between the places that a stack is applied to: a rented machine, a serverless service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from deployer.core.clock import now
from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.providers.api import Say
from deployer.running.aws.inventory import Found
from deployer.running.inventory import Things
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config


Remember = Callable[[Deployment, Sequence[Found]], Deployment]
"""Adds to a record what is to be remembered of what exists."""


def as_is(record: Deployment, _found: Sequence[Found]) -> Deployment:
    """Remember nothing more."""
    return record


@dataclass(frozen=True)
class Order:
    """What is to be applied. `limit_s` None: the place's own patience. `now` tells the time, ISO 8601 in UTC."""

    plan: Plan
    store: Store
    provider: Any
    say: Say
    limit_s: float | None = None
    now: Callable[[], str] = now
    remember: Remember = as_is

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.plan.deployment


class Site(Protocol):
    """One place while a plan is applied there. Its calls come in this order."""

    @property
    def things(self) -> Things:
        """What exists there."""
        ...

    def check(self) -> Config:
        """See that everything is granted before anything is made; return what the program is told besides.

        Raises:
            DeployerError: something is missing, with its mend.
        """
        ...

    def settle(self, state: Mapping[str, Any], config: Config) -> None:
        """Decide, by the engine's state, what only a look at it can tell (the zone)."""
        ...

    def well(self, record: Deployment) -> bool:
        """Whether what was made is there and can be called."""
        ...

    def make(self, attempt: Callable[[], None], config: Config) -> None:
        """Make it by one attempt, or by several (zone after zone)."""
        ...

    def wake(self, record: Deployment) -> None:
        """Start what was put to rest."""
        ...

    def finished(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:
        """The record with what exists now and where it is; `bill` prices the engine's own state."""
        ...

    def answering(self, record: Deployment) -> None:
        """Wait until it answers as it should.

        Raises:
            EngineError: it does not, within the limit.
        """
        ...
