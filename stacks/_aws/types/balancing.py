"""Load balancers, their target groups, and the certificates and names that they answer with."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Setting, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.charging import hourly
from stacks._aws.types.finding import TAG, belongs, by_tags, tags_of
from stacks._aws.types.listing import HOURS, Component
from stacks._aws.types.record import (
    Family,
    Find,
    Free,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Untracked,
    in_its_network,
    rented,
)
from stacks._aws.types.removing import one_call

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
RECEIVERS = "aws:lb/targetGroup:TargetGroup"
CERTIFICATE = "aws:acm/certificate:Certificate"

WITH_BALANCER = Free("charged with its load balancer")


def _balancer(resource: Resource, at: Setting) -> Iterator[Item]:
    """Hours, one capacity unit at most at this traffic, and a public address in each subnet."""
    kind = "nlb" if resource.inputs.get("loadBalancerType") == "network" else "alb"
    yield from hourly("load balancer", f"{kind}-hour")(resource, at)
    units = Quantity.between(Decimal(0), MONTH, "LCU-hour")
    yield line(resource, "load balancer capacity", units, at.rate(f"{kind}-lcu"), "used")
    subnets = resource.inputs.get("subnets")
    if not resource.inputs.get("internal"):
        count = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
        yield line(
            resource, "public IPv4", Quantity(count, "hour"), at.rate("public-ipv4"), "exists"
        )


def _listed(kind: str, short: str) -> tuple[Component, Component]:
    only = {"Product Family": (f"Load Balancer-{kind}",)}
    return (
        Component(f"{short}-hour", "AWSELB", "LoadBalancerUsage", HOURS, only),
        Component(f"{short}-lcu", "AWSELB", "LCUUsage", {"lcu-hrs": "1", **HOURS}, only),
    )


def _elb(kind: str, operation: str, key: str, identity: str) -> Find:
    """Load balancers and their target groups: there is no filter, so the tags of all are read."""

    def find(clients: Clients, deployment: str | None) -> Iterator[Found]:
        client = clients("elbv2")
        for page in client.get_paginator(operation).paginate():
            listed = {one[identity]: one for one in page[key]}
            arns = list(listed)
            for start in range(0, len(arns), 20):  # the most that may be asked at once
                told = client.describe_tags(ResourceArns=arns[start : start + 20])
                for one in told["TagDescriptions"]:
                    tags = tags_of(one)
                    if belongs(tags, deployment):
                        arn = one["ResourceArn"]
                        name = arn.split("/")[-2]
                        details = listed.get(arn, {})
                        yield Found(kind, arn, name, tags[TAG], clients.region, details, tags)

    return find


def _certificates(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """By the one service that searches by tag: Certificate Manager itself tells the tags of one at a time."""
    wanted = {"Key": TAG, "Values": [deployment]} if deployment else {"Key": TAG}
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[wanted], ResourceTypeFilters=["acm:certificate"]):
        for one in page["ResourceTagMappingList"]:
            if belongs(tags_of(one), deployment):
                asked = {"CertificateArn": one["ResourceARN"]}
                told = clients("acm").describe_certificate(**asked)["Certificate"]
                yield by_tags(clients, CERTIFICATE, {**told, **one}, "ResourceARN")


def _certificate_is_ours(found: Found, family: Family) -> bool:
    """One that the deployment's authority has signed, or that its own load balancer answers with."""
    if found.details.get("Issuer") == f"deployer {family.deployment}"[:64]:
        return True
    used = set(found.details.get("InUseBy", ()))
    return bool(used) and used <= family.balancers


TYPES: tuple[ResourceType, ...] = (
    rented(
        BALANCER,
        Price(_balancer, listed=[*_listed("Application", "alb"), *_listed("Network", "nlb")]),
        _elb(BALANCER, "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        one_call("elbv2", "delete_load_balancer", "LoadBalancerArn"),
        Stage.BALANCING,
        in_its_network,
    ),
    PartOf("aws:lb/listener:Listener", WITH_BALANCER, owner=BALANCER),
    rented(
        RECEIVERS,
        WITH_BALANCER,
        _elb(RECEIVERS, "describe_target_groups", "TargetGroups", "TargetGroupArn"),
        one_call("elbv2", "delete_target_group", "TargetGroupArn"),
        Stage.BALANCING,
        in_its_network,
    ),
    rented(
        CERTIFICATE,
        Free("certificates for load balancers are free"),
        _certificates,
        one_call("acm", "delete_certificate", "CertificateArn"),
        Stage.BALANCING,
        _certificate_is_ours,
    ),
    PartOf(
        "aws:acm/certificateValidation:CertificateValidation",
        Free("a check, not a thing"),
        owner=CERTIFICATE,
    ),
    Untracked(
        "aws:route53/record:Record",
        Free("charged with its zone, which already exists"),
        reason="records have no tags, and their names are those of your own domain",
    ),
)
