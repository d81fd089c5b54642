"""What AWS lists besides machines, as `deployer idle` judges and prices it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from deployer.providers.cloud import Leftover
from deployer.providers.inventory import Found
from stacks._aws import inventory
from stacks._aws.sweep import EVERYWHERE

FREE_HERE = frozenset(
    {
        inventory.TEMPLATE,
        inventory.GROUP,
        inventory.SCHEDULE,
        inventory.RECEIVERS,
        inventory.INTERFACE,
        inventory.CERTIFICATE,
        inventory.BUDGET,
    }
)
"""Types that cost nothing while nothing runs, whether or not a stack prices them."""
GLOBAL = frozenset({inventory.ROLE, inventory.PROFILE, inventory.BUDGET})
"""Types that are the same in every region."""
GIB = Decimal(2**30)


def leftover(found: Found) -> Leftover:
    """Read what was found besides machines and what sleeps by itself."""
    return Leftover(
        replace(found, inputs=_inputs(found)),
        lives=found.type == inventory.GROUP,
        everywhere=found.type in GLOBAL or found.region == EVERYWHERE,
        loose=_loose(found),
        disk_of=_disk_of(found),
        free=found.type in FREE_HERE,
        stored=_stored(found),
    )


def _disk_of(found: Found) -> tuple[str, ...]:
    if found.type != inventory.VOLUME:
        return ()
    return tuple(one.get("InstanceId", "") for one in found.details.get("Attachments", ()))


def _loose(found: Found) -> bool:
    """Whether it hangs on nothing although it should."""
    if found.type == inventory.VOLUME:
        return found.details.get("State") == "available"
    held = found.details.get("AssociationId") or found.details.get("InstanceId")
    return found.type == inventory.ADDRESS and not held


def _stored(found: Found) -> dict[str, Decimal]:
    if found.type != inventory.LOGS:
        return {}
    return {"logs-storage": Decimal(found.details.get("storedBytes", 0)) / GIB}


def _inputs(found: Found) -> Mapping[str, Any]:
    """Its inputs in Pulumi's words, as far as a price depends on them."""
    told = found.details
    if found.type == inventory.VOLUME:
        return {
            "type": told.get("VolumeType"),
            "size": told.get("Size"),
            "iops": told.get("Iops"),
            "throughput": told.get("Throughput"),
        }
    if found.type == inventory.ENDPOINT:
        return {
            "vpcEndpointType": told.get("VpcEndpointType", "Gateway"),
            "subnetIds": list(told.get("SubnetIds", ())),
        }
    return found.inputs
