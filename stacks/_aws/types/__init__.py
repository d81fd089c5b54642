"""Every type of AWS resource that this tool makes or finds, each one record of its family's module.

A new type is one entry: what it costs, how it is found and removed, and when. All else derives from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types import (
    balancing,
    bedrock,
    compute,
    identity,
    network,
    observing,
    sagemaker,
    scheduling,
    storage,
)
from stacks._aws.types.record import Find, ResourceType, Tracked

TYPES: tuple[ResourceType, ...] = (
    *compute.TYPES,
    *network.TYPES,
    *storage.TYPES,
    *balancing.TYPES,
    *identity.TYPES,
    *sagemaker.TYPES,
    *bedrock.TYPES,
    *observing.TYPES,
    *scheduling.TYPES,
)

TRACKED: Mapping[str, Tracked] = {
    one.found_type: one
    for one in sorted((t for t in TYPES if isinstance(t, Tracked)), key=lambda t: t.stage)
}
"""What is found by itself, by the name that it is found under, in the order in which it can be removed."""


def of(provider: str) -> tuple[Tracked, ...]:
    """The types that a provider's deployments leave something of, in the order in which they can be removed."""
    return tuple(one for one in TRACKED.values() if provider in one.find)


def find(by: Find, clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Yield what one search finds, each with what pricing it needs."""
    for one in by(clients, deployment):
        yield replace(one, inputs=TRACKED[one.type].inputs(one.details))
