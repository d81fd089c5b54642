"""What the searches of several types share: the tag, EC2's filter by it, and what a description says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.record import Find

TAG = "deployer:deployment"


def tag_filter(deployment: str | None) -> dict[str, Any]:
    """Return EC2's filter for what belongs to a deployment; None: to any."""
    if deployment is None:
        return {"Name": "tag-key", "Values": [TAG]}
    return {"Name": f"tag:{TAG}", "Values": [deployment]}


def belongs(tags: Mapping[str, str], deployment: str | None) -> bool:
    """Whether something with these tags belongs to a deployment; None: to any."""
    return tags.get(TAG) == deployment if deployment else TAG in tags


def tags_of(one: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a description, by key."""
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}


def by_tags(
    clients: Clients, kind: str, one: Mapping[str, Any], identity: str, name: str | None = None
) -> Found:
    """Make what was found of a description whose tags name the deployment; `identity` is the key of its id."""
    tags, key = tags_of(one), one[identity]
    named = name or tags.get("Name") or key
    return Found(kind, key, named, tags.get(TAG, ""), clients.region, one, tags)


def by_name(
    clients: Clients,
    kind: str,
    identity: str,
    deployment: str | None,
    details: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> Found:
    """Make what was found under a deployment's own name."""
    name = identity.rpartition("/")[2]
    return Found(kind, identity, name, str(deployment), clients.region, details, tags or {})


def described(
    clients: Clients, operation: str, key: str, deployment: str | None, **more: Any
) -> Iterator[Mapping[str, Any]]:
    """Yield EC2's descriptions of what has the tag, page by page where EC2 has pages; `more` is asked besides."""
    client = clients("ec2")
    asked = {"Filters": [tag_filter(deployment)], **more}
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**asked):
            yield from page[key]
    else:
        yield from getattr(client, operation)(**asked)[key]


def ec2(kind: str, operation: str, key: str, identity: str, **more: Any) -> Find:
    """Return the search for a type of EC2 that is filtered by its tag; what is being deleted does not exist."""

    def find(clients: Clients, deployment: str | None) -> Iterator[Found]:
        for one in described(clients, operation, key, deployment, **more):
            if str(one.get("State", "")).lower() not in ("deleted", "deleting"):
                yield by_tags(clients, kind, one, identity)

    return find
