"""What Lambda charges: the machine, by the minute from its launch to its end. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Setting, line
from deployer.providers.api import Pricing

TYPE = "pulumi-python:dynamic/deployer:"
KEY, RULESET, MACHINE = f"{TYPE}LambdaKey", f"{TYPE}LambdaRuleset", f"{TYPE}LambdaMachine"


def _machine(resource: Resource, at: Setting) -> Iterator[Item]:
    kind = resource.inputs.get("instance_type")
    found = [one for one in at.rates.offers("lambda") if one.instance_type == kind]
    rate = Rate("instance", "hour", None, f"no price of {kind}", None)
    if found:
        rate = Rate("instance", "hour", found[0].usd_per_hour, found[0].source, found[0].as_of)
    yield line(resource, "instance", Quantity(MONTH, "hour"), rate, "running")


PRICING = Pricing(
    {MACHINE: _machine},
    {KEY: "Lambda keeps SSH keys at no charge", RULESET: "Lambda charges nothing for a firewall"},
)
