"""What AWS lists besides machines, as `deployer idle` judges and prices it. Pure."""

from __future__ import annotations

from deployer.providers.cloud import Leftover
from deployer.providers.inventory import Found
from stacks._aws import types
from stacks._aws.sweep import EVERYWHERE
from stacks._aws.types.storage import VOLUME


def leftover(found: Found) -> Leftover:
    """Read what was found besides machines and what sleeps by itself."""
    record = types.TRACKED[found.type]
    attached = found.details.get("Attachments", ()) if found.type == VOLUME else ()
    return Leftover(
        found,
        lives=record.lives,
        everywhere=record.is_global or found.region == EVERYWHERE,
        loose=record.is_loose(found.details),
        disk_of=tuple(one.get("InstanceId", "") for one in attached),
    )
