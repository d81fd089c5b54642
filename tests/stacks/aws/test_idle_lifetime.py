"""What a deployment's machines have cost, since when they are idle and when they are removed, on moto's AWS."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from deployer.core.deployment import Deployment
from deployer.planning import catalog
from deployer.providers.inventory import Found
from deployer.providers.managers import MachineUsage
from deployer.running.reaper import lifetime
from stacks._aws import inventory
from stacks._aws.expiry import Schedules
from stacks._aws.instances import machine
from stacks._aws.machine_control import Instances
from stacks._aws.session import Session
from stacks._aws.tags import EXPIRES_AT
from stacks._aws.types.finding import TAG

NAME = "bot-cloud-gpu"
HOUR = 3600.0
SPEC: dict[str, Any] = {
    "spec_name": "bot",
    "spec_digest": "d",
    "target": "cloud-gpu",
    "provider": "aws",
}


def record(since: float, **more: Any) -> Deployment:
    started = datetime.fromtimestamp(since, UTC).isoformat()
    made = Deployment(name=NAME, **SPEC, engine="vllm", model="bot", started_at=started, planned=[])
    return replace(made, usd_per_hour_idle="0.1", **more)


def glance(aws: Session, made: Deployment, found: Sequence[Found], now: float) -> MachineUsage:
    machines = [machine(one) for one in found]
    return lifetime.usage(Instances(lambda _: aws), aws.region, made, machines, now)


def prolonged(aws: Session, made: Deployment, expires_s: float | None, now: float) -> Deployment:
    return lifetime.prolonged(Schedules(lambda _: aws), aws.region, made, expires_s, now)


def launch(aws: Session) -> Found:
    """One machine of the deployment, as it is found."""
    ec2, iam = aws("ec2"), aws("iam")
    told = {"Key": TAG, "Value": NAME}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_instance_profile(InstanceProfileName="own", Path=f"/deployer/{NAME}/")
    ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        InstanceType="g5.xlarge",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": "own"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [told]}],
    )
    (one,) = inventory.instances(aws, NAME)
    return one


def samples(aws: Session, dimension: str, key: str, hours: float, end: float) -> None:
    """What EC2 writes in so many hours of running."""
    ends = [end - 300 * number for number in range(1, int(hours * 12) + 1)]
    for start in range(0, len(ends), 500):
        data = [
            {
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": dimension, "Value": key}],
                "Timestamp": datetime.fromtimestamp(at, UTC),
                "Value": 5.0,
            }
            for at in ends[start : start + 500]
        ]
        aws("cloudwatch").put_metric_data(Namespace="AWS/EC2", MetricData=data)


def now_of(found: Found) -> float:
    """The moment of its launch."""
    at: datetime = found.details["LaunchTime"]
    return at.timestamp()


def test_every_machine_that_it_ever_had_costs_the_hours_that_it_ran_and_its_disks_cost_always(aws):
    now = datetime.now(UTC).timestamp()
    samples(aws, "InstanceId", "i-gone", 5, now - 10 * HOUR)
    samples(aws, "InstanceId", "i-now", 2, now)
    made = record(now - 20 * HOUR, launched={"i-gone": "1", "i-now": "3"})
    told = glance(aws, made, (), now)
    assert told.cost_usd == Decimal(5 * 1 + 2 * 3) + Decimal(20) * Decimal("0.1")


def test_a_group_costs_the_hours_of_all_its_machines(aws):
    now = datetime.now(UTC).timestamp()
    for _ in range(2):  # of two machines
        samples(aws, "AutoScalingGroupName", "fleet-1", 2, now)
    made = record(now - 2 * HOUR, launched={"fleet-1": "2"})
    assert glance(aws, made, (), now).cost_usd == Decimal(8) + Decimal("0.2")


def test_a_run_counts_before_cloudwatch_has_its_samples(aws):
    launched = launch(aws)
    now = now_of(launched) + 3 * HOUR
    made = record(now - 3 * HOUR, launched={launched.id: "2"})
    assert glance(aws, made, [launched], now).cost_usd == Decimal(6) + Decimal("0.3")


@pytest.mark.parametrize(
    "more",
    [{"launched": {}}, {"launched": {"i-1": None}}, {"usd_per_hour_idle": None}],
    ids=["no machine known", "an unpriced one", "unpriced disks"],
)
def test_what_is_not_priced_is_unknown_and_never_nothing(aws, more):
    now = datetime.now(UTC).timestamp()
    made = replace(record(now - HOUR, launched={"i-1": "1"}), **more)
    assert glance(aws, made, (), now).cost_usd is None


def test_the_price_of_a_machine_is_kept_when_another_takes_its_place(aws):
    launched = launch(aws)
    before = record(now_of(launched), launched={"i-gone": "1"})
    kept = lifetime.remembered(before, [machine(launched)], (), catalog.load())
    assert kept.launched["i-gone"] == "1"
    awake = kept.launched[launched.id]
    assert awake is not None
    assert Decimal(awake) >= Decimal("1.006"), "g5.xlarge in us-east-1, and its address"


def test_since_when_it_is_idle_is_the_watchdogs_word(aws):
    launched = launch(aws)
    now = now_of(launched) + 10.0
    word = {
        "MetricName": "IdleSeconds",
        "Dimensions": [{"Name": "InstanceId", "Value": launched.id}],
        "Timestamp": datetime.fromtimestamp(now, UTC),
        "Value": 600.0,
    }
    aws("cloudwatch").put_metric_data(Namespace="Deployer", MetricData=[word])
    since = glance(aws, record(now), [launched], now).idle_since
    assert since is not None
    idle_s = now - datetime.fromisoformat(since).timestamp()
    assert 540 <= idle_s <= 720, "CloudWatch counts whole minutes"


def test_it_expires_so_long_after_the_last_up_and_never_when_the_policy_says_so_no_more(aws):
    launched = launch(aws)
    now = now_of(launched)
    dated = prolonged(aws, record(now), 7 * 24 * HOUR, now)
    week = datetime.fromtimestamp(now, UTC) + timedelta(days=7)
    assert dated.expires_at == week.isoformat(timespec="seconds")
    (tagged,) = inventory.instances(aws, NAME)
    assert glance(aws, dated, [tagged], now).expires_at == dated.expires_at
    assert prolonged(aws, dated, None, now).expires_at is None
    (plain,) = inventory.instances(aws, NAME)
    assert EXPIRES_AT not in {tag["Key"] for tag in plain.details["Tags"]}
