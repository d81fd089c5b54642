"""A GPU machine on Lambda: what is offered, what a program is told, what it can.

Lambda has no stop: a machine runs and is billed until it is terminated, which only the account's key can do. So no
machine ends itself, and `deployer idle` must run for whoever wants idle or expired ones ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.domain import Offer
from deployer.core.model_source import in_bucket
from deployer.core.order import Order
from deployer.providers.api import Inputs, Prices, Program, Provider, Refusal, Want
from deployer.providers.boot import BootDialect
from deployer.providers.tags import Prefixed, of_machine

from .errors import explain
from .pricing import PRICING
from .program.dynamic.rest import has_key
from .regions import REGIONS, to_try

if TYPE_CHECKING:
    from deployer.providers.cloud import Cloud
    from deployer.providers.managers import Manager, Say
    from deployer.running.stack.driver import Driver
    from deployer.running.stack.request import ApplyRequest
    from deployer.sources.prices import PriceSource

NAME = "lambda"
TAGS = Prefixed()
ARM = ("GH200",)
"""The GPUs whose machines have an arm64 processor."""
IMAGE_FAMILY = "lambda-stack-24-04"
"""Ubuntu 24.04 with NVIDIA's driver, Docker and the NVIDIA container toolkit, for x86_64 and arm64."""
BOOT = BootDialect(
    script=Path(__file__).with_name("boot") / "cloud.sh",
    watchdog=Path(__file__).with_name("boot") / "watchdog_lambda.py",
    proxy_image="public.ecr.aws/docker/library/nginx:1.28-alpine",  # Docker's own, for both processors
    most_bytes=900_000,  # Lambda takes 1 MB of plain text, the secrets among it
)
NO_STOP = (
    "Lambda has no stop: a machine is billed until it is destroyed, and its weights go with it"
)
DESTROY = "set policy.idle.action: destroy (or none, to keep it running)"


def offers(want: Want, prices: Prices) -> Iterator[Offer]:
    """Return the machines of the wanted region: the price is the same in all of them.

    Whether one is free there is only seen when it is launched. A GGUF file is not served on arm64: the engine's image
    for it with CUDA is for x86_64 alone.
    """
    instance = want.options.get("instance", "auto")
    if want.options.get("spot") or (want.region and want.region not in REGIONS.countries):
        return
    gguf = want.model is not None and want.model.file_format == "gguf"
    for offer in prices.offers(NAME):
        if instance in ("auto", offer.instance_type) and not (
            gguf and architecture(offer.gpu) == "arm64"
        ):
            yield replace(offer, region=want.region or REGIONS.default)


def architecture(gpu: str | None) -> str:
    """Return the processor of a machine with that GPU."""
    return "arm64" if (gpu or "").startswith(ARM) else "x86_64"


def refuses(want: Want, prices: Prices) -> Iterator[Refusal]:  # noqa: ARG001 - one signature for all
    """Say why a spec cannot be served there at all, and what would be."""
    options = want.options
    if want.idle_action == "stop":
        yield Refusal(f"{NO_STOP}: {DESTROY}", "policy.idle.action")
    if want.replicas != (1, 1):
        yield Refusal(
            "it serves one machine, without a load balancer: set serve.replicas: 1",
            "serve.replicas",
        )
    if options.get("spot"):
        yield Refusal(
            "Lambda has no spot machines: leave targets.cloud-gpu.spot out",
            "targets.cloud-gpu.spot",
        )
    if options.get("domain"):
        yield Refusal(
            "it has no load balancer and no name service: leave targets.cloud-gpu.domain out",
            "targets.cloud-gpu.domain",
        )
    if in_bucket(want.source):
        yield Refusal(
            "a machine of Lambda has no account of a bucket's: publish the model on the hub (hf:...)",
            "model.source",
        )
    yield from _closed(options.get("expose", "my-ip"))


