"""Roles, the profiles that give them to machines, and secrets."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import Quantity, Setting, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.finding import TAG, belongs, by_tags, tags_of
from stacks._aws.types.listing import Component
from stacks._aws.types.record import (
    AWS,
    BEDROCK,
    SAGEMAKER,
    Family,
    Find,
    Free,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Tracked,
    by_its_name,
    rented,
)
from stacks._aws.types.removing import one_call

SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
ROLE = "aws:iam/role:Role"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"

FREE = Free("IAM is free")
SECRET_MONTH = Component(
    "secret", "AWSSecretsManager", "AWSSecretsManager-Secrets", {"secrets": "1"}
)


def _iam(kind: str, operation: str, key: str, identity: str) -> Find:
    """IAM has no search by tag; what belongs to a deployment lies under a path of its own."""

    def find(clients: Clients, deployment: str | None) -> Iterator[Found]:
        below = f"/deployer/{deployment}/" if deployment else "/deployer/"
        for page in clients("iam").get_paginator(operation).paginate(PathPrefix=below):
            for one in page[key]:
                if one["Path"].startswith(below):  # an emulator may not look at the prefix
                    owner = one["Path"].split("/")[2]
                    yield Found(kind, one[identity], one[identity], owner, clients.region, one)

    return find


def _delete_role(clients: Clients, one: Found) -> None:
    client = clients("iam")
    for policy in client.list_attached_role_policies(RoleName=one.id)["AttachedPolicies"]:
        client.detach_role_policy(RoleName=one.id, PolicyArn=policy["PolicyArn"])
    for name in client.list_role_policies(RoleName=one.id)["PolicyNames"]:
        client.delete_role_policy(RoleName=one.id, PolicyName=name)
    for profile in client.list_instance_profiles_for_role(RoleName=one.id)["InstanceProfiles"]:
        client.remove_role_from_instance_profile(
            RoleName=one.id, InstanceProfileName=profile["InstanceProfileName"]
        )
    client.delete_role(RoleName=one.id)


def _delete_profile(clients: Clients, one: Found) -> None:
    client = clients("iam")
    told = client.get_instance_profile(InstanceProfileName=one.id)["InstanceProfile"]
    for role in told["Roles"]:
        client.remove_role_from_instance_profile(
            RoleName=role["RoleName"], InstanceProfileName=one.id
        )
    client.delete_instance_profile(InstanceProfileName=one.id)


def _secrets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("secretsmanager").get_paginator("list_secrets")
    for page in pages.paginate(Filters=[{"Key": "tag-key", "Values": [TAG]}]):
        for one in page["SecretList"]:
            if belongs(tags_of(one), deployment) and "DeletedDate" not in one:
                yield by_tags(clients, SECRET, one, "ARN", one["Name"])


def _secret(resource: Resource, at: Setting) -> Iterator[Item]:
    month = Quantity(Decimal(1), "secret-month")
    yield line(resource, "secret", month, at.rate("secret"), "exists")


def _secret_is_ours(found: Found, family: Family) -> bool:
    return found.name == f"deployer/{family.deployment}"


_roles = _iam(ROLE, "list_roles", "Roles", "RoleName")

TYPES: tuple[ResourceType, ...] = (
    rented(
        PROFILE,
        FREE,
        _iam(PROFILE, "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
        _delete_profile,
        Stage.IDENTITY,
        by_its_name,
        is_global=True,
    ),
    Tracked(
        ROLE,
        FREE,
        dict.fromkeys((AWS, BEDROCK, SAGEMAKER), _roles),
        _delete_role,
        Stage.IDENTITY,
        by_its_name,
        sweep=_roles,
        is_global=True,
    ),
    PartOf("aws:iam/rolePolicy:RolePolicy", FREE, owner=ROLE),
    PartOf("aws:iam/rolePolicyAttachment:RolePolicyAttachment", FREE, owner=ROLE),
    rented(
        SECRET,
        Price(_secret, listed=[SECRET_MONTH]),
        _secrets,
        one_call("secretsmanager", "delete_secret", "SecretId", ForceDeleteWithoutRecovery=True),
        Stage.RECORDS,
        _secret_is_ours,
    ),
    PartOf(
        "aws:secretsmanager/secretVersion:SecretVersion",
        Free("charged with its secret"),
        owner=SECRET,
    ),
)
