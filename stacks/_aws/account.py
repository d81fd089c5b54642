"""What exists of one deployment in one region of an AWS account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from deployer.providers.inventory import Found, Left
from deployer.providers.managers import Say
from stacks._aws import inventory, preflight, removal, types
from stacks._aws.session import Clients
from stacks._aws.types.record import AWS


@dataclass(frozen=True)
class Account:
    """Fulfils `deployer.providers.inventory.Inventory` for a deployment of one of the providers on AWS."""

    clients: Clients
    deployment: str
    provider: str = AWS

    @property
    def taken_up(self) -> Collection[str]:
        """See `Inventory`."""
        return [one.found_type for one in types.of(self.provider) if one.is_resumed]

    @property
    def region(self) -> str:
        """See `Inventory`."""
        return self.clients.region

    @property
    def account(self) -> str:
        """See `Inventory`."""
        return preflight.identity(self.clients)[0]

    def named(self, deployment: str) -> Account:
        """See `Inventory`."""
        return replace(self, deployment=deployment)

    def found(self) -> list[Found]:
        """See `Inventory`."""
        return inventory.search(self.clients, self.deployment, self.provider)

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Inventory`."""
        return removal.remove(self.clients, found, say)
