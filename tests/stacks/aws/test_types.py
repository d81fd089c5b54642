"""One record for each type of AWS resource: complete, and enough for search, removal, leftovers and the bill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import Resource, Usage
from deployer.planning import catalog, cost
from deployer.providers import registry
from deployer.providers.inventory import Found
from deployer.running.stack import offline
from stacks._aws.leftovers import leftover
from stacks._aws.prices import rows
from stacks._aws.pricing import PRICING
from stacks._aws.types import (
    TRACKED,
    TYPES,
    bedrock,
    compute,
    identity,
    network,
    observing,
    of,
    scheduling,
    served,
    storage,
)
from stacks._aws.types.record import (
    AWS,
    BEDROCK,
    SAGEMAKER,
    Free,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Tracked,
    Untracked,
    by_its_name,
)
from tests.kits.aws_orders import VARIANTS, component_order, import_order, machine_order

TARGETS = {AWS: "cloud-gpu", BEDROCK: "serverless", SAGEMAKER: "serverless"}
RECORDS = {one.pulumi_type: one for one in TYPES}
NO_TRAFFIC = Usage(*(Decimal(0),) * 5, (Decimal(0),) * 2, (Decimal(0),) * 2)


def orders(folder: Path) -> Iterator[tuple[str, Any]]:
    """Everything that the providers on AWS are asked for, as far as it changes what is made."""
    for given in VARIANTS.values():
        yield AWS, machine_order(given)
    for source in ("hf:Qwen/Qwen3-8B@main", "s3://mine/a"):
        for least in (1, 2):
            yield SAGEMAKER, component_order(source, least)
    yield SAGEMAKER, {**component_order(str(folder)), "model": {"source": "", "path": str(folder)}}
    for source, path in (("hf:Qwen/Qwen3-8B", None), ("s3://mine/a", None), ("", str(folder))):
        yield BEDROCK, import_order(source, path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The types that each provider's program makes."""
    types: dict[str, set[str]] = {name: set() for name in TARGETS}
    for name, order in orders(tmp_path_factory.mktemp("model")):
        provider = registry.provider(TARGETS[name], name)
        assert provider.program
        run, inputs = provider.program.run, provider.inputs(order)
        types[name] |= {r.type for r in offline.collect(run, inputs, project="p", stack="s")}
    return types


def test_every_type_that_a_program_makes_has_a_record(made):
    assert set.union(*made.values()) <= set(RECORDS)


def test_what_a_program_makes_is_found_for_that_very_provider_or_says_why_not(made):
    for name, types in made.items():
        for record in (RECORDS[one] for one in types):
            if isinstance(record, Tracked):
                assert name in record.find, record.pulumi_type
            elif isinstance(record, PartOf):
                assert name in tracked(record.owner).find, record.pulumi_type


def tracked(pulumi_type: str) -> Tracked:
    owner = RECORDS[pulumi_type]
    assert isinstance(owner, Tracked)
    return owner


def test_a_part_belongs_to_what_is_found_by_itself():
    for one in TYPES:
        if isinstance(one, PartOf):
            assert tracked(one.owner)


def test_no_type_has_two_records():
    assert len(RECORDS) == len(TYPES)
    assert len(TRACKED) == sum(isinstance(one, Tracked) for one in TYPES)


def nothing(*_: Any) -> Iterator[Found]:
    yield from ()


FREE, FIND = Free("a test"), {AWS: nothing}
INCOMPLETE: dict[str, Callable[[], ResourceType]] = {
    "no name": lambda: PartOf("", FREE, owner="a"),
    "neither price nor reason": lambda: PartOf("a", None, owner="b"),  # type: ignore[arg-type]  # the test
    "no reason": lambda: PartOf("a", Free(""), owner="b"),
    "nothing but a price": lambda: ResourceType("a", FREE),
    "no search": lambda: Tracked("a", FREE, {}, lambda *_: None, Stage.NETWORK, by_its_name),
    "no removal": lambda: Tracked("a", FREE, FIND, stage=Stage.NETWORK, proof=by_its_name),  # type: ignore[call-arg]  # the test
    "no order": lambda: Tracked("a", FREE, FIND, lambda *_: None, proof=by_its_name),  # type: ignore[call-arg]  # the test
    "no proof": lambda: Tracked("a", FREE, FIND, lambda *_: None, Stage.NETWORK),  # type: ignore[call-arg]  # the test
    "no owner": lambda: PartOf("a", FREE, owner=""),
    "no reason why it is not found": lambda: Untracked("a", FREE, reason=""),
}


@pytest.mark.parametrize("lack", INCOMPLETE)
def test_a_record_that_lacks_a_part_cannot_be_made(lack):
    with pytest.raises((TypeError, ValueError)):
        INCOMPLETE[lack]()


