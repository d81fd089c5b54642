"""A dedicated Inference Endpoint of Hugging Face that scales to zero, on AWS or Google Cloud.

Hugging Face bills by the minute while the endpoint starts and runs, the same in every region of a cloud.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.order import Order
from deployer.engines import engine
from deployer.providers.api import Inputs, Pricing, Program, Provider, Refusal, Sleep
from deployer.providers.managers import Manager, Say
from deployer.providers.regions import Regions
from deployer.running import endpoints
from stacks.serverless.huggingface import NAME, pricing

if TYPE_CHECKING:
    from deployer.providers.cloud import Cloud
    from deployer.running.endpoints.service import Service
    from deployer.sources.prices import PriceSource


CLOUDS = {"us-east-1": "aws", "eu-west-1": "aws", "us-east4": "gcp"}
"""Where endpoints can be had, with the cloud that runs them (huggingface.co/docs/inference-endpoints/support/faq)."""
REGIONS = Regions("us-east-1", {"us-east-1": "us", "eu-west-1": "ie", "us-east4": "us"})
LEAST_IDLE_MINUTES = 15
"""The shortest time to scale to zero that Hugging Face offers."""
COLD_START_MINUTES = (1.0, 5.0)
"""An estimate: Hugging Face says that it depends on the model and gives no figure."""
LONGEST_NAME = 32
KIND = "HuggingFaceEndpoint"


def idle_minutes(after_s: float) -> int:
    """How long it stays awake after the last request, in whole minutes."""
    return max(LEAST_IDLE_MINUTES, math.ceil(after_s / 60))


def refuses(want: Any, prices: Any) -> Iterator[Refusal]:  # noqa: ARG001 - one signature for all
    """Why it cannot be served there."""
    if want.source and not want.source.startswith("hf:"):
        yield Refusal(
            "an Inference Endpoint serves a repository of the model hub (hf:...), nothing else",
            "model.source",
        )
    if want.adapter:
        yield Refusal(
            "adapters are not served there in this version: merge it into the model",
            "model.adapter",
        )


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """The instances of the cloud that runs the wanted region; without a region, all of them.

    Prices are those of the cloud; the offer names the region that was asked for. A region without
    endpoints gives nothing; the caller says so.
    """
    vendor = CLOUDS.get(want.region) if want.region else None
    if want.region and vendor is None:
        return
    for offer in prices.offers(NAME):
        if vendor in (None, offer.region):
            yield replace(offer, region=want.region or _first_region(offer.region))


def _first_region(vendor: str) -> str:
    return next(region for region, runs_on in CLOUDS.items() if runs_on == vendor)


def inputs(order: Order) -> Mapping[str, Any]:
    """Turn what was chosen into the endpoint's inputs.

    It scales to zero unless the spec asks for two replicas or more at all times.
    """
    offer, replicas = order["offer"], order.get("replicas") or {"min": 1, "max": 1}
    vendor, instance_type, size = offer["instance_type"].split("/")
    return {
        "deployment": order["deployment"],
        "name": endpoint_name(order["deployment"]),
        "served_name": order["spec_name"],
        "repository": _repository(order["model"]["source"]),
        "vendor": vendor,
        "region": offer["region"],
        "instance_type": instance_type,
        "instance_size": size,
        "accelerator": "gpu",
        "gpu_count": offer["gpu_count"],
        "gpus": order["gpus"],
        "engine": order["engine"],
        "quantization": order.get("quantize"),
        "environment": dict(engine(order["engine"]).silent),
        "context": order["context"],
        "min_replica": replicas["min"] if replicas["min"] > 1 else 0,
        "max_replica": replicas["max"],
        "scale_to_zero_minutes": idle_minutes(order["policy"]["idle"]["after"]),
        "type": "authenticated",  # callers need a token
    }


def endpoint_name(deployment: str) -> str:
    """Return the endpoint's name: the deployment's, or its beginning and a digest where Hugging Face would refuse it."""
    if len(deployment) <= LONGEST_NAME:
        return deployment
    return f"{deployment[: LONGEST_NAME - 9]}-{sha256(deployment.encode()).hexdigest()[:8]}"


def _repository(source: str) -> str | None:
    """The hub's repository; a model that is only on this machine or in a bucket has none."""
    return source.removeprefix("hf:") if source.startswith("hf:") else None


def resources(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `program` declares, without running it: a plan need not load Pulumi for one thing."""
    given = {"type": f"pulumi-python:dynamic/deployer:{KIND}", "name": "endpoint"}
    return [{**given, "inputs": dict(inputs)}]


def warnings(inputs: Mapping[str, Any], offer: Any) -> Iterator[str]:  # noqa: ARG001 - one signature for all
    """What should be known before it is applied."""
    yield "callers need a Hugging Face token: HF_TOKEN is what they send as the API key"


def _run(inputs: Inputs) -> None:
    from stacks.serverless.huggingface.program import program

    program(inputs)


def _service(_region: str | None) -> Service:
    from stacks.serverless.huggingface.service import Hub

    return Hub()


def _manager(home: Path, say: Say) -> Manager:
    from deployer.running.endpoints.manager import EndpointManager

    return EndpointManager(PROVIDER, home, say, service=_service)


def _prices() -> PriceSource:
    from stacks.serverless.huggingface.prices import OwnListing

    return OwnListing()


def _cloud() -> Cloud:
    from stacks.serverless.huggingface.cloud import HuggingFaceCloud

    return HuggingFaceCloud()


PROVIDER = Provider(
    target="serverless",
    name=NAME,
    engines=("vllm", "sglang"),
    privacy="prompts and answers pass through Hugging Face's cloud, in the region that you name",
    offers=offers,
    inputs=inputs,
    resources=resources,
    program=Program(run=_run, voices=("huggingface",)),
    refuses=refuses,
    warnings=warnings,
    sleep=Sleep(idle_minutes, COLD_START_MINUTES, least="min_replica"),
    pricing=Pricing(pricing.RULES),
    driver=endpoints.make_driver,
    manager=_manager,
    prices=_prices,
    cloud=_cloud,
    regions=REGIONS,
)
