"""What AWS charges for, by Pulumi type. Pure.

Figures of what is included come from the price pages behind `catalog/data/aws_components.json`: gp3 includes
3000 IOPS and 125 MB/s; a public IPv4 address is charged whether attached or idle; the first 100 GB out to the
internet are free, once for the whole account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from deployer.cost.rule import (
    MONTH,
    Quantity,
    Rule,
    Setting,
    When,
    decimal,
    known,
    line,
    mapping,
)
from deployer.words import Item, Offer, Rate, Resource

GP3_IOPS, GP3_MB_S = Decimal(3000), Decimal(125)
FREE_EGRESS_GB = Decimal(100)
EGRESS_TIERS = (
    ("data-out-first-10tb", Decimal(10240)),
    ("data-out-next-40tb", Decimal(40960)),
    ("data-out-next-100tb", Decimal(102400)),
    ("data-out-over-150tb", Decimal("Infinity")),
)
DAYS_PER_MONTH = MONTH / 24
ONE = Decimal(1)


def _instance(resource: Resource, at: Setting) -> Iterator[Item]:
    inputs = resource.inputs
    hours = Quantity(MONTH, "hour")
    yield line(resource, "instance", hours, _instance_rate(inputs, at), "running")
    yield from _disk(resource, mapping(inputs, "rootBlockDevice"), ("volumeType", "volumeSize"), at)
    for disk in inputs.get("ebsBlockDevices") or ():
        yield from _disk(resource, disk, ("volumeType", "volumeSize"), at)
    if inputs.get("associatePublicIpAddress"):
        yield line(resource, "public IPv4", hours, at.rate("public-ipv4"), "running")
    yield from _egress(resource, at)


def _instance_rate(inputs: Mapping[str, Any], at: Setting) -> Rate:
    spot = mapping(inputs, "instanceMarketOptions").get("marketType") == "spot"
    billing, kind = ("spot" if spot else "on-demand"), inputs.get("instanceType")
    for offer in at.rates.offers("aws", at.region):
        if offer.instance_type == kind and offer.billing == billing:
            return _of(offer)
    return known("instance", "hour", None, f"no {billing} price of {kind} in {at.region}", None)


def _of(offer: Offer) -> Rate:
    return known("instance", "hour", offer.usd_per_hour, offer.source, offer.as_of)


def _volume(resource: Resource, at: Setting) -> Iterator[Item]:
    yield from _disk(resource, resource.inputs, ("type", "size"), at)


def _disk(
    resource: Resource, disk: Mapping[str, Any], keys: tuple[str, str], at: Setting
) -> Iterator[Item]:
    """A disk is paid for as long as it exists, whether its machine runs or not."""
    kind = disk.get(keys[0]) or "gp2"  # AWS's own default
    size = Quantity(decimal(disk.get(keys[1])), "GB-month")
    yield line(resource, f"{kind} storage", size, at.rate(f"ebs-{kind}-storage"), "exists")
    if kind == "gp3":
        yield from _above(resource, disk.get("iops"), GP3_IOPS, "IOPS", at)
        yield from _above(resource, disk.get("throughput"), GP3_MB_S, "throughput", at)


def _above(
    resource: Resource, value: Any, included: Decimal, what: str, at: Setting
) -> Iterator[Item]:
    more = (decimal(value) or included) - included
    if more > 0:
        rate = at.rate(f"ebs-gp3-{what.lower()}")
        yield line(resource, f"gp3 extra {what}", Quantity(more, rate.unit), rate, "exists")


def _egress(resource: Resource, at: Setting) -> Iterator[Item]:
    """Data out to the internet by tiers, after the free 100 GB (which the whole account shares)."""
    left = at.usage.egress_gb
    free = min(left, FREE_EGRESS_GB)
    rate = at.rate(EGRESS_TIERS[0][0])
    note = f"{rate.source}; the first 100 GB a month are free once per account"
    if left:
        none = replace(rate, usd=Decimal(0), source=note)
        yield line(resource, "data out, free", _estimated(free, "GB"), none, "used")
    left -= free
    for component, most in EGRESS_TIERS:
        if left <= 0:
            return
        part = min(left, most)
        name = component.replace("data-out-", "data out, ").replace("-", " ").replace("tb", " TB")
        yield line(resource, name, _estimated(part, "GB"), at.rate(component), "used")
        left -= part


def _estimated(amount: Decimal, unit: str) -> Quantity:
    return Quantity(amount, unit, basis="estimated")


def _secret(resource: Resource, at: Setting) -> Iterator[Item]:
    yield line(resource, "secret", Quantity(ONE, "secret-month"), at.rate("secret"), "exists")


def _log_group(resource: Resource, at: Setting) -> Iterator[Item]:
    """Ingestion follows the traffic; what is kept is paid on, for as long as it is retained.

    How much is logged is a rough estimate: half to twice of it is likely.
    """
    size = at.usage.log_gb
    made = Quantity(size, "GB", size / 2, size * 2, "estimated")
    yield line(resource, "log ingestion", made, at.rate("logs-ingestion"), "used")
    days = decimal(resource.inputs.get("retentionInDays")) or None
    kept = size * (days / DAYS_PER_MONTH) if days else None  # without end: it grows
    stored = Quantity(kept, "GB-month", basis="estimated")
    yield line(resource, "log storage", stored, at.rate("logs-storage"), "exists")


def _hours(component: str, rate: str, when: When = "exists") -> Rule:
    def rule(resource: Resource, at: Setting) -> Iterator[Item]:
        yield line(resource, component, Quantity(MONTH, "hour"), at.rate(rate), when)

    return rule


def _nat(resource: Resource, at: Setting) -> Iterator[Item]:
    yield from _hours("NAT gateway", "nat-hour")(resource, at)
    yield line(resource, "NAT data", Quantity(None, "GB"), at.rate("nat-data"), "used")


def _balancer(resource: Resource, at: Setting) -> Iterator[Item]:
    """Hours, one capacity unit at most at this traffic, and a public address in each subnet."""
    kind = "nlb" if resource.inputs.get("loadBalancerType") == "network" else "alb"
    yield from _hours("load balancer", f"{kind}-hour")(resource, at)
    units = Quantity.between(Decimal(0), MONTH, "LCU-hour")
    yield line(resource, "load balancer capacity", units, at.rate(f"{kind}-lcu"), "used")
    subnets = resource.inputs.get("subnets")
    if not resource.inputs.get("internal"):
        count = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
        yield line(
            resource, "public IPv4", Quantity(count, "hour"), at.rate("public-ipv4"), "exists"
        )


def _endpoint(resource: Resource, at: Setting) -> Iterator[Item]:
    """A gateway endpoint is free; an interface endpoint is paid in each of its zones."""
    if resource.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    subnets = resource.inputs.get("subnetIds")
    hours = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
    rate = at.rate("vpc-interface-endpoint")
    yield line(resource, "interface endpoint", Quantity(hours, "hour"), rate, "exists")


def _alarm(resource: Resource, at: Setting) -> Iterator[Item]:
    yield line(resource, "alarm", Quantity(ONE, "alarm-month"), at.rate("alarm"), "exists")


RULES: Mapping[str, Rule] = {
    "aws:ec2/instance:Instance": _instance,
    "aws:ebs/volume:Volume": _volume,
    "aws:ec2/eip:Eip": _hours("public IPv4", "public-ipv4"),
    "aws:ec2/natGateway:NatGateway": _nat,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
}

NETWORK, IDENTITY = "networks are free; data and addresses are not", "IAM is free"
FREE: Mapping[str, str] = {
    "pulumi:providers:aws": "a setting, not a thing",
    "aws:ec2/vpc:Vpc": NETWORK,
    "aws:ec2/subnet:Subnet": NETWORK,
    "aws:ec2/internetGateway:InternetGateway": NETWORK,
    "aws:ec2/routeTable:RouteTable": NETWORK,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": NETWORK,
    "aws:ec2/securityGroup:SecurityGroup": NETWORK,
    "aws:ec2/eipAssociation:EipAssociation": "the address is charged, not its use",
    "aws:iam/role:Role": IDENTITY,
    "aws:iam/rolePolicy:RolePolicy": IDENTITY,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": IDENTITY,
    "aws:iam/instanceProfile:InstanceProfile": IDENTITY,
    "aws:secretsmanager/secretVersion:SecretVersion": "charged with its secret",
    "aws:lb/listener:Listener": "charged with its load balancer",
    "aws:lb/targetGroup:TargetGroup": "charged with its load balancer",
}