def test_the_bill_has_every_type_once_priced_or_free_with_the_reason():
    assert set(PRICING.rules) | set(PRICING.free) == set(RECORDS)
    assert not set(PRICING.rules) & set(PRICING.free)
    for name, target in TARGETS.items():
        assert registry.provider(target, name).pricing is PRICING


def test_a_price_is_listed_by_one_type():
    names = [row.name for one in TYPES if isinstance(one.bill, Price) for row in one.bill.listed]
    assert len(names) > 20
    assert len(set(names)) == len(names)
    assert {one.name for one in rows.COMPONENTS} == set(names)


BEFORE = [
    (compute.GROUP, compute.INSTANCE),
    (compute.INSTANCE, storage.VOLUME),
    (compute.INSTANCE, network.INTERFACE),
    ("aws:lb/loadBalancer:LoadBalancer", network.SUBNET),
    (network.INTERFACE, network.FIREWALL),
    (network.FIREWALL, network.VPC),
    (network.SUBNET, network.VPC),
    (network.GATEWAY, network.VPC),
    ("aws:iam/instanceProfile:InstanceProfile", "aws:iam/role:Role"),
    ("aws:sagemaker/inferenceComponent:InferenceComponent", served.ENDPOINT),
    (served.ENDPOINT, "aws:sagemaker/model:Model"),
    (bedrock.IMPORT, served.IMPORTED),
    (served.IMPORTED, storage.BUCKET),
]


@pytest.mark.parametrize(("first", "then"), BEFORE)
def test_what_needs_another_is_removed_before_it(first, then):
    order = list(TRACKED)
    assert order.index(first) < order.index(then)


@pytest.mark.parametrize("provider", TARGETS)
def test_every_provider_looks_for_its_types_in_the_order_of_their_stages(provider):
    stages = [one.stage for one in of(provider)]
    assert stages
    assert all(first <= then for first, then in pairwise(stages))


def test_what_a_deployment_lives_by_and_what_has_no_region_is_in_the_records():
    living = {kind for kind, one in TRACKED.items() if one.lives}
    everywhere = {kind for kind, one in TRACKED.items() if one.is_global}
    assert living == {compute.INSTANCE, compute.GROUP, served.ENDPOINT, served.IMPORTED}
    assert everywhere == {identity.ROLE, identity.PROFILE, scheduling.BUDGET}


LOOSE = {
    "a disk without a machine": (storage.VOLUME, {"State": "available"}, True),
    "a disk in use": (storage.VOLUME, {"State": "in-use"}, False),
    "an address without a machine": (network.ADDRESS, {}, True),
    "an address in use": (network.ADDRESS, {"AssociationId": "a"}, False),
    "a network": (network.VPC, {"State": "available"}, False),
}


@pytest.mark.parametrize("case", LOOSE)
def test_what_hangs_on_nothing(case):
    kind, details, loose = LOOSE[case]
    assert leftover(Found(kind, "a", "a", "bot", "us-east-1", details)).loose is loose


STANDING: dict[str, tuple[str, dict[str, Any], str]] = {
    "a disk": (storage.VOLUME, {"VolumeType": "gp3", "Size": 100}, "8.00"),
    "a fast disk": (storage.VOLUME, {"VolumeType": "gp3", "Size": 100, "Iops": 4000}, "13.00"),
    "an address": (network.ADDRESS, {}, "3.65"),
    "a snapshot of a disk": (storage.SNAPSHOT, {"VolumeSize": 100}, "5.00"),
    "a gateway endpoint": (network.ENDPOINT, {"VpcEndpointType": "Gateway"}, "0"),
    "a log of 2 GiB": (observing.LOGS, {"storedBytes": 2**31}, "0.06"),
    "an empty log": (observing.LOGS, {}, "0"),
    "a group": (compute.GROUP, {"MinSize": 1, "MaxSize": 4}, "0"),
}


@pytest.mark.parametrize("case", STANDING)
def test_what_exists_is_priced_by_the_rule_of_a_plan(case):
    kind, details, usd = STANDING[case]
    record = TRACKED[kind]
    assert isinstance(record.bill, Price)
    there = Resource(kind, "it", record.inputs(details))
    setting = cost.Setting(catalog.load(), NO_TRAFFIC, "us-east-1")
    items = [one for one in record.bill.rule(there, setting) if one.when != "used"]
    assert sum(one.monthly_usd or 0 for one in items) == Decimal(usd)
    assert all(one.monthly_usd is not None for one in items)


def test_a_spot_machine_that_exists_is_priced_as_one():
    inputs = TRACKED[compute.INSTANCE].inputs
    assert inputs({"InstanceType": "g6.xlarge"}) == {"instanceType": "g6.xlarge"}
    spot = {"instanceMarketOptions": {"marketType": "spot"}, "instanceType": "g6.xlarge"}
    assert inputs({"InstanceType": "g6.xlarge", "InstanceLifecycle": "spot"}) == spot
