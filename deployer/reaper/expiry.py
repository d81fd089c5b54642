"""When a machine is removed whatever happens: the schedule that removes it, and the tag that says when.

The schedule is made with the stack (`stacks/cloud_gpu/_aws/expiry.py`); here it is moved to a later time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deployer.cloud import search
from deployer.cloud.session import Clients, code_of, understood
from deployer.errors import UsageError
from deployer.reaper.machines import EXPIRES_AT, expires_at, iso, machine
from deployer.reaper.sweep import EXPIRY

KEPT = (
    "ActionAfterCompletion",
    "Description",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpressionTimezone",
    "State",
    "Target",
)
"""What UpdateSchedule forgets unless it is told again (EventBridge Scheduler API reference)."""


def schedule_name(deployment: str) -> str:
    """Name the schedule that removes a deployment's machine: 64 characters at most, as the stack does it."""
    return f"{deployment[: 64 - len(EXPIRY)]}{EXPIRY}"


def extend(clients: Clients, deployment: str, at: float) -> str | None:
    """Let a deployment of this region live until `at` (seconds since 1970), never shorter than it would have.

    Returns:
        The time that now holds (ISO 8601, UTC), or None when the deployment has no machine here.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        EngineError: AWS failed.
    """
    with understood(f"extend {deployment}"):
        machines = [machine(one) for one in search.instances(clients, deployment)]
        if not machines:
            return None
        before = [t for t in map(expires_at, machines) if t is not None]
        until = max([at, *before])
        said = iso(until) or ""
        _move(clients, deployment, until)
        clients("ec2").create_tags(
            Resources=[m.id for m in machines], Tags=[{"Key": EXPIRES_AT, "Value": said}]
        )
    return said


def _move(clients: Clients, deployment: str, until: float) -> None:
    """Move the schedule; a deployment whose policy has no expiry has none."""
    client, name = clients("scheduler"), schedule_name(deployment)
    old = _schedule(client, name)
    if old is None:
        return
    expression = f"at({datetime.fromtimestamp(until, UTC):%Y-%m-%dT%H:%M:%S})"
    kept = {key: old[key] for key in KEPT if old.get(key) is not None}
    client.update_schedule(**{**kept, "ScheduleExpression": expression, "State": "ENABLED"})


def _schedule(client: Any, name: str) -> Mapping[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        told: Mapping[str, Any] = client.get_schedule(Name=name)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return told


def nowhere(deployment: str) -> UsageError:
    """Return the error for a deployment that has no machine in any region that was asked."""
    return UsageError(
        f"no machine of '{deployment}' was found",
        hint="'deployer idle' lists what there is; 'deployer up' makes a new one",
    )
