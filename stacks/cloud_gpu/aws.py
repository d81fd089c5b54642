"""One GPU machine on AWS, in a network of its own, behind one HTTPS port.

This file imports nothing from `deployer`: `program` is a complete Pulumi program (pulumi-aws 7) that takes
one plain mapping. Configuration it reads besides, because a plan cannot know it:

    deployer:callerCidr   who may connect when `expose` is `my-ip`, such as 198.51.100.7/32
    deployer:owner        the value of the tag `deployer:owner`

Nothing is public by default: one port (443) for the addresses that `expose` names, no SSH (a shell is had
through AWS Systems Manager), encrypted disk, IMDSv2 out of the reach of containers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TARGET = "cloud-gpu"
NAME = "aws"
ENGINES = ("vllm", "sglang", "llama.cpp")
PRIVACY = "stays on a machine in your own AWS account, in the region that you name"

AMI_PARAMETER = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
)
"""AWS's own Ubuntu with the NVIDIA driver, Docker and the NVIDIA container toolkit (public parameter)."""
AMI_GIB = 75
"""The smallest root disk that the image starts with; taken up by the system. Recalled, not read."""
IMAGE_GIB = 25.0
"""The engine's container image, unpacked, where the order does not say: vLLM's, rounded up."""
WEIGHTS_FACTOR = 1.2
"""Room for the weights: tokenizer, adapter, partial downloads."""
DISK_STEP_GIB = 10

HTTPS = 443
NOBODY = "192.0.2.1/32"
"""TEST-NET-1 (RFC 5737) routes nowhere: without a caller's address the port is open to nobody."""
ANYONE = "0.0.0.0/0"
NETWORK, SUBNET = "10.42.0.0/24", "10.42.0.0/25"
LOG_DAYS = 14
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"Service": "ec2.amazonaws.com"}}]}'
)
"""Only EC2 may take on the machine's role."""
SSM_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """The NVIDIA instance types of the wanted region, on-demand or spot.

    Inferentia, Trainium and slices of a GPU (g6f) are left out: the engines do not run on them. A region or
    a type that is not known gives nothing; the caller says so.
    """
    options = want.options
    instance = options.get("instance", "auto")
    billing = "spot" if options.get("spot") else "on-demand"
    for offer in prices.offers(NAME, want.region):
        wanted = instance in ("auto", offer.instance_type) and offer.billing == billing
        if wanted and _runs_engines(offer, prices.gpu(offer.gpu or "")):
            yield offer


def _runs_engines(offer: Any, gpu: Any) -> bool:
    if gpu is None or gpu.vendor != "nvidia":
        return False
    return offer.vram_mib is None or offer.vram_mib > gpu.vram_gb * 1024 * 0.75  # less is a slice


def inputs(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    offer, options, policy = order["offer"], order["options"], order["policy"]
    return {
        "deployment": order["deployment"],
        "region": offer["region"],
        "instance_type": offer["instance_type"],
        "spot": offer["billing"] == "spot",
        "disk_gib": disk_gib(order),
        "expose": options.get("expose", "my-ip"),
        "bucket": _bucket(order["model"]["source"]),
        "log_days": LOG_DAYS,
        "when_idle": policy["idle"]["action"],
        "tags": {
            "deployer:deployment": order["deployment"],
            "deployer:spec-digest": order["digest"],
            "deployer:expires-after": _expiry(policy["expires"]),
        },
    }


def disk_gib(order: Mapping[str, Any]) -> int:
    """The size of the root disk: system, container image and weights, rounded up to 10 GiB.

    Weights of unknown size are taken to fill the GPUs' memory: more could not be served.
    """
    weights = order["weights_gib"]
    if weights is None:
        offer = order["offer"]
        weights = (offer["vram_mib"] or 0) * offer["gpu_count"] / 1024
    needed = AMI_GIB + (order.get("image_gib") or IMAGE_GIB) + WEIGHTS_FACTOR * float(weights)
    return math.ceil(needed / DISK_STEP_GIB) * DISK_STEP_GIB


def _bucket(source: str) -> Mapping[str, str] | None:
    """The bucket and prefix of an `s3://bucket/prefix` source."""
    if not source.startswith("s3://"):
        return None
    name, _, prefix = source.removeprefix("s3://").partition("/")
    return {"name": name, "prefix": prefix}


def _expiry(seconds: float | None) -> str:
    """How long after its launch a machine may be removed: the clock is asked by whoever removes it."""
    return "never" if seconds is None else f"{int(seconds)}s"


def callers(expose: str | Sequence[str], caller: str | None) -> list[str]:
    """The CIDR blocks that may connect. `private` is nobody: Systems Manager forwards a port then."""
    if not isinstance(expose, str):
        return list(expose)
    return {"my-ip": [caller or NOBODY], "public": [ANYONE], "private": []}[expose]


def program(inputs: Mapping[str, Any]) -> None:
    """Declare everything that the machine needs, and export `endpoint` and the ids."""
    import pulumi
    import pulumi_aws as aws

    config = pulumi.Config("deployer")
    region = aws.Provider("aws", region=inputs["region"])
    here = pulumi.ResourceOptions(provider=region)
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}

    subnet = _network(inputs, tags, here)
    cidrs = callers(inputs["expose"], config.get("callerCidr"))
    access = _access(inputs, cidrs, tags, subnet, here)
    secret, logs = _kept(inputs, tags, here)
    allowed = pulumi.Output.all(secret.arn, logs.arn).apply(lambda arns: _allowed(inputs, *arns))
    profile = _identity(allowed, tags, here)
    machine = _machine(inputs, (subnet, access, profile), tags, here)
    pulumi.export("endpoint", pulumi.Output.concat("https://", machine.public_ip, "/v1"))
    pulumi.export("region", inputs["region"])
    pulumi.export("instance_id", machine.id)
    pulumi.export("secret_arn", secret.arn)
    pulumi.export("log_group", logs.name)


