"""What carries the tags of a deployment and was not made by deployer: on the AWS emulator, copied from its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.kits.cloud import REGION, Cloud

ZONE = f"{REGION}a"


@dataclass(frozen=True)
class Strange:
    """Somebody else's: a machine alone, three of a group, a data disk, its snapshot, an image, an address."""

    machine: str
    group: str
    grouped: tuple[str, ...]
    volume: str
    snapshot: str
    image: str
    address: str

    @property
    def machines(self) -> tuple[str, ...]:
        """All of its machines."""
        return (self.machine, *self.grouped)

    @property
    def ids(self) -> set[str]:
        """Everything that carries the tag itself."""
        return {*self.machines, self.volume, self.snapshot, self.image, self.address}

    def seen(self, cloud: Cloud) -> dict[str, Any]:
        """How all of it is now."""
        ec2 = cloud.client("ec2")
        told = ec2.describe_instances(InstanceIds=list(self.machines))["Reservations"]
        groups = cloud.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.group]
        )["AutoScalingGroups"]
        return {
            "machines": {i["InstanceId"]: i["State"]["Name"] for r in told for i in r["Instances"]},
            "group": [(one["MinSize"], one["DesiredCapacity"]) for one in groups],
            "volume": ec2.describe_volumes(VolumeIds=[self.volume])["Volumes"][0]["Size"],
            "snapshot": ec2.describe_snapshots(SnapshotIds=[self.snapshot])["Snapshots"][0][
                "State"
            ],
            "image": ec2.describe_images(ImageIds=[self.image])["Images"][0]["State"],
            "address": len(ec2.describe_addresses(AllocationIds=[self.address])["Addresses"]),
        }


def make(cloud: Cloud, deployment: str) -> Strange:
    """Make it, with all the tags that the deployment's own machine has."""
    ec2 = cloud.client("ec2")
    (own,) = [one for one in cloud.instances() if tag(one, "deployer:deployment") == deployment]
    tags = [one for one in own["Tags"] if one["Key"].startswith("deployer:")]
    like = {"ImageId": own["ImageId"], "InstanceType": "g4dn.xlarge"}

    def marked(kind: str) -> dict[str, Any]:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    started = ec2.run_instances(**like, MinCount=1, MaxCount=1, **marked("instance"))
    machine = started["Instances"][0]["InstanceId"]
    volume = ec2.create_volume(
        AvailabilityZone=ZONE, Size=500, VolumeType="gp3", **marked("volume")
    )["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume, **marked("snapshot"))["SnapshotId"]
    image = ec2.create_image(InstanceId=machine, Name="golden", **marked("image"))["ImageId"]
    address = ec2.allocate_address(Domain="vpc", **marked("elastic-ip"))["AllocationId"]
    return Strange(
        machine=machine,
        group="web",
        grouped=_group(cloud, like, tags),
        volume=volume,
        snapshot=snapshot,
        image=image,
        address=address,
    )


def _group(cloud: Cloud, like: dict[str, Any], tags: list[dict[str, str]]) -> tuple[str, ...]:
    """A group of three whose machines carry the tags, because one's template was copied; it has none itself."""
    ec2, scaling = cloud.client("ec2"), cloud.client("autoscaling")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=like)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=3,
        MaxSize=3,
        DesiredCapacity=3,
        AvailabilityZones=[ZONE],
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
    )
    told = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])
    grouped = tuple(i["InstanceId"] for i in told["AutoScalingGroups"][0]["Instances"])
    ec2.create_tags(Resources=list(grouped), Tags=tags)
    return grouped


def tag(instance: Any, key: str) -> str | None:
    """Return a tag of an instance."""
    return next((one["Value"] for one in instance.get("Tags", ()) if one["Key"] == key), None)
