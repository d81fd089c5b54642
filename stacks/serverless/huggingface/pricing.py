"""What Hugging Face charges for an Inference Endpoint: by the minute, while it starts and runs. Pure.

Scaled to zero it costs nothing. How long it is awake follows from the traffic (`deployer.planning.traffic.profile`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Rule, Setting, decimal, line

ONE = Decimal(1)
ASLEEP = "billed by the minute while initializing and running: nothing when scaled to zero"


def _endpoint(resource: Resource, at: Setting) -> Iterator[Item]:
    least, most = (decimal(resource.inputs.get(key)) for key in ("min_replica", "max_replica"))
    rate = _rate(resource, at)
    if most is not None and least is not None and most > max(least, ONE):
        rate = replace(rate, source=f"{rate.source}; more replicas (up to {most}) cost more")
    if least is None:
        yield line(resource, "endpoint", Quantity(None, "hour"), rate, "running")
    elif least > 0:
        yield line(resource, "endpoint", Quantity(least * MONTH, "hour"), rate, "exists")
    else:
        yield from _on_demand(resource, at, rate)


def _on_demand(resource: Resource, at: Setting, rate: Rate) -> Iterator[Item]:
    low, high = at.usage.active_hours
    awake = Quantity.between(low, high, "hour")
    yield line(resource, "endpoint", awake, rate, "running")
    nothing = Rate("idle", "hour", Decimal(0), f"{rate.source} ({ASLEEP})", rate.as_of)
    asleep = Quantity(max(Decimal(0), MONTH - (low + high) / 2), "hour", basis="estimated")
    yield line(resource, "scaled to zero", asleep, nothing, "exists")


def _rate(resource: Resource, at: Setting) -> Rate:
    inputs = resource.inputs
    kind = f"{inputs.get('vendor')}/{inputs.get('instance_type')}/{inputs.get('instance_size')}"
    for offer in at.rates.offers("huggingface"):
        if offer.instance_type == kind:
            return Rate("endpoint", "hour", offer.usd_per_hour, offer.source, offer.as_of)
    return Rate("endpoint", "hour", None, f"no price of {kind}", None)


RULES: Mapping[str, Rule] = {"pulumi-python:dynamic/deployer:HuggingFaceEndpoint": _endpoint}
