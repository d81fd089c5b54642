"""What holds for every bill: nothing unpriced is 0, nothing is forgotten, rules can be added."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deployer.core.domain import Estimate, Item, Rate, Resource, Usage
from deployer.planning import catalog, cost
from deployer.planning.cost.rule import Quantity, Setting, line
from deployer.planning.traffic.profile import usage
from deployer.providers.api import Pricing

EVERY = cost.every_pricing()
USAGE = usage(
    {"requests_per_day": 1000, "input_tokens": 800, "output_tokens": 300, "profile": "steady"},
    scale_to_zero_minutes=15,
    seconds_per_request=(2.0, 4.0),
)
MACHINE = Resource(
    "aws:ec2/instance:Instance",
    "machine",
    {"instanceType": "g6.xlarge", "rootBlockDevice": {"volumeType": "gp3", "volumeSize": 120}},
)
BARE: dict[str, dict[str, Any]] = {
    "aws:ec2/vpcEndpoint:VpcEndpoint": {"vpcEndpointType": "Interface", "subnetIds": ["a"]},
}


def bill(*resources: Resource, region: str | None = "us-east-1", used: Usage = USAGE) -> Estimate:
    return cost.estimate(resources, rates=catalog.load(), usage=used, region=region)


def test_an_unknown_type_is_named_and_the_rest_is_priced():
    made = bill(MACHINE, Resource("gcp:compute/instance:Instance", "other", {}))
    assert made.unpriced == ("other: no price is known for gcp:compute/instance:Instance",)
    assert made.monthly_usd == bill(MACHINE).monthly_usd


@pytest.mark.parametrize("instance", ["p5e.48xlarge", "no-such-type"])
def test_a_machine_without_a_price_has_no_total(instance):
    inputs = {**MACHINE.inputs, "instanceType": instance}
    made = bill(replace(MACHINE, inputs=inputs), region="us-west-2")
    assert (made.monthly_usd, made.hourly_usd, made.usd_per_1m_tokens) == (None, None, None)
    assert "machine: instance" in made.unpriced


def test_a_disk_without_a_price_is_named_and_leaves_the_idle_cost_unknown():
    inputs = {**MACHINE.inputs, "rootBlockDevice": {"volumeType": "io2", "volumeSize": 120}}
    made = bill(replace(MACHINE, inputs=inputs))
    assert "machine: io2 storage" in made.unpriced
    assert made.idle_hourly_usd is None
    assert made.monthly_usd is not None


def test_a_disk_whose_size_is_not_known_is_unpriced_and_not_free():
    inputs = {**MACHINE.inputs, "rootBlockDevice": {"volumeType": "gp3"}}
    assert "machine: gp3 storage" in bill(replace(MACHINE, inputs=inputs)).unpriced


@pytest.mark.parametrize("kind", sorted(EVERY.rules))
def test_no_rule_gives_a_free_lunch_without_saying_so(kind):
    """A rule asked about a resource of which nothing is known says something, and never a bare 0."""
    made = bill(Resource(kind, "thing", BARE.get(kind, {})), region="mars-1")
    assert made.items
    for item in made.items:
        assert item.monthly_usd != 0 or "free" in item.component


def test_free_types_cost_nothing_and_are_not_called_unpriced():
    made = bill(MACHINE, *(Resource(kind, "free", {}) for kind in EVERY.free))
    assert made.unpriced == ()
    assert made.monthly_usd == bill(MACHINE).monthly_usd


def test_no_type_is_both_priced_and_free():
    assert not set(EVERY.rules) & set(EVERY.free)
    assert all(EVERY.free.values())


def test_nothing_at_all_has_no_price():
    made = bill()
    assert (made.monthly_usd, made.idle_hourly_usd, made.unpriced) == (None, None, ())


def test_what_is_to_be_deleted_is_not_in_the_bill():
    assert bill(replace(MACHINE, action="delete")).items == ()


def test_every_line_says_where_its_price_is_from():
    for item in bill(MACHINE).items:
        assert item.source
        assert item.unit
        assert item.as_of


def test_a_local_machine_of_unknown_price_has_no_total_and_says_what_is_missing():
    made = bill(Resource("local:index:Hardware", "pc", {"gpu_count": 1}))
    assert made.monthly_usd is None
    assert made.unpriced == (
        "pc: hardware",
        "pc: electricity, idle",
        "pc: electricity, answering",
    )


def test_without_tokens_there_is_no_price_of_a_token():
    silent = replace(USAGE, input_tokens=Decimal(0), output_tokens=Decimal(0))
    assert bill(MACHINE, used=silent).usd_per_1m_tokens is None


def test_a_provider_can_bring_its_own_rules():
    def rule(resource: Resource, at: Setting) -> list[Item]:
        rate = Rate("endpoint", "hour", Decimal(2), "my price page", "2026-01-01")
        return [line(resource, "endpoint", Quantity(Decimal(730), "hour"), rate, "running")]

    own = Resource("mine:index:Endpoint", "mine", {})
    made = cost.estimate(
        [own],
        rates=catalog.load(),
        usage=USAGE,
        region=None,
        pricing=Pricing({"mine:index:Endpoint": rule}),
    )
    assert made.monthly_usd == Decimal(1460)
    assert made.unpriced == ()


def test_the_totals_are_the_sums_of_the_lines():
    made = bill(MACHINE, Resource("aws:secretsmanager/secret:Secret", "key", {}))
    assert made.monthly_usd == sum(i.monthly_usd for i in made.items if i.monthly_usd is not None)
