"""What exists of a deployment where it is served: found without any state, and removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from deployer.providers.api import Say
from deployer.running.aws import inventory, removal
from deployer.running.aws.inventory import Found
from deployer.running.aws.removal import Left
from deployer.running.aws.session import Clients


class Things(Protocol):
    """Everything of one deployment."""

    @property
    def taken_up(self) -> Collection[str]:
        """The types that the next `up` goes on with when the state does not know them."""
        ...

    def found(self) -> list[Found]:
        """Look it up, in the order of its removal.

        Raises:
            PrerequisiteError: credentials, permission or network are missing.
            EngineError: the cloud failed.
        """
        ...

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """Remove what was found; return what was removed and what is left. Refusals are not raised."""
        ...


@dataclass(frozen=True)
class Account:
    """What a rented machine is made of, in one region of an AWS account."""

    clients: Clients
    deployment: str
    taken_up: Collection[str] = ()

    def found(self) -> list[Found]:
        """See `Things`."""
        return inventory.search(self.clients, self.deployment)

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Things`."""
        return removal.remove(self.clients, found, say)
