"""Weights that lie in a bucket of S3 already, which both serverless services of AWS can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployer.core.domain import Plan
from deployer.core.errors import PrerequisiteError
from stacks._aws.session import Clients, understood


def weights_are_there(clients: Clients, plan: Plan) -> None:
    """Look at weights that lie in a bucket already.

    Raises:
        PrerequisiteError: there are none, or they may not be read.
    """
    weights: Mapping[str, Any] = plan.inputs.get("weights") or {}
    if "bucket" not in weights:
        return
    asked = {"Bucket": weights["bucket"], "Prefix": weights["prefix"], "MaxKeys": 1}
    with understood(f"list s3://{weights['bucket']}/{weights['prefix']} (s3:ListBucket)"):
        client = clients("s3")
        try:
            found = client.list_objects_v2(**asked)["KeyCount"]
        except client.exceptions.NoSuchBucket:
            found = 0
    if not found:
        raise PrerequisiteError(
            f"there is nothing at s3://{weights['bucket']}/{weights['prefix']}",
            hint="model.source must name the folder that holds config.json and the .safetensors files",
        )