def _closed(expose: Any) -> Iterator[Refusal]:
    if expose == "private":
        yield Refusal(
            "a machine of Lambda has a public address alone: expose my-ip, public or a list of blocks",
            "targets.cloud-gpu.expose",
        )
    blocks = () if isinstance(expose, str) else expose
    if six := [block for block in blocks if ip_network(block).version == 6]:
        yield Refusal(
            f"Lambda's firewall takes IPv4 blocks alone, not {six[0]}", "targets.cloud-gpu.expose"
        )


def inputs(order: Order) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    offer, options, policy = order["offer"], order["options"], order["policy"]
    tags = of_machine(order)
    if tags["idle-action"] == "stop":  # the spec's default: one that was written is refused
        tags["idle-action"] = "destroy"
    return {
        "deployment": order["deployment"],
        "region": offer["region"],
        "regions": to_try(options.get("region"), policy["privacy"]),
        "instance_type": offer["instance_type"],
        "architecture": architecture(offer["gpu"]),
        "image_family": IMAGE_FAMILY,
        "engine": order["engine"],
        "user_data": order.get("files", {}).get("user-data", ""),
        "expose": options.get("expose", "my-ip"),
        "when_idle": policy["idle"]["action"],
        "expires": policy["expires"],
        "tags": TAGS.write(tags),
    }


def warnings(inputs: Inputs, offer: Offer) -> Iterator[str]:
    """Say what should be known before it is applied."""
    ends = inputs["when_idle"] != "none" or inputs["expires"] is not None
    if inputs["when_idle"] == "stop":
        yield f"{NO_STOP}: idle, it is destroyed where the default would stop it. To say so, {DESTROY}"
    if ends:
        yield (
            "nothing on a machine of Lambda can end it: that takes the account's key. 'deployer idle destroy' must run"
            " now and then, from an address that `expose` lets in: 'deployer idle render' writes what runs it"
        )
    if len(inputs["regions"]) > 1:
        yield (
            f"{offer.instance_type} is launched in {inputs['region']}, or where there is one when it has none:"
            " name targets.cloud-gpu.region to have it there alone"
        )
    if inputs["architecture"] == "arm64":
        yield f"its processor is arm64: whether the image of {inputs['engine']} is made for it was not checked"
    yield (
        "the API key, the hub token and the certificate's key are in the machine's user data, where Lambda keeps them;"
        " its API never shows them, and on the machine only root reads them"
    )


def _documentation() -> str:
    from . import program

    return program.__doc__ or ""


def _run(inputs: Inputs) -> None:
    from .program import program

    program(inputs)


def _manager(home: Path, say: Say) -> Manager:
    from .manager import LambdaManager

    return LambdaManager(PROVIDER, home, say)


def _driver(request: ApplyRequest) -> Driver:
    from .driver import LambdaDriver
    from .manager import LambdaManager

    return LambdaDriver(request, LambdaManager(PROVIDER, request.store.home, request.say))


def _prices() -> PriceSource:
    from .prices import OwnListing

    return OwnListing()


def _cloud() -> Cloud:
    from .cloud import LambdaCloud

    return LambdaCloud()


PROVIDER = Provider(
    target="cloud-gpu",
    name=NAME,
    engines=("vllm", "sglang", "llama.cpp"),
    privacy="stays on a machine of Lambda's in your account, in the region that you name",
    offers=offers,
    inputs=inputs,
    runs="pulled",
    program=Program(
        run=_run,
        secrets=("apiKey", "caCertificate", "caKey"),
        packages=("pulumi", "httpx", "cryptography"),
        voices=("lambda",),
        documentation=_documentation,
        unpriced=(
            "deployment",
            "regions",
            "engine",
            "user_data",
            "expose",
            "when_idle",
            "expires",
            "tags",
        ),
    ),
    refuses=refuses,
    warnings=warnings,
    boot=BOOT,
    tags=TAGS,
    pricing=PRICING,
    driver=_driver,
    explain=explain,
    regions=REGIONS,
    manager=_manager,
    prices=_prices,
    cloud=_cloud,
    configured=has_key,
)