def _kept(inputs: Mapping[str, Any], tags: dict[str, str], here: Any) -> tuple[Any, Any]:
    """Where the API key and the log are kept. The key itself is put there when it is made, not here."""
    from pulumi_aws import cloudwatch, secretsmanager

    secret = secretsmanager.Secret(
        "api-key",
        description=f"API key of {inputs['deployment']}",
        recovery_window_in_days=0,  # nothing is left behind, and the name is free at once
        tags=tags,
        opts=here,
    )
    logs = cloudwatch.LogGroup(
        "logs",
        name=f"/deployer/{inputs['deployment']}",
        retention_in_days=inputs["log_days"],
        tags=tags,
        opts=here,
    )
    return secret, logs


def _network(inputs: Mapping[str, Any], tags: dict[str, str], here: Any) -> Any:
    """A network of its own with one public subnet, and a free way to S3."""
    from pulumi_aws import ec2

    vpc = ec2.Vpc("network", cidr_block=NETWORK, enable_dns_hostnames=True, tags=tags, opts=here)
    gateway = ec2.InternetGateway("gateway", vpc_id=vpc.id, tags=tags, opts=here)
    subnet = ec2.Subnet("public", vpc_id=vpc.id, cidr_block=SUBNET, tags=tags, opts=here)
    routes = ec2.RouteTable(
        "routes",
        vpc_id=vpc.id,
        routes=[{"cidr_block": ANYONE, "gateway_id": gateway.id}],
        tags=tags,
        opts=here,
    )
    ec2.RouteTableAssociation("route", subnet_id=subnet.id, route_table_id=routes.id, opts=here)
    ec2.VpcEndpoint(
        "s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{inputs['region']}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[routes.id],
        tags=tags,
        opts=here,
    )
    return subnet


def _identity(allowed: Any, tags: dict[str, str], here: Any) -> Any:
    """What the machine may do: read its own secret and weights, write its own log, be managed."""
    from pulumi_aws import iam

    role = iam.Role("role", assume_role_policy=TRUST, tags=tags, opts=here)
    iam.RolePolicy("own-things", role=role.name, policy=allowed, opts=here)
    iam.RolePolicyAttachment("managed", role=role.name, policy_arn=SSM_POLICY, opts=here)
    return iam.InstanceProfile("profile", role=role.name, tags=tags, opts=here)


def _allowed(inputs: Mapping[str, Any], secret: str, logs: str) -> str:
    """The policy document: this secret, this log group, and the bucket of the weights if there is one."""
    statements = [
        _allow(["secretsmanager:GetSecretValue"], secret),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{logs}:*"),
    ]
    bucket = inputs["bucket"]
    if bucket:
        arn = f"arn:aws:s3:::{bucket['name']}"
        within = {"StringLike": {"s3:prefix": f"{bucket['prefix']}*"}}
        statements += [
            _allow(["s3:GetObject"], f"{arn}/{bucket['prefix']}*"),
            {**_allow(["s3:ListBucket"], arn), "Condition": within},
        ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _allow(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _access(
    inputs: Mapping[str, Any], cidrs: Sequence[str], tags: dict[str, str], subnet: Any, here: Any
) -> Any:
    """HTTPS in from the callers; HTTPS out, for images, weights and AWS itself."""
    from pulumi_aws import ec2

    return ec2.SecurityGroup(
        "access",
        description=f"{inputs['deployment']}: HTTPS from its callers",
        vpc_id=subnet.vpc_id,
        ingress=_rules(cidrs),
        egress=_rules([ANYONE]),
        tags=tags,
        opts=here,
    )


def _rules(cidrs: Sequence[str]) -> Any:
    if not cidrs:
        return []
    port = {"protocol": "tcp", "from_port": HTTPS, "to_port": HTTPS}
    return [{**port, "cidr_blocks": list(cidrs)}]


def _machine(
    inputs: Mapping[str, Any], placed: tuple[Any, Any, Any], tags: dict[str, str], here: Any
) -> Any:
    """The instance; `placed` is its subnet, security group and instance profile.

    A newer machine image does not replace a running machine. A public address is needed to pull images and
    weights even where nobody may connect: it costs a tenth of a NAT gateway.
    """
    import pulumi
    from pulumi_aws import ec2, ssm

    subnet, access, profile = placed
    asking = pulumi.InvokeOutputOptions(provider=here.provider)
    ends = inputs["spot"] or inputs["when_idle"] == "destroy"
    return ec2.Instance(
        "machine",
        ami=ssm.get_parameter_output(name=AMI_PARAMETER, opts=asking).value,
        instance_type=inputs["instance_type"],
        subnet_id=subnet.id,
        vpc_security_group_ids=[access.id],
        iam_instance_profile=profile.name,
        associate_public_ip_address=True,
        instance_initiated_shutdown_behavior="terminate" if ends else "stop",
        instance_market_options={"market_type": "spot"} if inputs["spot"] else None,
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        root_block_device={
            "volume_type": "gp3",
            "volume_size": inputs["disk_gib"],
            "encrypted": True,
            "delete_on_termination": True,
            "tags": tags,
        },
        tags={**tags, "Name": inputs["deployment"]},
        opts=pulumi.ResourceOptions.merge(here, pulumi.ResourceOptions(ignore_changes=["ami"])),
    )
