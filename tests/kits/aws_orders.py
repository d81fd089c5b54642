"""What the providers on AWS are asked for in tests: orders of every kind that changes what their programs make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USER_DATA = "#cloud-config\n# of the test\n"
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "spot": {"spot": True},
    "fleet": {"replicas": {"min": 1, "max": 4}},
    "pair": {"replicas": {"min": 2, "max": 2}},
    "domain": {"domain": "llm.example.com"},
    "private-fleet": {"replicas": {"min": 0, "max": 2}, "expose": "private"},
    "private": {"expose": "private"},
    "listed": {"expose": ["198.51.100.0/24", "203.0.113.7/32"]},
    "s3": {"source": "s3://models/qwen/8b"},
    "unknown-size": {"weights_gib": None},
    "throwaway": {"idle": "destroy", "expires": 604800, "budget": "400"},
    "expiring-fleet": {"replicas": {"min": 2, "max": 2}, "expires": 3600},
}


def machine_order(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order of rented machines; `given` is one of `VARIANTS`."""
    return {
        "deployment": "support-bot-cloud-gpu",
        "spec_name": "support-bot",
        "digest": "0" * 64,
        "model": {"source": given.get("source", "hf:Qwen/Qwen3-8B"), "name": "Qwen3-8B"},
        "engine": "vllm",
        "concurrency": 8,
        "traffic": {"output_tokens": 300},
        "replicas": given.get("replicas", {"min": 1, "max": 1}),
        "files": {"user-data": USER_DATA},
        "weights_gib": given.get("weights_gib", 15.3),
        "offer": {
            "region": "us-east-1",
            "instance_type": "g6.xlarge",
            "billing": "spot" if given.get("spot") else "on-demand",
            "gpu_count": 1,
            "vram_mib": 22888,
        },
        "options": {
            "region": "us-east-1",
            "expose": given.get("expose", "my-ip"),
            "domain": given.get("domain"),
        },
        "policy": {
            "expires": given.get("expires"),
            "budget": given.get("budget"),
            "idle": {"after": 1800, "action": given.get("idle", "stop")},
        },
    }


def component_order(
    source: str = "hf:Qwen/Qwen3-8B@main", least: int = 1, most: int = 2
) -> dict[str, Any]:
    """Return the order of an inference component of SageMaker, of so many copies."""
    return {
        "deployment": "mine-serverless",
        "spec_name": "mine",
        "digest": "0" * 64,
        "model": {"source": source, "path": None},
        "weights_gib": 15.25,
        "context": 8192,
        "concurrency": 8,
        "gpus": 1,
        "quantization": "bf16",
        "replicas": {"min": least, "max": most},
        "policy": {"idle": {"after": 1800}},
        "offer": {"region": "us-east-1", "instance_type": "ml.g6e.xlarge", "memory_gib": 32.0},
    }


def import_order(source: str = "hf:Qwen/Qwen3-8B", path: str | None = None) -> dict[str, Any]:
    """Return the order of an imported model of Bedrock; `path` is a folder with its files."""
    return {
        "deployment": "mine-serverless",
        "digest": "0" * 64,
        "model": {"source": source, "path": path},
        "weights_gib": 15.25,
        "offer": {"region": "us-east-1", "instance_type": "2 to 8 custom model units"},
    }
