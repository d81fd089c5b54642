"""Bedrock's Custom Model Import: which models it takes and why not, what is made, what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deployer.core.domain import ModelInfo, Resource
from deployer.planning import catalog, cost
from deployer.planning.catalog import models
from deployer.planning.traffic.profile import usage
from deployer.providers import registry
from deployer.providers.api import Host, Want
from deployer.providers.registry import data_files
from deployer.running.stack import offline
from stacks.serverless.bedrock import program as bedrock_program
from tests.kits.aws_orders import import_order as order

BEDROCK: Any = registry.provider("serverless", "bedrock")
CATALOG = catalog.load()
LLAMA = models.model("meta-llama/Llama-3.1-8B-Instruct")
TAKEN = [
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "mistralai/Mistral-Small-24B-Instruct-2501",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-14B-Instruct",
    "Qwen/Qwen2.5-32B-Instruct",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-32B",
]
REFUSED = {
    "Qwen/Qwen3-235B-A22B": "470 GB; Bedrock imports less than 200 GB",
    "Qwen/Qwen3-Next-80B-A3B-Instruct": "does not import Qwen3NextForCausalLM",
    "Qwen/Qwen3.5-27B": "does not import Qwen3_5ForConditionalGeneration",
    "Qwen/Qwen3.6-35B-A3B": "does not import Qwen3_5MoeForConditionalGeneration",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": "does not import Llama4ForConditionalGeneration",
    "google/gemma-2-9b-it": "does not import Gemma2ForCausalLM",
    "google/gemma-3-27b-it": "does not import Gemma3ForConditionalGeneration",
    "google/gemma-4-31B-it": "does not import Gemma4ForConditionalGeneration",
    "microsoft/phi-4": "does not import Phi3ForCausalLM",
    "deepseek-ai/DeepSeek-V3": "does not import DeepseekV3ForCausalLM",
    "moonshotai/Kimi-K2-Instruct": "does not import DeepseekV3ForCausalLM",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "does not import NemotronHForCausalLM",
    "openai/gpt-oss-20b": "FP32, FP16, BF16 weights, not mxfp4",
    "openai/gpt-oss-120b": "FP32, FP16, BF16 weights, not mxfp4",
}


def known(name: str) -> ModelInfo:
    found = models.model(name)
    assert found
    return found


def want(model: ModelInfo, region: str | None = "us-east-1", **more: Any) -> Want:
    return Want(region, {}, Host(4, 2**34), source=f"hf:{model.name}", model=model, **more)


def refusals(model: ModelInfo, region: str = "us-east-1", **more: Any) -> list[str]:
    return [one.reason for one in BEDROCK.refuses(want(model, region, **more), CATALOG)]


@pytest.mark.parametrize("name", TAKEN)
def test_a_model_on_the_list_is_taken(name):
    assert refusals(known(name)) == []


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_model_that_is_not_is_refused_with_the_reason(name, reason):
    (said,) = refusals(known(name))
    assert reason in said


def test_the_table_test_covers_more_than_twenty_models_and_the_list_has_a_date():
    assert len(TAKEN) + len(REFUSED) >= 20
    file = catalog.tables.read(data_files("rules.json")["bedrock"])
    for rules in file["rules"].values():
        source, date = file["sources"][rules["source"]]
        assert source
        assert date


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"native_dtype": "fp8"}, "not fp8"),
        ({"native_dtype": "awq"}, "not awq"),
        ({"max_context": 131073}, "beyond Bedrock's 131072"),
        ({"weights_bytes": 200 * 10**9}, "less than 200 GB"),
        ({"architecture": None}, "architecture is unknown"),
        ({"architecture": "MllamaForConditionalGeneration", "weights_bytes": 10**11}, "100 GB"),
        ({"file_format": "gguf"}, "not gguf"),
    ],
)
def test_each_limit_is_a_limit(changes, reason):
    said = refusals(replace(known("meta-llama/Llama-3.1-8B-Instruct"), **changes))
    assert reason in said[0]


@pytest.mark.parametrize("form", ["fp32", "fp16", "bf16"])
def test_the_formats_of_full_precision_are_taken(form):
    assert refusals(replace(known("Qwen/Qwen3-8B"), native_dtype=form)) == []


def test_gpt_oss_in_16_bits_is_taken_in_virginia_and_nowhere_else():
    merged = replace(known("openai/gpt-oss-20b"), native_dtype="bf16", weights_bytes=42 * 10**9)
    assert refusals(merged) == []
    assert refusals(merged, "us-west-2") == ["Bedrock imports GPT-OSS only in us-east-1"]


def test_a_region_without_it_names_those_that_have_it():
    assert BEDROCK.regions is not None
    said = BEDROCK.regions.refusal("eu-west-1") or ""
    assert "no region 'eu-west-1', only eu-central-1, us-east-1" in said
    assert set(BEDROCK.regions.countries) == set(CATALOG.rules("bedrock")["regions"]["names"])


def test_an_adapter_must_be_merged_first():
    assert "merge" in refusals(known("Qwen/Qwen3-8B"), adapter="hf:me/lora")[0]


@pytest.mark.parametrize(
    ("gb", "units"),
    [(1, (1, 2)), (16, (2, 2)), (17, (2, 2)), (60, (2, 8)), (141, (8, 8)), (190, (8, 16))],
)
def test_units_are_a_range_unless_a_model_of_this_size_is_known(gb, units):
    (offer,) = BEDROCK.offers(
        want(replace(known("Qwen/Qwen3-8B"), weights_bytes=gb * 10**9)), CATALOG
    )
    low, high = units
    assert offer.instance_type.split()[0] == str(low)
    assert offer.usd_per_hour == Decimal("0.05718") * 60 * (low + high) / 2
    assert (low == high) == ("an estimate" not in offer.source)


def made(inputs: Mapping[str, Any]) -> tuple[Resource, ...]:
    return offline.collect(BEDROCK.program.run, inputs, project="deployer", stack="test")


@pytest.fixture(scope="module")
def resources() -> tuple[Resource, ...]:
    return made(BEDROCK.inputs(order()))


def one(resources: tuple[Resource, ...], kind: str) -> Mapping[str, Any]:
    (found,) = [r.inputs for r in resources if r.type.endswith(f":{kind}")]
    return found


def test_everything_is_priced_or_free(resources):
    assert {r.type for r in resources} <= set(cost.every_pricing().rules) | set(
        cost.every_pricing().free
    )


def test_the_code_of_a_resource_is_not_part_of_a_plan(resources):
    assert "__provider" not in json.dumps([dict(r.inputs) for r in resources])


def test_the_bucket_is_private_and_goes_with_everything_in_it(resources):
    assert one(resources, "Bucket")["forceDestroy"] is True
    block = one(resources, "BucketPublicAccessBlock")
    assert all(value is True for key, value in block.items() if key != "bucket")


def test_weights_in_a_bucket_of_ones_own_are_neither_sent_nor_removed():
    kinds = {r.type for r in made(BEDROCK.inputs(order("s3://mine/models/a")))}
    assert not [kind for kind in kinds if "s3" in kind or "Weights" in kind]
    found = made(BEDROCK.inputs(order("s3://mine/models/a")))
    assert one(found, "BedrockModel")["uri"] == "s3://mine/models/a/"


def test_the_role_reads_only_its_bucket():
    policy = json.loads(
        one(made(BEDROCK.inputs(order("s3://mine/models/a"))), "RolePolicy")["policy"]
    )
    assert {s["Resource"] for s in policy["Statement"]} == {
        "arn:aws:s3:::mine",
        "arn:aws:s3:::mine/*",
    }
    assert {a for s in policy["Statement"] for a in s["Action"]} == {
        "s3:ListBucket",
        "s3:GetObject",
    }


def test_only_an_import_of_this_account_may_take_the_role_on():
    said = json.loads(bedrock_program._trust("us-east-1", "123456789012"))["Statement"][0]
    assert said["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert said["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def test_a_folder_that_changes_is_another_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"a")
    first = BEDROCK.inputs(order("./model", str(tmp_path)))
    assert BEDROCK.inputs(order("./model", str(tmp_path))) == first
    (tmp_path / "model.safetensors").write_bytes(b"ab")
    assert BEDROCK.inputs(order("./model", str(tmp_path))) != first


def bill(resource: Resource) -> Any:
    used = usage(
        {"requests_per_day": 10, "input_tokens": 100, "output_tokens": 100, "profile": "steady"},
        scale_to_zero_minutes=5,
        seconds_per_request=(1.0, 2.0),
    )
    return cost.estimate([resource], rates=CATALOG, usage=used, region="us-east-1")


def test_before_the_import_the_bill_is_a_range_over_units_and_afterwards_it_is_not():
    kind = "pulumi-python:dynamic/deployer:BedrockModel"
    before = bill(Resource(kind, "model", {"units": [2, 8]}))
    after = bill(Resource(kind, "model", {"units": [2, 8], "model_units": 2}))
    assert before.monthly_range[1] > 3 * before.monthly_range[0]
    storage = {i.component: i.monthly_usd for i in after.items}["model storage"]
    assert storage == 2 * Decimal("1.95")
    assert after.monthly_range[1] < 2 * after.monthly_range[0]


def test_asleep_it_costs_its_storage_and_no_more():
    made = bill(Resource("pulumi-python:dynamic/deployer:BedrockModel", "model", {"units": [2, 2]}))
    assert made.idle_hourly_usd == Decimal("3.90") / 730


def test_a_region_without_a_known_price_is_unpriced():
    (offer,) = BEDROCK.offers(want(known("Qwen/Qwen3-8B"), "us-east-2"), CATALOG)
    assert offer.usd_per_hour is None


def test_the_units_are_a_range_before_the_import_and_awss_figure_afterwards():
    offer = {"region": "us-east-1", "instance_type": "2 to 8 custom model units"}
    order = {
        "deployment": "mine-serverless",
        "digest": "0" * 64,
        "model": {"source": "s3://mine/model", "path": None},
        "weights_gib": 40.0,
        "offer": offer,
    }
    assert BEDROCK.inputs(order)["units"] == [2, 8]
    assert any(
        "2 to 8 are likely" in said for said in BEDROCK.warnings(BEDROCK.inputs(order), None)
    )
    made = BEDROCK.inputs({**order, "deployed": {"model_units": "4"}})
    assert made["units"] == [4, 4]
    assert not any("likely" in said for said in BEDROCK.warnings(made, None))
