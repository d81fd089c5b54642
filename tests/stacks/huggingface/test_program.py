"""Inference Endpoints of Hugging Face: what is offered where, and the one endpoint that is made."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from deployer.core.domain import Offer
from deployer.planning import catalog, cost
from deployer.providers import registry
from deployer.providers.api import Host, Want

HF: Any = registry.provider("serverless", "huggingface")


def offers(region: str | None) -> list[Offer]:
    return list(HF.offers(Want(region, {}, Host(4, 2**34)), catalog.load()))


def endpoint(replicas: dict[str, int] | None = None, idle: int = 1800) -> dict[str, Any]:
    order = {
        "deployment": "support-bot-serverless",
        "spec_name": "support-bot",
        "model": {"source": "hf:Qwen/Qwen3-8B"},
        "engine": "vllm",
        "quantization": "bf16",
        "context": 8192,
        "replicas": replicas or {"min": 1, "max": 1},
        "offer": {"instance_type": "aws/nvidia-l4/x4", "region": "us-east-1", "gpu_count": 4},
        "gpus": 2,
        "policy": {"idle": {"after": idle, "action": "stop"}},
    }
    (made,) = HF.resources(HF.inputs(order))
    assert made["type"] in cost.every_pricing().rules
    inputs: dict[str, Any] = made["inputs"]
    return inputs


def test_it_works_without_importing_deployer():
    names = [
        name
        for file in registry.sources("serverless", "huggingface")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
    ]
    assert not [name for name in names if name and name.startswith("deployer")]


@pytest.mark.parametrize(
    ("region", "vendor"), [("us-east-1", "aws"), ("eu-west-1", "aws"), ("us-east4", "gcp")]
)
def test_a_region_is_served_by_its_cloud_and_named_in_the_offer(region, vendor):
    found = offers(region)
    assert found
    assert {o.instance_type.split("/")[0] for o in found} == {vendor}
    assert {o.region for o in found} == {region}


def test_without_a_region_every_cloud_is_offered():
    assert {o.region for o in offers(None)} == {"us-east-1", "us-east4"}


def test_a_region_without_endpoints_has_no_offer():
    assert offers("ap-south-1") == []


def test_every_offer_is_priced_and_billed_by_the_minute():
    for found in offers("us-east-1"):
        assert found.billing == "per-minute"
        assert found.usd_per_hour


def test_the_model_is_split_over_as_many_gpus_as_it_was_sized_for():
    assert (endpoint()["gpus"], endpoint()["gpu_count"]) == (2, 4)


def test_the_endpoint_says_where_and_what_it_is():
    made = endpoint()
    assert made["repository"] == "Qwen/Qwen3-8B"
    assert (made["vendor"], made["instance_type"], made["instance_size"]) == (
        "aws",
        "nvidia-l4",
        "x4",
    )
    assert made["type"] == "authenticated"


@pytest.mark.parametrize(
    ("replicas", "least"),
    [({"min": 1, "max": 1}, 0), ({"min": 0, "max": 4}, 0), ({"min": 2, "max": 4}, 2)],
)
def test_it_scales_to_zero_unless_several_are_wanted_at_all_times(replicas, least):
    assert endpoint(replicas)["min_replica"] == least


@pytest.mark.parametrize(("seconds", "minutes"), [(1800, 30), (60, 15)])
def test_it_sleeps_after_the_policys_time_but_no_sooner_than_can_be_had(seconds, minutes):
    assert endpoint(idle=seconds)["scale_to_zero_minutes"] == minutes
