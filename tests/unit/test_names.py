"""No module of `deployer/` names a provider or a cloud: whoever adds one touches its own folder alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.planning import catalog
from deployer.providers import registry

PACKAGE = Path(__file__).parents[2] / "deployer"
CLOUDS = (
    *("aws", "amazon", "amazonaws", "ec2", "s3", "ebs", "iam", "ecr", "boto", "boto3", "botocore", "imds"),
    *("dlami", "cloudwatch", "eventbridge", "route 53", "elb", "sagemaker", "bedrock", "cloudformation"),
    *("gcp", "google cloud", "gcloud", "azure", "lambda labs", "huggingface", "hugging face"),
    *("inference endpoint", "inference endpoints", r"(?:us|eu|ap)-(?:east|west|central)-\d"),
)  # fmt: skip
WORDS = {"modal", "replicate", "lambda"}
"""Names of providers that are words of the language, or of Python."""
HUB = "the model hub and its libraries are called so, whoever serves the model"
ALLOWED = {
    "agents/fetch_weights.py": HUB,
    "agents/mlx_server/__init__.py": HUB,
    "engines/sglang/container.py": HUB,
    "engines/vllm/container.py": HUB,
    "planning/model_facts/hf_config.py": HUB,
    "planning/model_facts/layers.py": HUB,
    "planning/model_facts/safetensors_header.py": HUB,
    "running/containers/evidence.py": HUB,
    "running/containers/inspection.py": HUB,
    "running/egress.py": HUB,
    "running/health.py": HUB,
    "running/native/hub_cache.py": HUB,
    "planning/model_facts/adapter.py": HUB,
    "running/stack/config.py": HUB,
    "sources/adapter_hub.py": HUB,
    "sources/model_access.py": HUB,
    "sources/model_hub.py": HUB,
    "spec/near_misses.py": HUB,
    "core/model_source.py": HUB,
    "core/domain/terms.py": "the maker of a chip, as of the others",
    "planning/catalog/gpus.py": "the maker of a chip, as of the others",
    "engines/fastapi/__init__.py": "the maker of a chip, as of the others",
    "engines/fastapi/container.py": "where its port comes from",
    "providers/module_form.py": "what a module of version 0.1 that names no packages was given",
}
"""Files that may, each with its reason."""


def pattern() -> re.Pattern[str]:
    found = {name for target, name in registry.every_provider() if target != "local"}
    named = (found | set(catalog.load().providers())) - WORDS
    return re.compile(
        rf"(?<![a-z0-9])(?:{'|'.join(sorted((*CLOUDS, *named)))})(?![a-z0-9])", re.IGNORECASE
    )


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name and every text of a source, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for field in ("id", "attr", "name", "arg", "asname", "module"):
            if isinstance(value := getattr(node, field, None), str):
                yield line, value
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield line, node.value


def named(source: str, words: re.Pattern[str]) -> list[str]:
    spelled = ((line, text.replace("_", " ")) for line, text in texts(ast.parse(source)))
    return sorted({f"{line}: {hit[0]}" for line, text in spelled for hit in words.finditer(text)})


def test_no_module_names_a_provider_or_a_cloud():
    words = pattern()
    found = {
        path: hits
        for file in sorted(PACKAGE.rglob("*.py"))
        if (path := str(file.relative_to(PACKAGE))) not in ALLOWED
        and (hits := named(file.read_text(), words))
    }
    assert found == {}


@pytest.mark.parametrize("path", ALLOWED)
def test_what_is_allowed_is_still_needed(path):
    assert named((PACKAGE / path).read_text(), pattern()), f"take {path} out of ALLOWED"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import boto3", ["1: boto3"]),
        ("def aws_price(x): ...", ["1: aws"]),
        ('"""Asks EC2."""', ["1: EC2"]),
        ("x = f'{1} runs on RunPod'", ["1: RunPod"]),
        ("call(region='us-east-1')", ["1: us-east-1"]),
        ("x.huggingface = lambda: laws", ["1: huggingface"]),
        ("laws = 'sources'", []),
    ],
)
def test_names_are_found_wherever_they_stand(source, found):
    assert named(source, pattern()) == found
