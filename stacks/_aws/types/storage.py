"""Disks, and buckets with weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import Quantity, Setting, decimal, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients, code_of
from stacks._aws.types import machine_pricing
from stacks._aws.types.finding import (
    TAG,
    by_name,
    by_tags,
    described,
    ec2,
    tag_filter,
    tags_of,
)
from stacks._aws.types.listing import EC2, GB_MONTH, GIB_PER_S, Component
from stacks._aws.types.record import (
    BEDROCK,
    SAGEMAKER,
    Details,
    Family,
    Free,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Tracked,
    nothing_made,
    rented,
)
from stacks._aws.types.removing import one_call

VOLUME = "aws:ebs/volume:Volume"
SNAPSHOT = "aws:ebs/snapshot:Snapshot"
IMAGE = "aws:ec2/ami:Ami"
BUCKET = "aws:s3/bucket:Bucket"

WEIGHTS = "weights-"
"""How the names of the stacks' buckets begin: Pulumi makes them of the resource's own name."""
NOT_OURS = ("NoSuchTagSet", "NoSuchBucket", "AccessDenied", "PermanentRedirect")
"""How S3 answers for the tags of a bucket that has none, or is not ours to look at."""
BYTES_PER_GB = 10**9
MOST_VALUES = 200
"""The most values that a filter takes (EC2 API reference)."""
NAMED = re.compile(r"weights-[0-9a-f]{7}")
"""A bucket's name, as Pulumi completes it."""
UPLOADED, AFTER_UPLOADS = "model/", "model0"
"""Below which the weights lie (`stacks/serverless/_weights.py`), and the first key that sorts after all of these."""
OTHERS = "HoldsOthers"


