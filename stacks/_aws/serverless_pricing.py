"""What serverless endpoints on AWS are charged for: Bedrock's imported models and SageMaker's endpoints. Pure.

Bedrock bills custom model units by the minute, in windows of five; how many one copy takes is known after the
import (`model_units`), before it from a range (`units`). SageMaker bills its instances while they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Rule, Setting, decimal, known, line

MINUTES_PER_HOUR = 60
BYTES_PER_TOKEN = Decimal(5)
"""An estimate of a prompt's text."""
GB = Decimal(10**9)
ONE, TWO = Decimal(1), Decimal(2)
FIVE = "billed in windows of 5 minutes from the first call; nothing while it sleeps"


def _model(resource: Resource, at: Setting) -> Iterator[Item]:
    low, high = _units(resource)
    minute, month = at.rate("bedrock-cmi-active"), at.rate("bedrock-cmi-storage")
    yield _awake(resource, at, minute, (low, high))
    counted = (
        Quantity.between(low, high, "CMU-month") if low != high else Quantity(low, "CMU-month")
    )
    yield line(resource, "model storage", counted, month, "exists")


def _units(resource: Resource) -> tuple[Decimal, Decimal]:
    counted = decimal(resource.inputs.get("model_units"))
    if counted is not None:
        return counted, counted
    low, high = resource.inputs.get("units") or (1, 1)  # one at least
    return decimal(low) or ONE, decimal(high) or ONE


def _awake(resource: Resource, at: Setting, minute: Rate, units: tuple[Decimal, Decimal]) -> Item:
    """The hours awake, at the price of so many units: both are estimates, so the range is that of both."""
    each = None if minute.usd is None else (minute.usd * MINUTES_PER_HOUR).normalize()
    middle = None if each is None else each * (units[0] + units[1]) / 2
    counted = f"{units[0]}" if units[0] == units[1] else f"{units[0]} to {units[1]}"
    source = f"{minute.source}; {counted} units of {minute.usd} USD a minute, {FIVE}"
    rate = known("endpoint", "hour", middle, source, minute.as_of)
    low, high = at.usage.active_hours
    item = line(resource, "endpoint", Quantity.between(low, high, "hour"), rate, "running")
    if each is None:
        return item
    return replace(item, monthly_range=(low * each * units[0], high * each * units[1]))


def _weights(resource: Resource, at: Setting) -> Iterator[Item]:
    size = decimal(resource.inputs.get("bytes"))
    stored = Quantity(None if size is None else size / GB, "GB-month", basis="estimated")
    yield line(resource, "weights in S3", stored, at.rate("s3-storage"), "exists")


def _instances(resource: Resource, at: Setting) -> Iterator[Item]:
    """The instances of an endpoint that scales to zero, or that keeps some at all times."""
    for variant in resource.inputs.get("productionVariants") or ():
        kind = variant.get("instanceType")
        scaling = variant.get("managedInstanceScaling") or {}
        least, most = (
            decimal(scaling.get(f"{m}InstanceCount")) or Decimal(0) for m in ("min", "max")
        )
        rate = _instance_rate(kind, most, least, at)
        if least > 0:
            yield line(resource, "endpoint", Quantity(least * MONTH, "hour"), rate, "exists")
        else:
            hours = Quantity.between(*at.usage.active_hours, "hour")
            yield line(resource, "endpoint", hours, rate, "running")
    made = at.usage.egress_gb + at.usage.input_tokens * BYTES_PER_TOKEN / GB
    data = Quantity(made, "GB", basis="estimated")
    yield line(resource, "data processed", data, at.rate("sagemaker-data"), "used")


def _instance_rate(kind: object, most: Decimal, least: Decimal, at: Setting) -> Rate:
    for offer in at.rates.offers("sagemaker", at.region):
        if offer.instance_type == kind:
            more = f"; up to {most} at once cost more" if most > max(least, ONE) else ""
            return known("endpoint", "hour", offer.usd_per_hour, offer.source + more, offer.as_of)
    return known("endpoint", "hour", None, f"no price of {kind} in {at.region}", None)


def _tracking(resource: Resource, at: Setting) -> Iterator[Item]:
    """Target tracking makes two alarms of its own; a step policy is woken by one that stands beside it."""
    if resource.inputs.get("policyType") != "StepScaling":
        yield line(resource, "alarms", Quantity(TWO, "alarm-month"), at.rate("alarm"), "exists")


RULES: Mapping[str, Rule] = {
    "pulumi-python:dynamic/deployer:BedrockModel": _model,
    "pulumi-python:dynamic/deployer:Weights": _weights,
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": _instances,
    "aws:appautoscaling/policy:Policy": _tracking,
}

BUCKET = "charged for what lies in it, with the upload"
FREE: Mapping[str, str] = {
    "aws:s3/bucket:Bucket": BUCKET,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": BUCKET,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": BUCKET,
    "aws:sagemaker/model:Model": "a description; its endpoint's instances are charged",
    "aws:sagemaker/endpoint:Endpoint": "charged with the instances of its configuration",
    "aws:cloudcontrol/resource:Resource": "an inference component runs on its endpoint's instances",
    "aws:appautoscaling/target:Target": "a setting; the instances are charged",
}
