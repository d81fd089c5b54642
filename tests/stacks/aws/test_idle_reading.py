"""How AWS is read for `deployer idle`: instances, their tags, what is left over and what it costs, their hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from deployer.planning import catalog
from deployer.providers import registry
from deployer.providers.cloud import Leftover, Machine, Swept, Terms
from deployer.providers.inventory import Found
from deployer.running.reaper.costs import monthly, prices
from deployer.running.reaper.orphans import orphans
from deployer.running.reaper.verdicts import policy
from stacks._aws.instances import described
from stacks._aws.leftovers import leftover
from stacks._aws.machine_control import Instances
from stacks._aws.tags import AwsTags
from stacks._aws.types import TRACKED, identity, network, observing, storage

RATES = catalog.load()
REGION = "us-east-1"
START = 1_700_000_000.0


def machine(state: str = "running", **tags: str) -> Machine:
    named = {f"deployer:{key.replace('_', '-')}": value for key, value in tags.items()}
    terms = AwsTags().read(named)
    name = "bot-cloud-gpu"
    return Machine("i-1", REGION, name, "aws", state, START, "g5.xlarge", terms=terms)


def found(
    kind: str, key: str, deployment: str = "gone", region: str = REGION, **details: object
) -> Found:
    return Found(kind, key, key, deployment, region, details, inputs=TRACKED[kind].inputs(details))


INSTANCE: dict[str, Any] = {
    "InstanceId": "i-1",
    "State": {"Name": "stopped"},
    "LaunchTime": datetime(2026, 11, 23, 8, tzinfo=UTC),
    "InstanceType": "g5.xlarge",
    "StateTransitionReason": "User initiated (2026-11-23 09:30:00 GMT)",
    "BlockDeviceMappings": [{"Ebs": {"AttachTime": datetime(2026, 11, 1, tzinfo=UTC)}}],
    "Tags": [{"Key": "deployer:deployment", "Value": "bot-cloud-gpu"}],
}


def test_an_instance_is_read_with_its_first_launch_and_its_last_stop():
    read = described(INSTANCE, REGION)
    assert read.deployment == "bot-cloud-gpu"
    assert read.stopped_at == datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp()
    assert read.made_at == datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def test_one_time_spot_and_a_groups_own_can_only_be_destroyed():
    spot = {**INSTANCE, "InstanceLifecycle": "spot"}
    grouped = {"Key": "aws:autoscaling:groupName", "Value": "fleet-1"}
    fleet = described({**spot, "Tags": [*INSTANCE["Tags"], grouped]}, REGION)
    assert described(INSTANCE, REGION).can_stop
    assert not described(spot, REGION).can_stop
    assert (fleet.can_stop, fleet.group, fleet.counted_by) == (False, "fleet-1", "fleet-1")


POLICIES = {
    "without tags": ({}, None, (1800.0, "stop", None)),
    "its own": ({"idle_after": "600s", "idle_action": "destroy"}, None, (600.0, "destroy", None)),
    "none is none": ({"idle_action": "none"}, None, (1800.0, "none", None)),
    "nonsense is the default": (
        {"idle_after": "soon", "idle_action": "x"},
        None,
        (1800.0, "stop", None),
    ),
    "the user's limit goes before": ({"idle_action": "none"}, 60.0, (60.0, "stop", None)),
    "expires after its start": ({"expires_after": "60s"}, None, (1800.0, "stop", START + 60)),
    "never": ({"expires_after": "never"}, None, (1800.0, "stop", None)),
    "extended": (
        {"expires_after": "60s", "expires_at": "2033-05-18T03:33:20+00:00"},
        None,
        (1800.0, "stop", 2_000_000_000.0),
    ),
    "extended by nonsense": (
        {"expires_after": "60s", "expires_at": "x"},
        None,
        (1800.0, "stop", None),
    ),
}


@pytest.mark.parametrize("case", POLICIES)
def test_the_policy_in_tags(case):
    tags, idle_for, expected = POLICIES[case]
    read = policy(machine(**tags), idle_for)
    assert (read.after_s, read.action, read.expires_at) == expected
    assert machine(**tags).expires_at == expected[2]


WRITTEN = {
    "nothing": Terms(),
    "a policy": Terms(600.0, "destroy", 3600.0),
    "a budget": Terms(600.0, "none", budget_usd=Decimal("12.5"), over_budget="warn"),
    "a later end": Terms(600.0, expires_at=2_000_000_000.0),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_terms_that_are_written_are_read_again(case):
    told = AwsTags().write(WRITTEN[case])
    assert all(key.startswith("deployer:") for key in told)
    assert AwsTags().read({"Name": "bot", **told}) == WRITTEN[case]


def test_a_budget_that_is_none_is_none():
    assert [machine(budget=text).terms.budget_usd for text in ("", "x", "-1", "NaN", "0")] == [
        None
    ] * 5


LEFT = [
    found(storage.VOLUME, "vol-1", VolumeType="gp3", Size=100, State="available"),
    found(network.ADDRESS, "eip-1"),
    found(identity.SECRET, "secret-1"),
    found(network.VPC, "vpc-1"),
    found(identity.ROLE, "role-1", region="us-west-2"),
]


def test_everything_of_a_deployment_without_a_machine_is_left_over_and_priced():
    told = {o.found.id: o.monthly_usd for o in orphans(swept(*LEFT), (), RATES)}
    assert told == {
        "vol-1": Decimal("8.00"),
        "eip-1": Decimal("3.650"),
        "secret-1": Decimal("0.40"),
        "vpc-1": Decimal(0),
        "role-1": Decimal(0),
    }


def swept(*there: Found, machines: tuple[Machine, ...] = ()) -> Swept:
    return Swept(machines, [leftover(one) for one in there])


def test_only_what_hangs_on_nothing_is_left_over_of_a_deployment_that_is_there():
    alive = replace(machine(), deployment="gone")
    here, recorded = orphans(swept(*LEFT, machines=(alive,)), (), RATES), {"gone"}
    assert {o.found.id for o in here} == {"vol-1", "eip-1"}
    assert {o.found.id for o in orphans(swept(*LEFT), recorded, RATES)} == {"vol-1", "eip-1"}


def test_a_machine_elsewhere_keeps_what_has_no_region_and_nothing_else():
    elsewhere = replace(machine(), deployment="gone", scope="eu-west-1")
    left = orphans(swept(*LEFT, machines=(elsewhere,)), (), RATES)
    assert {o.found.id for o in left} == {"vol-1", "eip-1", "secret-1", "vpc-1"}


def test_what_has_no_price_is_unpriced_and_never_nothing():
    assert monthly(leftover(found(storage.VOLUME, "v", VolumeType="io9", Size=1)), RATES) is None
    assert monthly(Leftover(Found("aws:new/thing:Thing", "t", "t", "gone", REGION)), RATES) is None
    strange = replace(machine(), type="u-900.metal")
    assert prices(strange, [], RATES) is None


def test_a_log_costs_what_lies_in_it():
    stored = leftover(found(observing.LOGS, "l", storedBytes=10 * 2**30))
    rate = RATES.rate("logs-storage", REGION).usd
    assert rate
    assert monthly(stored, RATES) == 10 * rate


def test_an_hour_of_a_machine_is_its_type_its_address_and_its_disks():
    disk = leftover(found(storage.VOLUME, "v", VolumeType="gp3", Size=730))
    told = prices(replace(machine(), address=True), [disk], RATES)
    assert told is not None
    assert told.resting == Decimal("0.08")
    assert told.running == Decimal("1.006") + Decimal("0.005") + Decimal("0.08")


def test_an_address_that_a_machine_keeps_is_paid_while_it_is_stopped_and_once():
    lent = [{"Association": {"IpOwnerId": "amazon"}}]
    reserved = [{"Association": {"IpOwnerId": "123456789012"}}]
    running = {**INSTANCE, "State": {"Name": "running"}, "PublicIpAddress": "192.0.2.1"}
    assert not described({**running, "NetworkInterfaces": lent}, REGION).address_stays
    assert described({**running, "NetworkInterfaces": reserved}, REGION).address_stays
    assert described({**INSTANCE, "PublicIpAddress": "192.0.2.1"}, REGION).address_stays, "stopped"
    kept = replace(machine(), address=True, address_stays=True)
    told = prices(kept, [], RATES)
    assert told is not None
    assert told.resting == Decimal("0.005")
    assert told.running == Decimal("1.006") + Decimal("0.005")


def test_a_disk_is_that_of_the_machines_that_it_is_attached_to():
    disk = found(storage.VOLUME, "v", Attachments=[{"InstanceId": "i-1"}])
    assert leftover(disk).disk_of == ("i-1",)


class Counted:
    """CloudWatch, which counted so many samples of every machine, five minutes each."""

    region = REGION

    def __init__(self, samples: float) -> None:
        self.samples = samples

    def __call__(self, service: str) -> Counted:
        assert service == "cloudwatch"
        return self

    def get_paginator(self, _: str) -> Counted:
        return self

    def paginate(self, **asked):
        at = asked["EndTime"]
        queries = asked["MetricDataQueries"]
        yield {
            "MetricDataResults": [
                {"Id": q["Id"], "Timestamps": [at], "Values": [self.samples]} for q in queries
            ]
        }


def test_each_sample_of_ec2_is_five_minutes_and_nobody_is_asked_about_no_machine():
    asked = Instances(lambda _: Counted(24))
    hours, gaps = asked.hours(REGION, ["i-1", "fleet-1"], START, START + 7200)
    assert (hours, gaps) == ({"i-1": Decimal(2), "fleet-1": Decimal(2)}, [])
    assert asked.hours(REGION, [], START, START) == ({}, [])


def test_the_providers_on_aws_share_one_cloud():
    names = [cloud.name for cloud in registry.clouds()]
    assert sorted(names) == ["aws", "huggingface", "lambda"]
    shared = {
        registry.provider(*one).cloud
        for one in registry.every_provider()
        if one[1] in ("aws", "bedrock", "sagemaker")
    }
    assert len(shared) == 1
