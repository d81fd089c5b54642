"""An EC2 instance as a machine that `deployer idle` decides on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deployer.providers.cloud import Machine
from deployer.providers.inventory import Found
from stacks._aws.ownership import OWNER
from stacks._aws.tags import AwsTags
from stacks._aws.types.compute import MADE_BY, may_be_of
from stacks._aws.types.finding import TAG, tags_of

NAME = "aws"
"""The provider whose offers price instances."""
AMAZON = "amazon"
"""Who owns the addresses that a machine is lent while it runs."""
STOPPED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


def machine(found: Found) -> Machine:
    """Read an instance that was found."""
    return replace(described(found.details, found.region), ours=found.ours, owner=found.owner)


def described(told: Mapping[str, Any], region: str) -> Machine:
    """Read EC2's description of an instance. One-time spot instances, and those of a group, can only be destroyed."""
    tags = tags_of(told)
    spot, group = told.get("InstanceLifecycle") == "spot", tags.get(MADE_BY)
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
        address_stays=_address_stays(told),
        group=group,
        stopped_at=_stopped_at(told),
        made_at=_made_at(told),
        can_stop=group is None and not spot,
        terms=AwsTags().read(tags),
        ours=may_be_of(told, tags.get(TAG, "")),
        owner=tags.get(OWNER),
    )


def _address_stays(told: Mapping[str, Any]) -> bool:
    """Whether it has an address that is reserved: it keeps that, and pays for it, while it is stopped.

    AWS takes an address of its own back when a machine stops; the association of one says who owns it.
    """
    if not told.get("PublicIpAddress"):
        return False
    if told["State"]["Name"] in ("stopping", "stopped"):
        return True
    used = [one.get("Association", {}) for one in told.get("NetworkInterfaces", ())]
    return any(one.get("IpOwnerId", AMAZON) != AMAZON for one in used)


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
