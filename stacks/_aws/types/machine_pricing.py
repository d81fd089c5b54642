"""What AWS charges for a machine: hours, disks, address, data out; alone or in a fleet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from deployer.core.domain import Item, Rate, Resource
from deployer.core.records import dataclass
from deployer.planning.cost.rule import (
    MONTH,
    Quantity,
    Setting,
    When,
    decimal,
    line,
    mapping,
)
from stacks._aws.types.listing import GB, Component

GP3_IOPS, GP3_MB_S = Decimal(3000), Decimal(125)
FREE_EGRESS_GB = Decimal(100)
EGRESS_TIERS = (
    ("data-out-first-10tb", Decimal(10240)),
    ("data-out-next-40tb", Decimal(40960)),
    ("data-out-next-100tb", Decimal(102400)),
    ("data-out-over-150tb", Decimal("Infinity")),
)
TRANSFER = {"Transfer Type": ("AWS Outbound",), "To Location": ("External",)}
LISTED_ENDS = ("10240", "51200", "153600", "Inf")
"""Where each tier of data out ends in the price list (in GB), which is how it is told there."""
DATA_OUT = tuple(
    Component(
        tier, "AWSDataTransfer", "DataTransfer-Out-Bytes", GB, {**TRANSFER, "EndingRange": (end,)}
    )
    for (tier, _), end in zip(EGRESS_TIERS, LISTED_ENDS, strict=True)
)
WATCHED = "deployer:idle-after"
"""A machine with this tag tells its idle time as a metric of its own, every minute. The calls are within
CloudWatch's million free ones a month for up to 22 machines."""


@dataclass(frozen=True)
class Many:
    """How many machines there are, at least and at most, and when their disks are paid."""

    least: Decimal = Decimal(1)
    most: Decimal = Decimal(1)
    disks: When = "exists"

    def of(self, each: Decimal | None, unit: str) -> Quantity:
        """Return the quantity of them all: a range where their number is one."""
        if each is None or self.least == self.most:
            return Quantity(None if each is None else each * self.most, unit)
        return Quantity.between(each * self.least, each * self.most, unit)


ALONE = Many()


def instance(resource: Resource, at: Setting) -> Iterator[Item]:
    """One machine."""
    yield from _machines(resource, resource.inputs, at, ALONE)


def fleet(resource: Resource, at: Setting) -> Iterator[Item]:
    """The machines of an auto-scaling group, made of the launch template that stands beside it."""
    inputs = resource.inputs
    least, most = decimal(inputs.get("minSize")), decimal(inputs.get("maxSize"))
    if most == 0:
        return
    template = _template(inputs, at)
    mapped = template.get("blockDeviceMappings") or [{}]
    interfaces = template.get("networkInterfaces") or [{}]
    one = {
        "instanceType": template.get("instanceType"),
        "instanceMarketOptions": mapping(template, "instanceMarketOptions"),
        "rootBlockDevice": mapping(mapped[0], "ebs"),
        "associatePublicIpAddress": str(interfaces[0].get("associatePublicIpAddress")).lower()
        == "true",
        "tags": {tag.get("key"): tag.get("value") for tag in inputs.get("tags") or ()},
    }
    many = Many(least or Decimal(0), most or Decimal(1), "running")
    yield from _machines(resource, one, at, many)


def _template(inputs: Mapping[str, Any], at: Setting) -> Mapping[str, Any]:
    """The template that a group names, or the only one there is (its id is not known before it exists)."""
    there = [r for r in at.resources if r.type == "aws:ec2/launchTemplate:LaunchTemplate"]
    named = mapping(inputs, "launchTemplate").get("id")
    found = [r for r in there if named == f"${{{r.name}.id}}"] or there
    return found[0].inputs if len(found) == 1 else {}


def _machines(
    resource: Resource, inputs: Mapping[str, Any], at: Setting, many: Many
) -> Iterator[Item]:
    hours = many.of(MONTH, "hour")
    yield line(resource, "instance", hours, _instance_rate(inputs, at), "running")
    yield from _disk(resource, mapping(inputs, "rootBlockDevice"), at, many)
    for disk in inputs.get("ebsBlockDevices") or ():
        yield from _disk(resource, disk, at, many)
    if inputs.get("associatePublicIpAddress"):
        yield line(resource, "public IPv4", hours, at.rate("public-ipv4"), "running")
    if WATCHED in mapping(inputs, "tags"):
        metrics = many.of(Decimal(1), "metric-month")
        yield line(resource, "metric of idle time", metrics, at.rate("metric"), "running")
    yield from _egress(resource, at)


def _instance_rate(inputs: Mapping[str, Any], at: Setting) -> Rate:
    spot = mapping(inputs, "instanceMarketOptions").get("marketType") == "spot"
    billing, kind = ("spot" if spot else "on-demand"), inputs.get("instanceType")
    for offer in at.rates.offers("aws", at.region):
        if offer.instance_type == kind and offer.billing == billing:
            return Rate("instance", "hour", offer.usd_per_hour, offer.source, offer.as_of)
    return Rate("instance", "hour", None, f"no {billing} price of {kind} in {at.region}", None)


TRACKING = "TargetTrackingScaling"


def scaling(resource: Resource, at: Setting) -> Iterator[Item]:
    """Scaling a group is free; to track a target it makes two alarms, one for each direction."""
    if resource.inputs.get("policyType", TRACKING) == TRACKING:
        two = Quantity(Decimal(2), "alarm-month")
        yield line(resource, "alarms of scaling", two, at.rate("alarm"), "exists")


def volume(resource: Resource, at: Setting) -> Iterator[Item]:
    """A disk by itself."""
    yield from _disk(resource, resource.inputs, at)


def _disk(
    resource: Resource, disk: Mapping[str, Any], at: Setting, many: Many = ALONE
) -> Iterator[Item]:
    """A disk is paid for as long as it exists: a fleet's go with their machines."""
    kind = disk.get("volumeType") or disk.get("type") or "gp2"  # AWS's own default
    size = many.of(decimal(disk.get("volumeSize", disk.get("size"))), "GB-month")
    yield line(resource, f"{kind} storage", size, at.rate(f"ebs-{kind}-storage"), many.disks)
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
