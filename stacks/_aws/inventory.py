"""What exists of a deployment on AWS, found without any state: by its tag, its path or its name, and told apart from
what only carries the tag (`stacks._aws.ownership`).

Every service is asked by itself, for the tagging API forgets roles, launch templates and groups.
What is about to end (a terminated instance) does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from deployer.providers.inventory import Found
from stacks._aws import ownership, types
from stacks._aws.session import Clients, understood
from stacks._aws.types import compute
from stacks._aws.types.finding import TAG
from stacks._aws.types.record import AWS, Tracked


def search(
    clients: Clients, deployment: str, provider: str = AWS, among: Sequence[Tracked] | None = None
) -> list[Found]:
    """Find everything of a deployment in a region, in the order of its removal.

    Args:
        clients: AWS's API in the region.
        deployment: its name.
        provider: whose deployment it is.
        among: the types that are looked for; None: all that the provider leaves something of.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    asked = types.of(provider) if among is None else among

    def found(of: Tracked) -> list[Found]:
        with understood(f"list what belongs to {deployment}"):
            return list(types.find(of.find[provider], clients, deployment))

    with ThreadPoolExecutor(len(asked)) as pool:
        return ownership.judged(one for each in pool.map(found, asked) for one in each)


def instances(clients: Clients, deployment: str) -> Iterator[Found]:
    """Yield the machines of a deployment that run, rest or are on their way to either; no other that has its tag."""
    for one in types.find(compute.instances, clients, deployment):
        if compute.may_be_of(one.details, deployment):
            yield one


def id_prefixes(clients: Clients) -> frozenset[str]:
    """What the ids of all that has the tag in a region begin with: one call of EC2's tells of every type."""
    asked = {"Filters": [{"Name": "key", "Values": [TAG]}]}
    pages = clients("ec2").get_paginator("describe_tags").paginate(**asked)
    return frozenset(one["ResourceId"].partition("-")[0] for page in pages for one in page["Tags"])
