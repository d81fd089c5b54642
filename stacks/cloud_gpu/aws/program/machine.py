"""One machine, and what every machine is like, alone or in a fleet."""

from __future__ import annotations

import base64
import gzip
import io
from typing import Any

import pulumi
from pulumi_aws import ec2, ssm

from . import expiry
from .identity import Kept, Profile
from .setting import Places, Setting

AMI_PARAMETER = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
)
"""AWS's own Ubuntu with the NVIDIA driver, Docker and the NVIDIA container toolkit (public parameter)."""
METADATA: Any = {
    "http_endpoint": "enabled",
    "http_tokens": "required",
    "http_put_response_hop_limit": 1,
    "instance_metadata_tags": "enabled",
}


def declare(to: Setting, places: Places, profile: Profile, kept: Kept) -> dict[str, Any]:  # noqa: ARG001 - one signature with a fleet
    """Declare the machine; return what is exported.

    A newer machine image does not replace a running machine; another boot script does. A public address is
    needed to pull images and weights even where nobody may connect: it costs a tenth of a NAT gateway.
    """
    inputs = to.inputs
    machine = ec2.Instance(
        "machine",
        ami=image(to),
        instance_type=inputs["instance_type"],
        subnet_id=places.subnets[0].id,
        vpc_security_group_ids=[places.machines.id],
        iam_instance_profile=profile.profile.name,
        associate_public_ip_address=True,
        instance_initiated_shutdown_behavior=at_shutdown(to),
        metadata_options=METADATA,
        root_block_device=disk(to, tags=to.tags),
        user_data_base64=user_data(to),
        user_data_replace_on_change=True,
        tags={**to.tags, "Name": inputs["deployment"]},
        opts=to.also(ignore_changes=["ami"], depends_on=profile.needs),
    )
    expiry.declare(to, "instance", machine.id)
    return {
        "endpoint": pulumi.Output.concat("https://", machine.public_ip, "/v1"),
        "address": machine.public_ip,
        "instance_id": machine.id,
        "ca": "own",
    }


def image(to: Setting) -> Any:
    """The machine image's id, as it is today."""
    asking = pulumi.InvokeOutputOptions(provider=to.here.provider)
    return ssm.get_parameter_output(name=AMI_PARAMETER, opts=asking).value


def disk(to: Setting, **more: Any) -> Any:
    """The root disk."""
    return {
        "volume_type": "gp3",
        "volume_size": to.inputs["disk_gib"],
        "encrypted": True,
        "delete_on_termination": True,
        **more,
    }


def at_shutdown(to: Setting) -> str:
    """What becomes of a machine that shuts itself down."""
    ends = to.inputs["fleet"] or to.inputs["when_idle"] == "destroy"
    return "terminate" if ends else "stop"


def user_data(to: Setting) -> str | None:
    """What it does when it is new, as cloud-init takes it: gzip, for EC2 takes 16 KB.

    The header holds neither time nor system, so the same text gives the same bytes with the same zlib.
    """
    text = to.inputs["user_data"].encode()
    if not text:
        return None
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(text)
    return base64.b64encode(packed.getvalue()).decode()
