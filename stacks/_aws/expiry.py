"""When a machine is removed whatever happens: the schedule that removes it, and the tag that says when.

The schedule is made with the stack (`stacks/cloud_gpu/aws/program/expiry.py`); here it is moved to a later time.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.clock import iso
from stacks._aws import inventory, schedule
from stacks._aws.instances import machine
from stacks._aws.session import Clients, understood
from stacks._aws.sweep import ClientsOf
from stacks._aws.tags import EXPIRES_AT


def extend(clients: Clients, deployment: str, at: float) -> str | None:
    """Let a deployment of this region live until `at` (seconds since 1970), never shorter than it would have.

    Returns:
        The time that now holds (ISO 8601, UTC), or None when the deployment has no machine here.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    with understood(f"extend {deployment}"):
        machines = [machine(one) for one in inventory.instances(clients, deployment)]
        if not machines:
            return None
        before = [one.expires_at for one in machines if one.expires_at is not None]
        until = max([at, *before])
        said = iso(until) or ""
        schedule.move(clients, deployment, until)
        clients("ec2").create_tags(
            Resources=[m.id for m in machines], Tags=[{"Key": EXPIRES_AT, "Value": said}]
        )
    return said


def lift(clients: Clients, deployment: str) -> None:
    """Let a deployment of this region live for ever: forget the time that its machines were given.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    with understood(f"lift the expiry of {deployment}"):
        machines = inventory.instances(clients, deployment)
        dated = [one.id for one in machines if EXPIRES_AT in one.tags]
        if dated:
            clients("ec2").delete_tags(Resources=dated, Tags=[{"Key": EXPIRES_AT}])


@dataclass(frozen=True)
class Schedules:
    """Fulfils `deployer.providers.cloud.Expiry`; scopes are regions."""

    clients_of: ClientsOf

    def extend(self, scope: str, deployment: str, until: float) -> str | None:
        """See `Expiry`."""
        return extend(self.clients_of(scope), deployment, until)

    def lift(self, scope: str, deployment: str) -> None:
        """See `Expiry`."""
        lift(self.clients_of(scope), deployment)
