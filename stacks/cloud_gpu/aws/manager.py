"""Look after a deployment on AWS: what is there, where it answers, its log, its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deployer.core.deployment import Deployment
from deployer.providers.inventory import Found
from deployer.providers.managers import MachineUsage, Say
from deployer.running.stack.manager import StackManager
from stacks._aws import inventory, logs
from stacks._aws.account import Account
from stacks._aws.instances import machine
from stacks._aws.machine_control import Instances
from stacks._aws.session import Clients, Session, in_region


class MachineManager(StackManager):
    """Fulfils `deployer.providers.managers.Manager`, `.SupportsLookup` and `.ReportsUsage` for rented machines."""

    def __init__(self, provider: Any, home: Path, say: Say = lambda _: None) -> None:
        super().__init__(provider, home, say)
        self._clients: dict[str, Session] = {}

    def things(self, deployment: str) -> Account:
        """What exists of it, by its tags."""
        return Account(self.clients(deployment), deployment)

    def clients(self, deployment: str, region: str | None = None) -> Clients:
        """The API of a region: as given, else that of the deployment's record, else the user's own."""
        record = self.record(deployment)
        made = in_region(region or self.region or (record.region if record else None))
        return self._clients.setdefault(made.region, made)

    def alive(self, deployment: str) -> bool:
        """Whether a machine of it runs or is on its way."""
        return any(_state(one) in ("pending", "running") for one in self.machines(deployment))

    def machines(self, deployment: str) -> list[Found]:
        """Its machines, resting ones too."""
        from stacks._aws.session import understood

        with understood(f"list the instances of {deployment}"):
            return list(inventory.instances(self.clients(deployment), deployment))

    def usage(self, record: Deployment, now: float) -> MachineUsage:
        """What AWS says of its machines besides their state, see `ReportsUsage`."""
        from deployer.running.reaper import lifetime

        clients = self.clients(record.name)
        machines = [machine(one) for one in self.machines(record.name)]
        control = Instances(lambda _: clients)
        return lifetime.usage(control, clients.region, record, machines, now)

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Its log group; while that is empty, the console of its machine."""
        clients = self.clients(deployment)
        first = next((one.id for one in self.machines(deployment)), None)
        group = f"/deployer/{deployment}"
        yield from logs.lines(clients, group, first, follow=follow, tail=tail)

    def endpoint(self, record: Deployment) -> str | None:
        """Where it answers now: a machine that was stopped and started has a new address."""
        return moved(record, self.machines(record.name))


def _state(one: Found) -> str:
    return str(one.details.get("State", {}).get("Name", ""))


def moved(record: Deployment, machines: Sequence[Found]) -> str | None:
    """A record's endpoint with the address that its one machine has now; a name or a fleet's stays as it is.

    A machine that rests has no address: an endpoint that was noted then has none either.
    """
    if record.endpoint is None or not record.outputs.get("instance_id"):
        return record.endpoint
    parts = urlsplit(record.endpoint)
    addresses = [one.details.get("PublicIpAddress") for one in machines]
    now = next((a for a in addresses if a), None)
    named = (parts.hostname or "0").replace(".", "")
    if now is None or not named.isdigit():
        return record.endpoint
    place = now if parts.port is None else f"{now}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place))
