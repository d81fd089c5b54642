"""What is asked of a service that serves models without a machine of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from deployer.core.domain import Plan
from deployer.providers.inventory import Inventory
from deployer.providers.managers import Say

State = Literal["starting", "healthy", "unhealthy", "stopped", "failed"]


@dataclass(frozen=True)
class Seen:
    """How a deployment is. `awake` False: the next call wakes it; None: the service does not tell."""

    state: State
    awake: bool | None = None
    reason: str | None = None


class Service(Protocol):
    """One service, in one region. Every call may raise an error with a hint, as `Inventory.found` does."""

    def check(self, plan: Plan, say: Say) -> str:
        """See that everything is granted before anything is made; return who asks.

        Raises:
            PrerequisiteError: credentials, permission or network are missing.
            PolicyError: a quota does not allow it.
        """
        ...

    def things(self, deployment: str) -> Inventory:
        """What exists of a deployment."""
        ...

    def seen(self, deployment: str) -> Seen | None:
        """How it is, without waking it; None: it is not there."""
        ...

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """What it says, the newest last."""
        ...

    def rest(self, deployment: str) -> bool:
        """Put it to rest so that no call wakes it; False: it has no such rest."""
        ...

    def wake(self, deployment: str, say: Say) -> None:
        """End a rest that `rest` began; nothing where there is none."""
        ...