def _volumes(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The disks; of one deployment, those that do not end with their instance by themselves."""
    for one in described(clients, "describe_volumes", "Volumes", deployment):
        if deployment is None or not ends_with_machine(one):
            yield by_tags(clients, VOLUME, one, "VolumeId")


def ends_with_machine(details: Details) -> bool:
    """Whether a disk hangs on machines with all of which it ends by itself."""
    ends = [one.get("DeleteOnTermination") for one in details.get("Attachments", ())]
    return bool(ends) and all(ends)


def _volume_inputs(details: Details) -> Mapping[str, Any]:
    return {
        "type": details.get("VolumeType"),
        "size": details.get("Size"),
        "iops": details.get("Iops"),
        "throughput": details.get("Throughput"),
    }


def _volume_is_loose(details: Details) -> bool:
    return bool(details.get("State") == "available")


def _snapshot(resource: Resource, at: Setting) -> Iterator[Item]:
    """What a snapshot stores is at most the size of its disk, which is all that EC2 tells of it."""
    size = decimal(resource.inputs.get("volumeSize"))
    stored = Quantity(size, "GB-month", basis="estimated")
    yield line(resource, "snapshot, at most", stored, at.rate("ebs-snapshot"), "exists")


def _snapshot_inputs(details: Details) -> Mapping[str, Any]:
    return {"volumeSize": details.get("VolumeSize")}


def _volume_is_ours(found: Found, family: Family) -> bool:
    """Only the root disk of a machine of the program: it makes no other, and one that hangs on nothing tells nothing."""
    hangs_on = found.details.get("Attachments", ())
    return bool(hangs_on) and all(
        one.get("Device") and family.roots.get(one.get("InstanceId", "")) == one["Device"]
        for one in hangs_on
    )


def _snapshots(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Snapshots of the account itself, those of an image that has the tag too: the image is charged by them."""
    asked = {"OwnerIds": ["self"], "Filters": [tag_filter(deployment)]}
    found = {one["SnapshotId"]: one for one in _described_snapshots(clients, asked)}
    images = described(clients, "describe_images", "Images", deployment, Owners=["self"])
    owners = {part: image for image in images for part in _parts_of(image)}
    missing = [part for part in owners if part not in found]
    for start in range(0, len(missing), MOST_VALUES):
        named = {"Name": "snapshot-id", "Values": missing[start : start + MOST_VALUES]}
        for one in _described_snapshots(clients, {"OwnerIds": ["self"], "Filters": [named]}):
            found[one["SnapshotId"]] = {**one, "Tags": owners[one["SnapshotId"]].get("Tags", ())}
    for one in found.values():
        yield by_tags(clients, SNAPSHOT, one, "SnapshotId")


def _described_snapshots(clients: Clients, asked: Mapping[str, Any]) -> Iterator[Details]:
    for page in clients("ec2").get_paginator("describe_snapshots").paginate(**asked):
        yield from page["Snapshots"]


def _parts_of(image: Details) -> list[str]:
    """The ids of the snapshots that an image is made of."""
    disks = (one.get("Ebs", {}) for one in image.get("BlockDeviceMappings", ()))
    return [disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")]


def _buckets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The bucket with the weights."""
    client = clients("s3")
    for one in client.list_buckets()["Buckets"]:
        if one["Name"].startswith(WEIGHTS):
            tags = _bucket_tags(client, one["Name"])
            if tags.get(TAG) == deployment:
                told = {**one, OTHERS: _holds_others(client, one["Name"])}
                yield by_name(clients, BUCKET, one["Name"], deployment, told, tags)


def _bucket_is_ours(found: Found, family: Family) -> bool:  # noqa: ARG001 - one signature for all
    """By the name that Pulumi gives, and by what lies in it: the weights that the program uploads, and nothing else."""
    return bool(NAMED.fullmatch(found.name)) and found.details.get(OTHERS) is False


def _holds_others(client: Any, name: str) -> bool:
    """Whether something lies in a bucket that the program has not put there."""
    before = client.list_objects_v2(Bucket=name, MaxKeys=1).get("Contents", ())
    after = client.list_objects_v2(Bucket=name, MaxKeys=1, StartAfter=AFTER_UPLOADS)
    mine = all(one["Key"].startswith(UPLOADED) for one in before)
    return not mine or bool(after.get("Contents"))


def _bucket_tags(client: Any, name: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        return tags_of({"Tags": client.get_bucket_tagging(Bucket=name)["TagSet"]})
    except ClientError as error:
        if code_of(error) not in NOT_OURS:
            raise
        return {}


def _delete_bucket(clients: Clients, one: Found) -> None:
    client = clients("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=one.id):
        keys = [{"Key": thing["Key"]} for thing in page.get("Contents", ())]
        if keys:
            client.delete_objects(Bucket=one.id, Delete={"Objects": keys, "Quiet": True})
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=one.id):
        for begun in page.get("Uploads", ()):
            client.abort_multipart_upload(
                Bucket=one.id, Key=begun["Key"], UploadId=begun["UploadId"]
            )
    client.delete_bucket(Bucket=one.id)


def _weights(resource: Resource, at: Setting) -> Iterator[Item]:
    size = decimal(resource.inputs.get("bytes"))
    stored = Quantity(None if size is None else size / BYTES_PER_GB, "GB-month", basis="estimated")
    yield line(resource, "weights in S3", stored, at.rate("s3-storage"), "exists")


FREE = Free("charged for what lies in it, with the upload")

TYPES: tuple[ResourceType, ...] = (
    rented(
        VOLUME,
        Price(
            machine_pricing.volume,
            _volume_inputs,
            [
                Component("ebs-gp3-storage", EC2, "EBS:VolumeUsage.gp3", GB_MONTH, essential=True),
                Component("ebs-gp3-iops", EC2, "EBS:VolumeP-IOPS.gp3", {"iops-mo": "1"}),
                Component("ebs-gp3-throughput", EC2, "EBS:VolumeP-Throughput.gp3", GIB_PER_S),
                Component("ebs-gp2-storage", EC2, "EBS:VolumeUsage.gp2", GB_MONTH),
            ],
        ),
        _volumes,
        one_call("ec2", "delete_volume", "VolumeId"),
        Stage.ATTACHED,
        _volume_is_ours,
        id_prefix="vol",
        is_loose=_volume_is_loose,
    ),
    rented(
        SNAPSHOT,
        Price(
            _snapshot,
            _snapshot_inputs,
            [Component("ebs-snapshot", EC2, "EBS:SnapshotUsage", GB_MONTH)],
        ),
        _snapshots,
        one_call("ec2", "delete_snapshot", "SnapshotId"),
        Stage.RECORDS,
        nothing_made,
        id_prefix="snap",
    ),
    rented(
        IMAGE,
        Free("charged with the snapshots that it is made of"),
        ec2(IMAGE, "describe_images", "Images", "ImageId", Owners=["self"]),
        one_call("ec2", "deregister_image", "ImageId"),
        Stage.RECORDS,
        nothing_made,
        id_prefix="ami",
    ),
    Tracked(
        BUCKET,
        FREE,
        dict.fromkeys((BEDROCK, SAGEMAKER), _buckets),
        _delete_bucket,
        Stage.ATTACHED,
        _bucket_is_ours,
    ),
    PartOf("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", FREE, owner=BUCKET),
    PartOf("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", FREE, owner=BUCKET),
    PartOf("pulumi-python:dynamic/deployer:Weights", Price(_weights), owner=BUCKET),
)
