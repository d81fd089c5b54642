"""What this tool knows of a type of AWS resource: how it is found, removed and charged. Pure.

There is one record for each type that a program makes, and none can be made without all of its parts. Search,
removal, what is left over and the bill derive from the records (`stacks._aws.types`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import IntEnum
from typing import Any

from deployer.core.records import dataclass
from deployer.planning.cost.rule import Rule
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.listing import Component

Find = Callable[[Clients, str | None], Iterator[Found]]
"""Yields what exists of one deployment in the region of the clients; None: of every deployment."""
Remove = Callable[[Clients, Found], None]
"""Removes one resource; `NotYetError` says that it is on its way, and to look again."""
Details = Mapping[str, Any]
"""AWS's own description of one resource."""


@dataclass(frozen=True)
class Family:
    """What was found of one deployment in one region, as far as it proves what made the rest.

    `networks` are the ids of the networks that the program made, `roots` the root disk's device of each of its
    machines, by id, `groups` the names of its groups of machines, `balancers` the ARNs of its load balancers.
    """

    deployment: str
    networks: frozenset[str] = frozenset()
    roots: Mapping[str, str] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    balancers: frozenset[str] = frozenset()


Proof = Callable[[Found, Family], bool]
"""Whether more than its tags shows that the program of the deployment made a resource."""

AWS, BEDROCK, SAGEMAKER = "aws", "bedrock", "sagemaker"
"""The providers whose programs run on AWS, by name."""


class NotYetError(Exception):
    """It is on its way: look again."""


class Stage(IntEnum):
    """When a type is removed: a lower stage first, for it needs or makes what comes later."""

    SCALING = 10
    SERVING = 20
    BALANCING = 30
    ATTACHED = 40
    NETWORK = 50
    IDENTITY = 60
    RECORDS = 70


def no_inputs(details: Details) -> Mapping[str, Any]:  # noqa: ARG001 - one signature for all
    """Return no inputs: the rule reads none."""
    return {}


def never(details: Details) -> bool:  # noqa: ARG001 - one signature for all
    """Say no: a resource of the type always belongs somewhere."""
    return False


def by_its_name(found: Found, family: Family) -> bool:  # noqa: ARG001 - one signature for all
    """Say yes: it is found under a name or a path that the program alone gives, never by a tag."""
    return True


def has_its_name(found: Found, family: Family) -> bool:
    """Whether it is called as the deployment is: there is but one of a name."""
    return found.name == family.deployment


def nothing_made(found: Found, family: Family) -> bool:  # noqa: ARG001 - one signature for all
    """Say no: no program makes one, so one that has the tag got it from elsewhere."""
    return False


def in_its_network(found: Found, family: Family) -> bool:
    """Whether it lies in a network that the program made."""
    return found.details.get("VpcId") in family.networks


@dataclass(frozen=True)
class Price:
    """A type that is charged for.

    Args:
        rule: the lines of its bill, from its inputs in Pulumi's words.
        inputs: the same inputs, as far as the rule reads them, from AWS's description of one that exists.
        listed: where AWS's price lists hold the prices that the rule reads. Each belongs to one type, whose
            bill it is foremost; another's rule may read it too.
    """

    rule: Rule
    inputs: Callable[[Details], Mapping[str, Any]] = no_inputs
    listed: Sequence[Component] = ()


@dataclass(frozen=True)
class Free:
    """A type that costs nothing, and why."""

    reason: str

    def __post_init__(self) -> None:
        """Insist on a reason."""
        _required(self.reason, "the reason why it is free")


@dataclass(frozen=True)
class ResourceType:
    """A type of resource, by Pulumi's name for it, and its part of the bill: `Tracked`, `PartOf` or `Untracked`."""

    pulumi_type: str
    bill: Price | Free

    def __post_init__(self) -> None:
        """Insist on every part: the annotations hold in code that nobody type-checks, too."""
        _required(self.pulumi_type, "its name")
        if type(self) is ResourceType:
            raise TypeError(f"{self.pulumi_type} must say whether it is found by itself")
        if not isinstance(self.bill, Price | Free):
            raise TypeError(f"{self.pulumi_type} lacks a price, or the reason why it is free")

    def inputs(self, details: Details) -> Mapping[str, Any]:
        """Return what the pricing rule reads of a resource that exists."""
        return self.bill.inputs(details) if isinstance(self.bill, Price) else {}


@dataclass(frozen=True)
class Tracked(ResourceType):
    """A type that is found and removed by itself.

    Args:
        find: how, by the provider whose program makes it.
        remove: how one of it is removed.
        proof: what shows, besides a tag that may have been copied, that the program made one.
        stage: when; within a stage, in the order of the records.
        sweep: finds it for all deployments of a region at once; two types may share one. None: it is not swept.
        found_as: its name where it is found, if it is not Pulumi's.
        id_prefix: how EC2's ids of it begin: one call tells whether a region has any at all.
        is_global: the same in every region.
        lives: a deployment is there while one of this type is.
        is_loose: whether one hangs on nothing although it should.
        is_resumed: the next `up` goes on with one that the state does not know.
    """

    find: Mapping[str, Find]
    remove: Remove
    stage: Stage
    proof: Proof
    sweep: Find | None = None
    found_as: str | None = None
    id_prefix: str | None = None
    is_global: bool = False
    lives: bool = False
    is_loose: Callable[[Details], bool] = never
    is_resumed: bool = False

    def __post_init__(self) -> None:
        """Insist on at least one way to find it."""
        super().__post_init__()
        _required(self.find, f"how {self.pulumi_type} is found")
        _required(self.proof, f"what proves that {self.pulumi_type} was made by it")

    @property
    def found_type(self) -> str:
        """Its name where it is found."""
        return self.found_as or self.pulumi_type


def rented(
    pulumi_type: str,
    bill: Price | Free,
    find: Find,
    remove: Remove,
    stage: Stage,
    proof: Proof,
    **more: Any,
) -> Tracked:
    """Return the record of a type that only rented machines are made of; it is swept as it is found."""
    return Tracked(pulumi_type, bill, {AWS: find}, remove, stage, proof, sweep=find, **more)


@dataclass(frozen=True)
class PartOf(ResourceType):
    """A type that is never found by itself: it ends with a resource of the type `owner`."""

    owner: str

    def __post_init__(self) -> None:
        """Insist on the owner."""
        super().__post_init__()
        _required(self.owner, f"what {self.pulumi_type} ends with")


@dataclass(frozen=True)
class Untracked(ResourceType):
    """A type that is neither found nor removed without a state, and why."""

    reason: str

    def __post_init__(self) -> None:
        """Insist on the reason."""
        super().__post_init__()
        _required(self.reason, f"why {self.pulumi_type} is not found")


def _required(value: object, what: str) -> None:
    if not value:
        raise ValueError(f"a resource type must say {what}")
