"""What of all that carries the tag of a deployment was made by its program, whose it is, and since when. Pure.

A tag is no proof: it is copied with a disk, an image, a machine, a template. What shows that the program made something
is what it was made with and cannot be given later: a name or a path that is the program's alone, a role, a network and
its addresses. Each type says what that is for it (`stacks._aws.types.record.Tracked.proof`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployer.providers import state_tag
from deployer.providers.inventory import Found
from stacks._aws.types import TRACKED
from stacks._aws.types.balancing import BALANCER
from stacks._aws.types.compute import GROUP, INSTANCE
from stacks._aws.types.network import VPC
from stacks._aws.types.record import Family

OWNER, STATE = "deployer:owner", "deployer:state"
BORN = (
    "CreateTime",
    "CreatedTime",
    "CreateDate",
    "CreationDate",
    "CreatedDate",
    "CreationTime",
    "creationTime",
    "StartTime",
    "CreatedAt",
    "ImportedAt",
    "LaunchTime",
)
"""Where AWS's descriptions say when something was made; a machine's last start counts for want of its first."""
MILLISECONDS = 1000.0


def judged(found: Iterable[Found]) -> list[Found]:
    """Say of each whether it is `ours`, who made it and when; of many deployments and regions at once."""
    listed = [_dated(one) for one in found]
    places: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for one in listed:
        places[one.deployment, one.region].append(one)
    families = {place: family(place[0], there) for place, there in places.items()}
    return [
        replace(one, ours=_is_ours(one, families[one.deployment, one.region])) for one in listed
    ]


def family(deployment: str, found: Sequence[Found]) -> Family:
    """Gather what proves where the rest belongs, of all that was found of a deployment in a region.

    What has proved itself counts for what depends on it: networks and groups come before machines, these before disks.
    """
    known = Family(deployment)

    def proven(kind: str) -> list[Found]:
        return [one for one in found if one.type == kind and _is_ours(one, known)]

    known = replace(known, networks=frozenset(one.id for one in proven(VPC)))
    known = replace(known, groups=frozenset(one.id for one in proven(GROUP)))
    known = replace(known, balancers=frozenset(one.id for one in proven(BALANCER)))
    roots = {one.id: str(one.details.get("RootDeviceName", "")) for one in proven(INSTANCE)}
    return replace(known, roots=roots)


def _is_ours(one: Found, known: Family) -> bool:
    return TRACKED[one.type].proof(one, known)


def _dated(one: Found) -> Found:
    state = one.tags.get(STATE)
    return replace(
        one,
        owner=one.tags.get(OWNER),
        made_at=born(one.details),
        state=state_tag.read(state) if state else None,
    )


def born(details: Mapping[str, Any]) -> float | None:
    """Return when AWS says that something was made, in seconds since 1970; None where it does not."""
    told = (details.get(key) for key in BORN)
    return next((_seconds(at) for at in told if at is not None), None)


def _seconds(at: Any) -> float | None:
    if isinstance(at, datetime):
        return at.timestamp()
    if isinstance(at, int | float):
        return at / MILLISECONDS
    try:
        return datetime.fromisoformat(str(at)).timestamp()
    except ValueError:
        return None
