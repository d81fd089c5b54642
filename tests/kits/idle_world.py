"""A thousand machines over four regions in the emulator, some idle, and things that were left over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import Any

import boto3

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")
HOUR_S = 3600.0
ROLES = Lock()
"""The emulator's IAM, which all regions share, cannot be changed by two at once."""
MACHINE = "g4dn.xlarge"
"""A type that every region of the emulator has."""


@dataclass
class World:
    """What was made."""

    idle: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """What is left over of deployments; volumes and addresses only carry the tags of some."""
    at: float = field(default_factory=time.time)
    """When its watchdogs spoke."""
    regions: dict[str, list[str]] = field(default_factory=dict)
    """The machines of each region."""

    def speak(self, url: str) -> None:
        """Let every watchdog say now what it said at first."""
        for region in self.regions:
            self.publish(url, region, time.time())

    def publish(self, url: str, region: str, when: float) -> None:
        """Let the watchdogs of a region speak at a time."""
        asleep = set(self.idle)
        told = {one: HOUR_S if one in asleep else 0.0 for one in self.regions[region]}
        publish(url, region, told, when)


@cache
def client(url: str, service: str, region: str) -> Any:
    """Return a client of the emulator."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name=region, **keys)


@cache
def image(url: str) -> str:
    """Return a machine image that the emulator knows; it takes seconds to list them."""
    found = client(url, "ec2", REGIONS[0]).describe_images(Owners=["amazon"])["Images"]
    return str(found[0]["ImageId"])


def tags(deployment: str, **more: str) -> list[dict[str, str]]:
    """Return the tags that a stack gives everything, and some more (`idle_after="1800s"`)."""
    told = {"deployer:deployment": deployment, "deployer:owner": "test"}
    told |= {f"deployer:{key.replace('_', '-')}": value for key, value in more.items()}
    return [{"Key": key, "Value": value} for key, value in told.items()]


def profile(url: str, region: str, deployment: str) -> str:
    """Return the profile with the role of a deployment, which is made once: it shows whose its machines are."""
    iam, name = client(url, "iam", region), f"{deployment}-profile"
    with ROLES, suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_instance_profile(InstanceProfileName=name, Path=f"/deployer/{deployment}/")
    return name


def _run(ec2: Any, url: str, count: int, asked: list[dict[str, str]], role: str) -> Any:
    return ec2.run_instances(
        ImageId=image(url),
        InstanceType=MACHINE,
        MinCount=count,
        MaxCount=count,
        IamInstanceProfile={"Name": role},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": asked},
            {"ResourceType": "volume", "Tags": asked},
        ],
    )


def launch(url: str, region: str, deployment: str, count: int = 1, **more: str) -> list[str]:
    """Launch machines of one deployment, with its role."""
    ec2 = client(url, "ec2", region)
    asked, role = tags(deployment, **more), profile(url, region, deployment)
    with ROLES:
        told = _run(ec2, url, count, asked, role)
    ids = [one["InstanceId"] for one in told["Instances"]]
    for one in ids[1:]:  # the emulator gives a role to the first alone
        with ROLES:
            ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": role}, InstanceId=one)
    return ids


def publish(url: str, region: str, idle_s: dict[str, float], when: float) -> None:
    """Say what the watchdogs say: for how long each machine is idle, at a time in seconds since 1970."""
    at = datetime.fromtimestamp(when, UTC)
    _put(url, region, "Deployer", "IdleSeconds", {key: [(at, s)] for key, s in idle_s.items()})


def ec2_metric(
    url: str, region: str, name: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Write what EC2 itself counts: (seconds ago, value) by instance."""
    now = datetime.now(UTC)
    points = {
        key: [(now - timedelta(seconds=ago), value) for ago, value in told]
        for key, told in series.items()
    }
    _put(url, region, "AWS/EC2", name, points)


