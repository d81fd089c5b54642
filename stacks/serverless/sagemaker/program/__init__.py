"""The Pulumi program of an inference component that scales to zero. Imports nothing from `deployer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IMAGE = "763104351884.dkr.ecr.{region}.amazonaws.com/vllm:server-sagemaker-cuda-v1"
"""AWS's own vLLM image (aws.github.io/deep-learning-containers/vllm/deployment/sagemaker, 2026-04-25)."""
AMI = "al2-ami-sagemaker-inference-gpu-3-1"
"""The instances' image with a driver for CUDA 12.9, as that page names it."""
START_S = 1800
"""The longest that the container may take to download the weights, and as long again to load them."""


def program(inputs: Mapping[str, Any]) -> None:
    """Declare model, endpoint, inference component and what scales it, and export the names."""
    import pulumi
    import pulumi_aws as aws

    from . import components, scaling

    config = pulumi.Config("deployer")
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}
    if state := config.get("state"):
        tags["deployer:state"] = state
    here = pulumi.ResourceOptions(provider=aws.Provider("aws", region=inputs["region"]))
    made = components.declare(
        inputs, tags, here, IMAGE.format(region=inputs["region"]), AMI, START_S
    )
    scaling.declare(inputs, tags, here, made.component)
    pulumi.export("endpoint", None)
    pulumi.export("region", inputs["region"])
    pulumi.export("endpoint_name", made.endpoint.name)
    pulumi.export("inference_component", components.component_name(inputs))
    pulumi.export("log_group", made.logs.name)
