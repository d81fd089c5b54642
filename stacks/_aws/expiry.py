"""When a machine is removed whatever happens: the schedule that removes it, and the tag that says when.

The schedule is made with the stack (`stacks/cloud_gpu/aws/program/expiry.py`); here it is moved to a later time.
"""

from __future__ import annotations

from deployer.core.errors import UsageError
from stacks._aws import inventory, schedule
from stacks._aws.instances import EXPIRES_AT, expires_at, iso, machine
from stacks._aws.session import Clients, understood


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
        before = [t for t in map(expires_at, machines) if t is not None]
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
        machines = [machine(one) for one in inventory.instances(clients, deployment)]
        dated = [m.id for m in machines if EXPIRES_AT in m.tags]
        if dated:
            clients("ec2").delete_tags(Resources=dated, Tags=[{"Key": EXPIRES_AT}])


def nowhere(deployment: str) -> UsageError:
    """Return the error for a deployment that has no machine in any region that was asked."""
    return UsageError(
        f"no machine of '{deployment}' was found",
        hint="'deployer idle' lists what there is; 'deployer up' makes a new one",
    )
