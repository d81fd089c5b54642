"""`auto` on serverless: who is taken, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kits.documents import printed

SPEC = """
name: mine
model: {{source: "{source}"{model}}}
traffic: {{requests_per_day: 200, profile: office-hours}}
policy: {{privacy: "{privacy}"}}
targets: {{serverless: {{provider: {provider}, region: {region}}}}}
"""


@pytest.fixture
def plan(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def made(source: str, **given: str) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "deployer.yaml"
        told = {
            "provider": "auto",
            "region": "us-east-1",
            "privacy": "cloud-ok",
            "model": "",
        } | given
        file.write_text(SPEC.format(source=source, **told))
        asked = ("plan", "-f", file, "--target", "serverless", "--offline")
        code, document, _ = printed(capsys, *asked)
        return code, document["plans"][0]

    return made


def said(shown: dict[str, Any], start: str) -> str:
    (found,) = [line for line in shown["warnings"] if line.startswith(start)]
    return str(found)


def test_the_cheapest_at_this_traffic_is_taken_and_the_others_are_named_with_what_they_cost(plan):
    code, shown = plan("hf:Qwen/Qwen3-8B")
    assert code == 0
    names = {"bedrock", "huggingface", "sagemaker"}
    for other in names - {shown["provider"]}:
        assert "USD/month at this traffic" in said(shown, f"{other}: ")
    offered = {row["provider"] for row in shown["alternatives"]}
    assert all(
        row["monthly_usd"] is None or row["monthly_usd"] > 0 for row in shown["alternatives"]
    )
    assert shown["provider"] in names
    assert offered <= names


def test_a_model_that_bedrock_does_not_import_goes_elsewhere_with_the_reason(plan):
    code, shown = plan("hf:google/gemma-2-9b-it")
    assert code == 0
    assert shown["provider"] != "bedrock"
    assert "does not import Gemma2ForCausalLM" in said(shown, "bedrock cannot serve it")


def test_a_region_decides(plan):
    code, shown = plan("hf:Qwen/Qwen3-8B", region="us-west-2")
    assert code == 0
    assert shown["provider"] == "bedrock"
    assert "no region 'us-west-2'" in said(shown, "huggingface cannot serve it")
    assert "SageMaker has no known price in us-west-2" in said(shown, "sagemaker cannot serve it")


def test_the_policy_decides(plan):
    code, shown = plan("hf:Qwen/Qwen3-8B", privacy="region:eu", region="us-east-1")
    assert code == 4
    assert "set targets.serverless.region" in " ".join(shown["reasons"])
    code, shown = plan("hf:Qwen/Qwen3-8B", privacy="region:eu", region="eu-central-1")
    assert (code, shown["provider"]) == (0, "bedrock")
    assert shown["cost"]["unpriced"], "its storage has no known price there"


def test_weights_in_a_bucket_are_not_for_hugging_face(plan):
    facts = ", facts: {params: 8000000000, layers: 32, kv_heads: 8, head_dim: 128, dtype: bf16}"
    code, shown = plan("s3://mine/model", model=facts)
    assert (code, shown["provider"]) == (0, "sagemaker")
    assert "a repository of the model hub" in said(shown, "huggingface cannot serve it")
    assert "architecture is unknown" in said(shown, "bedrock cannot serve it")


def test_one_that_was_named_and_cannot_says_why_and_exits_3(plan):
    code, shown = plan("hf:microsoft/phi-4", provider="bedrock")
    assert code == 3
    assert shown["reasons"][0].startswith("bedrock cannot serve it: Bedrock does not import Phi3")


def test_where_nobody_can_every_reason_is_given(plan):
    code, shown = plan("hf:Qwen/Qwen3-8B", region="sa-east-1")
    assert code == 3
    assert {line.split()[0] for line in shown["reasons"]} == {"bedrock", "huggingface", "sagemaker"}
