"""The schedule at AWS that removes a deployment's machine when it expires (`stacks/cloud_gpu/aws/program/expiry.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stacks._aws.session import Clients, code_of, understood

SUFFIX = "-expiry"
LONGEST = 64
"""Characters of a schedule's name (EventBridge Scheduler API reference)."""
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


def name(deployment: str) -> str:
    """Name a deployment's schedule, as the stack does it."""
    return f"{deployment[: LONGEST - len(SUFFIX)]}{SUFFIX}"


def written(at: datetime) -> str:
    """Write a time as the scheduler takes it: UTC, no offset."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def due(clients: Clients, deployment: str, seconds: float, now: str) -> str:
    """When a deployment's machine is removed as things stand; `seconds` from `now` (ISO 8601) if nothing says.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    moment = datetime.fromisoformat(now)
    with understood(f"read the schedule of {deployment}"):
        there = _asked(clients, deployment) or {}
    expression = str(there.get("ScheduleExpression", ""))
    held = expression.removeprefix("at(").removesuffix(")")
    if held > written(moment):
        return held
    return written(moment + timedelta(seconds=seconds))


def move(clients: Clients, deployment: str, until: float) -> None:
    """Move the schedule to `until` (seconds since 1970); a deployment whose policy has no expiry has none."""
    there = _asked(clients, deployment)
    if there is None:
        return
    expression = f"at({written(datetime.fromtimestamp(until, UTC))})"
    kept = {key: there[key] for key in KEPT if there.get(key) is not None}
    told = {**kept, "ScheduleExpression": expression, "State": "ENABLED"}
    clients("scheduler").update_schedule(**told)


def _asked(clients: Clients, deployment: str) -> Mapping[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        told: Mapping[str, Any] = clients("scheduler").get_schedule(Name=name(deployment))
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return told
