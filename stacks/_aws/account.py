"""What a rented machine is made of, in one region of an AWS account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deployer.providers.api import Say
from deployer.providers.inventory import Found, Left
from stacks._aws import inventory, removal
from stacks._aws.session import Clients


@dataclass(frozen=True)
class Account:
    """What a rented machine is made of, in one region of an AWS account."""

    clients: Clients
    deployment: str
    taken_up: Collection[str] = ()

    def found(self) -> list[Found]:
        """See `Inventory`."""
        return inventory.search(self.clients, self.deployment)

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Inventory`."""
        return removal.remove(self.clients, found, say)