def _put(
    url: str,
    region: str,
    namespace: str,
    name: str,
    points: dict[str, list[tuple[datetime, float]]],
) -> None:
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "InstanceId", "Value": key}],
            "Timestamp": at,
            "Value": value,
        }
        for key, told in points.items()
        for at, value in told
    ]
    watch = client(url, "cloudwatch", region)
    for part in _parts(data, 500):
        watch.put_metric_data(Namespace=namespace, MetricData=part)


def _parts(data: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def build(
    url: str,
    machines: int = 1000,
    idle: int = 200,
    volumes: int = 20,
    addresses: int = 10,
    secrets: int = 8,
) -> World:
    """Make it, each region with its share; every deployment has ten machines."""
    world = World()
    image(url)
    for region in REGIONS:  # before there are threads, in which clients cannot be made
        for service in ("ec2", "cloudwatch", "iam", "secretsmanager"):
            client(url, service, region)
    with ThreadPoolExecutor(len(REGIONS)) as pool:
        made = pool.map(lambda at: _region(url, at, machines, idle), range(len(REGIONS)))
        for region, (sleeping, working) in zip(REGIONS, made, strict=True):
            world.regions[region] = [*sleeping, *working]
            world.idle += sleeping
            world.busy += working
    world.at = time.time()  # once all are there, however long that took
    for region in REGIONS:
        world.publish(url, region, world.at)
    for at in range(volumes):
        region = REGIONS[at % len(REGIONS)]
        world.volumes.append(_volume(url, region, f"gone-{at % 5}"))
    for at in range(secrets):
        world.secrets.append(_secret(url, REGIONS[at % len(REGIONS)], f"gone-{at}"))
    for at in range(addresses):
        region = REGIONS[at % len(REGIONS)]
        world.addresses.append(_address(url, region, f"gone-{at % 5}"))
    _not_ours(url)
    return world


def _region(url: str, at: int, machines: int, idle: int) -> tuple[list[str], list[str]]:
    region, share = REGIONS[at], machines // len(REGIONS)
    ids: list[str] = []
    for batch in range(0, share, 10):
        count = min(10, share - batch)
        ids += launch(
            url, region, f"model-{at}-{batch}", count, idle_after="1800s", idle_action="stop"
        )
    asleep = ids[: idle // len(REGIONS)]
    awake = ids[idle // len(REGIONS) :]
    return asleep, awake


def _volume(url: str, region: str, deployment: str) -> str:
    ec2 = client(url, "ec2", region)
    made = ec2.create_volume(
        AvailabilityZone=f"{region}a",
        Size=100,
        VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags(deployment)}],
    )
    return str(made["VolumeId"])


def _secret(url: str, region: str, deployment: str) -> str:
    keeper = client(url, "secretsmanager", region)
    made = keeper.create_secret(
        Name=f"deployer/{deployment}", SecretString="x", Tags=tags(deployment)
    )
    return str(made["ARN"])


def _address(url: str, region: str, deployment: str) -> str:
    ec2 = client(url, "ec2", region)
    asked = [{"ResourceType": "elastic-ip", "Tags": tags(deployment)}]
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=asked)
    return str(made["AllocationId"])


def _not_ours(url: str) -> None:
    """What belongs to somebody else: it is never to be seen."""
    ec2 = client(url, "ec2", REGIONS[0])
    ec2.run_instances(ImageId=image(url), InstanceType=MACHINE, MinCount=3, MaxCount=3)
    ec2.create_volume(AvailabilityZone=f"{REGIONS[0]}a", Size=10)
    ec2.allocate_address(Domain="vpc")


def states(url: str, region: str, ids: Iterable[str]) -> dict[str, str]:
    """Return how machines are, by id."""
    pages = client(url, "ec2", region).get_paginator("describe_instances")
    told = pages.paginate(Filters=[{"Name": "instance-id", "Values": list(ids)}])
    found = (i for page in told for r in page["Reservations"] for i in r["Instances"])
    return {one["InstanceId"]: one["State"]["Name"] for one in found}
