"""One GPU machine on AWS, or several behind a load balancer, in a network of their own, behind one HTTPS port.

This file and its parts in `_aws` import nothing from `deployer`: `program` is a complete Pulumi program (pulumi-aws 7)
that takes one plain mapping. Configuration it reads besides, because a plan cannot know it:

    deployer:callerCidr     who may connect when `expose` is `my-ip`, such as 198.51.100.7/32
    deployer:owner          the value of the tag `deployer:owner`
    deployer:zone           the availability zone of a single machine
    deployer:zones          those of a fleet, separated by commas
    deployer:expiresAt      when `expires` ends it, in UTC without an offset, such as 2026-11-30T12:00:00
    deployer:budgetEmail    who is told when AWS has billed 80 % and 100 % of the budget
    deployer:apiKey, hubToken, caCertificate, caKey                     (secrets) what the machine reads at boot
    deployer:balancerCertificate, balancerKey                           (secrets) what the load balancer answers with

Nothing is public by default: one port (443) for the addresses that `expose` names, no SSH (a shell is had
through AWS Systems Manager), encrypted disks, IMDSv2 out of the reach of containers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TARGET = "cloud-gpu"
NAME = "aws"
ENGINES = ("vllm", "sglang", "llama.cpp")
RUNS = "pulled"
PRIVACY = "stays on a machine in your own AWS account, in the region that you name"

AMI_GIB = 75
"""The smallest root disk that the image starts with; taken up by the system. Recalled, not read."""
IMAGE_GIB = 25.0
"""The engine's container image, unpacked, where the order does not say: vLLM's, rounded up."""
WEIGHTS_FACTOR = 1.2
"""Room for the weights: tokenizer, adapter, partial downloads."""
DISK_STEP_GIB = 10

WRITTEN_BY_HAND = "deployer:expires-at"
"""The tag that `deployer idle extend` writes."""
NOBODY = "192.0.2.1/32"
"""TEST-NET-1 (RFC 5737) routes nowhere: without a caller's address the port is open to nobody."""
ANYONE = "0.0.0.0/0"
LOG_DAYS = 14
REQUIRED = ("apiKey", "caCertificate", "caKey")
"""The secrets without which a machine would be open to everybody, or answer nobody."""
REPLACED_FOR = {"aws:ec2/instance:Instance": ("userDataBase64",)}
"""What is made anew, not changed, when one of these differs, as `program` asks for."""
ZONES = "abc"
"""The zones that a plan takes a region to have, where it was not asked: nearly every region has three."""
TOKENS_PER_SECOND = 30
SHARE_OF_FULL = 0.7
"""Where scaling by load begins: a machine that is asked for 0.7 of what it answers at 30 tokens a second."""


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


def image() -> str:
    """The public parameter that names the machine image: whether it may be read is asked before anything is made."""
    from ._aws.machine import AMI_PARAMETER

    return AMI_PARAMETER


def inputs(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    offer, options, policy = order["offer"], order["options"], order["policy"]
    return {
        "deployment": order["deployment"],
        "region": offer["region"],
        "instance_type": offer["instance_type"],
        "spot": offer["billing"] == "spot",
        "fleet": is_fleet(order),
        "replicas": dict(order.get("replicas") or {"min": 1, "max": 1}),
        "requests_per_minute": requests_per_minute(order),
        "domain": options.get("domain"),
        "user_data": order.get("files", {}).get("user-data", ""),
        "disk_gib": disk_gib(order),
        "expose": options.get("expose", "my-ip"),
        "bucket": _bucket(order["model"]["source"]),
        "log_days": LOG_DAYS,
        "when_idle": policy["idle"]["action"],
        "expires": policy["expires"],
        "budget": _text(policy.get("budget")),
        "tags": {
            "deployer:deployment": order["deployment"],
            "deployer:spec-digest": order["digest"],
            "deployer:expires-after": _expiry(policy["expires"]),
            "deployer:idle-after": f"{int(policy['idle']['after'])}s",
            "deployer:idle-action": policy["idle"]["action"],
            **_budget_tags(policy),
        },
    }


def _budget_tags(policy: Mapping[str, Any]) -> dict[str, str]:
    """What `deployer idle` reads of the month's budget, from the machine itself."""
    if policy.get("budget") is None:
        return {}
    over = str(policy.get("over_budget", "stop"))
    return {"deployer:budget": str(policy["budget"]), "deployer:over-budget": over}


def is_fleet(order: Mapping[str, Any]) -> bool:
    """Whether there are, or may be, several machines behind one address, or one that comes and goes."""
    replicas = order.get("replicas") or {"min": 1, "max": 1}
    single = (replicas["min"], replicas["max"]) == (1, 1)
    return not single or order["offer"]["billing"] == "spot" or bool(order["options"].get("domain"))


def requests_per_minute(order: Mapping[str, Any]) -> int:
    """What one machine answers a minute before another one is added."""
    seconds: float = max(1.0, order["traffic"]["output_tokens"] / TOKENS_PER_SECOND)
    return max(1, round(SHARE_OF_FULL * 60 * int(order["concurrency"]) / seconds))


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


def _text(amount: Any) -> str | None:
    """Keep an amount exact in plain data."""
    return None if amount is None else str(amount)


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

    from ._aws import fleet, identity, machine, network
    from ._aws.setting import Setting

    config = pulumi.Config("deployer")
    region = aws.Provider("aws", region=inputs["region"], ignore_tags={"keys": [WRITTEN_BY_HAND]})
    here = pulumi.ResourceOptions(provider=region)
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}
    cidrs = callers(inputs["expose"], config.get("callerCidr"))
    setting = Setting(
        inputs, tags, here, config, cidrs, zones(inputs, config.get("zone"), config.get("zones"))
    )

    places = network.declare(setting)
    kept = identity.keep(setting)
    profile = identity.profile(setting, kept)
    made = (fleet if inputs["fleet"] else machine).declare(setting, places, profile, kept)
    for name, value in {**kept.exports(), **made, "region": inputs["region"]}.items():
        pulumi.export(name, value)


def zones(inputs: Mapping[str, Any], one: str | None, several: str | None) -> list[str | None]:
    """The zones to be in: those told for a fleet, the one told for a machine; a plan has not asked."""
    if not inputs["fleet"]:
        return [one]
    return [*several.split(",")] if several else [f"{inputs['region']}{z}" for z in ZONES]
