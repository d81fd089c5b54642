"""An EC2 instance as a machine that `deployer idle` decides on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deployer.providers.cloud import Machine
from deployer.providers.inventory import Found
from stacks._aws.tags import AwsTags
from stacks._aws.types.finding import TAG

NAME = "aws"
"""The provider whose offers price instances."""
GROUP = "aws:autoscaling:groupName"
STOPPED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


def machine(found: Found) -> Machine:
    """Read an instance that was found."""
    return described(found.details, found.region)


def described(told: Mapping[str, Any], region: str) -> Machine:
    """Read EC2's description of an instance. One-time spot instances can only be destroyed."""
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
    spot, group = told.get("InstanceLifecycle") == "spot", tags.get(GROUP)
    return Machine(
        id=told["InstanceId"],
        scope=region,
        deployment=tags.get(TAG, ""),
        provider=NAME,
        state=told["State"]["Name"],
        started_at=told["LaunchTime"].timestamp(),
        type=told["InstanceType"],
        spot=spot,
        address=bool(told.get("PublicIpAddress")),
        group=group,
        stopped_at=_stopped_at(told),
        made_at=_made_at(told),
        can_stop=group is not None or not spot,
        terms=AwsTags().read(tags),
    )


def _made_at(told: Mapping[str, Any]) -> float:
    """When it was first launched: LaunchTime is that of the last start, its disk was attached at the first."""
    attached = [
        d["Ebs"].get("AttachTime") for d in told.get("BlockDeviceMappings", ()) if "Ebs" in d
    ]
    times = [at.timestamp() for at in (*attached, told["LaunchTime"]) if at is not None]
    return float(min(times))


def _stopped_at(told: Mapping[str, Any]) -> float | None:
    """When it was stopped, which EC2 tells only in words: `User initiated (2026-11-23 01:00:00 GMT)`."""
    words = STOPPED_AT.search(told.get("StateTransitionReason") or "")
    if words is None:
        return None
    return datetime.strptime(words[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
