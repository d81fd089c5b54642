"""A dedicated Inference Endpoint of Hugging Face that scales to zero, on AWS or Google Cloud.

Hugging Face bills by the minute while the endpoint starts and runs, the same in every region of a cloud.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

TARGET = "serverless"
NAME = "huggingface"
ENGINES = ("vllm", "sglang", "llama.cpp")
PRIVACY = "prompts and answers pass through Hugging Face's cloud, in the region that you name"

REGIONS = {"us-east-1": "aws", "eu-west-1": "aws", "us-east4": "gcp"}
"""Where endpoints can be had, with the cloud that runs them (huggingface.co/docs/inference-endpoints/support/faq)."""
LEAST_IDLE_MINUTES = 15
"""The shortest time to scale to zero that Hugging Face offers."""


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """The instances of the cloud that runs the wanted region; without a region, all of them.

    Prices are those of the cloud; the offer names the region that was asked for. A region without
    endpoints gives nothing; the caller says so.
    """
    vendor = REGIONS.get(want.region) if want.region else None
    if want.region and vendor is None:
        return
    for offer in prices.offers(NAME):
        if vendor in (None, offer.region):
            yield replace(offer, region=want.region or _first_region(offer.region))


def _first_region(vendor: str) -> str:
    return next(region for region, runs_on in REGIONS.items() if runs_on == vendor)


def inputs(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn what was chosen into the endpoint's inputs.

    It scales to zero unless the spec asks for two replicas or more at all times.
    """
    offer, replicas = order["offer"], order.get("replicas") or {"min": 1, "max": 1}
    vendor, instance_type, size = offer["instance_type"].split("/")
    idle = order["policy"]["idle"]["after"] / 60
    return {
        "name": order["deployment"],
        "repository": _repository(order["model"]["source"]),
        "vendor": vendor,
        "region": offer["region"],
        "instance_type": instance_type,
        "instance_size": size,
        "accelerator": "gpu",
        "gpu_count": offer["gpu_count"],
        "engine": order["engine"],
        "quantization": order["quantization"],
        "context": order["context"],
        "min_replica": replicas["min"] if replicas["min"] > 1 else 0,
        "max_replica": replicas["max"],
        "scale_to_zero_minutes": max(LEAST_IDLE_MINUTES, idle),
        "type": "protected",  # callers need a token
    }


def _repository(source: str) -> str | None:
    """The hub's repository; a model that is only on this machine or in a bucket has none."""
    return source.removeprefix("hf:") if source.startswith("hf:") else None


def resources(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The one thing that will exist."""
    return [{"type": "huggingface:index:Endpoint", "name": inputs["name"], "inputs": dict(inputs)}]
