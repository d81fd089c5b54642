"""One GPU machine on AWS, or several behind a load balancer: what is offered, what a program is told, what it can."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.order import Order
from deployer.providers.api import Inputs, Program, Provider
from deployer.providers.boot import BootDialect
from deployer.providers.tags import Prefixed, of_machine
from stacks._aws import aws_cloud, explain
from stacks._aws.pricing import PRICING
from stacks._aws.regions import REGIONS

if TYPE_CHECKING:
    from deployer.providers.managers import Manager, Say
    from deployer.running.stack.driver import Driver
    from deployer.running.stack.request import ApplyRequest
    from deployer.sources.prices import PriceSource

NAME = "aws"

AMI_GIB = 75
"""The smallest root disk that the image starts with; taken up by the system. Recalled, not read."""
IMAGE_GIB = 25.0
"""The engine's container image, unpacked, where the order does not say: vLLM's, rounded up."""
WEIGHTS_FACTOR = 1.2
"""Room for the weights: tokenizer, adapter, partial downloads."""
DISK_STEP_GIB = 10

LOG_DAYS = 14
REPLACED_FOR = {"aws:ec2/instance:Instance": ("userDataBase64",)}
"""What is made anew, not changed, when one of these differs, as `program` asks for."""
SLOW = ("ec2/instance:", "ec2/vpc:", "ec2/subnet:", "lb/loadBalancer:", "autoscaling/group:")
"""What takes long enough to be announced before it is done."""
TAGS = Prefixed()
BOOT = BootDialect(
    script=Path(__file__).with_name("boot") / "cloud.sh",
    watchdog=Path(__file__).with_name("boot") / "watchdog_aws.py",
    proxy_image="public.ecr.aws/docker/library/nginx:1.28-alpine",  # Docker's own, from AWS's public registry
    most_bytes=16384,  # before base64
)
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


def inputs(order: Order) -> Mapping[str, Any]:
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
        "budget": None if policy.get("budget") is None else str(policy["budget"]),
        "tags": TAGS.write(of_machine(order)),
    }


def is_fleet(order: Order) -> bool:
    """Whether there are, or may be, several machines behind one address, or one that comes and goes."""
    replicas = order.get("replicas") or {"min": 1, "max": 1}
    single = (replicas["min"], replicas["max"]) == (1, 1)
    return not single or order["offer"]["billing"] == "spot" or bool(order["options"].get("domain"))


def requests_per_minute(order: Order) -> int:
    """What one machine answers a minute before another one is added."""
    seconds: float = max(1.0, order["traffic"]["output_tokens"] / TOKENS_PER_SECOND)
    return max(1, round(SHARE_OF_FULL * 60 * int(order["concurrency"]) / seconds))


def disk_gib(order: Order) -> int:
    """The size of the root disk: system, container image and weights, rounded up to 10 GiB.

    Weights of unknown size are taken to fill the GPUs' memory: more could not be served.
    """
    weights = order["weights_gib"]
    if weights is None:
        offer = order["offer"]
        weights = (offer["vram_mib"] or 0) * offer["gpu_count"] / 1024
    needed = AMI_GIB + IMAGE_GIB + WEIGHTS_FACTOR * float(weights)
    return math.ceil(needed / DISK_STEP_GIB) * DISK_STEP_GIB


def _bucket(source: str) -> Mapping[str, str] | None:
    """The bucket and prefix of an `s3://bucket/prefix` source."""
    if not source.startswith("s3://"):
        return None
    name, _, prefix = source.removeprefix("s3://").partition("/")
    return {"name": name, "prefix": prefix}


def balancer_name(inputs: Inputs) -> str | None:
    """The name that a fleet's own certificate is for; with a domain there is a public one."""
    if not inputs.get("fleet") or inputs.get("domain"):
        return None
    return f"*.{inputs['region']}.elb.amazonaws.com"


def _documentation() -> str:
    from stacks.cloud_gpu.aws import program

    return program.__doc__ or ""


def _run(inputs: Inputs) -> None:
    from stacks.cloud_gpu.aws.program import program

    program(inputs)


def _manager(home: Path, say: Say) -> Manager:
    from stacks.cloud_gpu.aws.manager import MachineManager

    return MachineManager(PROVIDER, home, say)


def _driver(request: ApplyRequest) -> Driver:
    from stacks.cloud_gpu.aws.driver import MachineDriver
    from stacks.cloud_gpu.aws.manager import MachineManager

    return MachineDriver(request, MachineManager(PROVIDER, request.store.home, request.say))


def _prices() -> PriceSource:
    from stacks._aws.prices import PublicLists

    return PublicLists(REGIONS.default)


PROVIDER = Provider(
    target="cloud-gpu",
    name=NAME,
    engines=("vllm", "sglang", "llama.cpp"),
    privacy="stays on a machine in your own AWS account, in the region that you name",
    offers=offers,
    inputs=inputs,
    runs="pulled",
    program=Program(
        run=_run,
        secrets=("apiKey", "caCertificate", "caKey"),
        packages=("pulumi", "pulumi-aws"),
        replaced_for=REPLACED_FOR,
        balancer=balancer_name,
        documentation=_documentation,
        slow=SLOW,
        unpriced=("deployment", "requests_per_minute", "user_data", "expose", "tags"),
    ),
    boot=BOOT,
    reads=("s3",),
    tags=TAGS,
    pricing=PRICING,
    driver=_driver,
    explain=explain,
    regions=REGIONS,
    manager=_manager,
    prices=_prices,
    cloud=aws_cloud,
)
