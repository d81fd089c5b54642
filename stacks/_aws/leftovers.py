"""What AWS lists besides machines, as `deployer idle` judges it: by the record of its type. Pure."""

from __future__ import annotations

from deployer.providers.cloud import Leftover
from deployer.providers.inventory import Found
from stacks._aws.types import TRACKED
from stacks._aws.types.storage import VOLUME, ends_with_machine


def leftover(found: Found) -> Leftover:
    """Read what was found besides machines and what sleeps by itself."""
    known = TRACKED[found.type]
    return Leftover(
        found,
        lives=known.lives,
        everywhere=known.is_global,
        loose=known.is_loose(found.details),
        disk_of=_disk_of(found),
        ends=found.type == VOLUME and ends_with_machine(found.details),
    )


def _disk_of(found: Found) -> tuple[str, ...]:
    if found.type != VOLUME:
        return ()
    return tuple(one.get("InstanceId", "") for one in found.details.get("Attachments", ()))
