"""Several machines, or one that comes and goes: an auto-scaling group over all zones, behind a load balancer."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_aws import autoscaling, ec2

from . import balancer, expiry, machine
from .identity import Kept, Profile
from .setting import Places, Setting

LOADING_S = 1800
"""How long a new machine may take to pull its image and load the model before it is judged."""


def declare(to: Setting, places: Places, profile: Profile, kept: Kept) -> dict[str, Any]:  # noqa: ARG001 - one signature with a machine
    """Declare the fleet; return what is exported."""
    front = balancer.declare(to, places)
    replicas = to.inputs["replicas"]
    scales = replicas["min"] != replicas["max"]
    group = autoscaling.Group(
        "fleet",
        name_prefix=f"{to.inputs['deployment']}-",
        min_size=replicas["min"],
        max_size=replicas["max"],
        desired_capacity=max(1, replicas["min"]),
        vpc_zone_identifiers=[subnet.id for subnet in places.subnets],
        launch_template=_template(to, places, profile),
        target_group_arns=[front.targets.arn],
        health_check_type="ELB",
        health_check_grace_period=LOADING_S,
        default_instance_warmup=300,
        wait_for_capacity_timeout="0",  # deployer itself waits, and says what for
        tags=[
            {"key": key, "value": value, "propagate_at_launch": True}
            for key, value in {**to.tags, "Name": to.inputs["deployment"]}.items()
        ],
        opts=to.also(
            depends_on=[*profile.needs, front.listener],
            ignore_changes=["desiredCapacity"] if scales else [],
        ),
    )
    if scales:
        _by_load(to, group, front)
    expiry.declare(to, "group", group.name)
    return {**front.exports, "group": group.name}


def _template(to: Setting, places: Places, profile: Profile) -> Any:
    made = ec2.LaunchTemplate(
        "template",
        name_prefix=f"{to.inputs['deployment']}-",
        image_id=machine.image(to),
        instance_type=to.inputs["instance_type"],
        iam_instance_profile={"arn": profile.profile.arn},
        network_interfaces=[
            {
                "associate_public_ip_address": "true",
                "delete_on_termination": "true",
                "security_groups": [places.machines.id],
            }
        ],
        instance_initiated_shutdown_behavior="terminate",
        instance_market_options={"market_type": "spot"} if to.inputs["spot"] else None,
        metadata_options=machine.METADATA,
        block_device_mappings=[{"device_name": "/dev/sda1", "ebs": _disk(to)}],
        user_data=machine.user_data(to),
        update_default_version=True,
        tag_specifications=[
            {"resource_type": kind, "tags": to.tags} for kind in ("volume", "network-interface")
        ],
        tags=to.tags,
        opts=to.also(ignore_changes=["imageId"]),
    )
    return {"id": made.id, "version": made.latest_version.apply(str)}


def _disk(to: Setting) -> Any:
    disk = machine.disk(to)
    return {key: str(value).lower() if value is True else value for key, value in disk.items()}


def _by_load(to: Setting, group: Any, front: balancer.Front) -> None:
    """Add a machine when each is asked more than it answers, and take one away when they are not."""
    label = pulumi.Output.concat(front.balancer.arn_suffix, "/", front.targets.arn_suffix)
    autoscaling.Policy(
        "by-load",
        autoscaling_group_name=group.name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration={
            "target_value": float(to.inputs["requests_per_minute"]),
            "predefined_metric_specification": {
                "predefined_metric_type": "ALBRequestCountPerTarget",
                "resource_label": label,
            },
        },
        opts=to.here,
    )
