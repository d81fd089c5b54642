"""The Pulumi program of an Inference Endpoint. Imports nothing from `deployer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import _dynamic  # noqa: TID252 - written out, it lies in another package

KIND = "HuggingFaceEndpoint"


def program(inputs: Mapping[str, Any]) -> None:
    """Declare the endpoint and export its address."""
    import pulumi

    config = pulumi.Config("deployer")
    told = {key: config.get(key) for key in ("owner", "state")}
    stamps = {key: value for key, value in told.items() if value}
    given = {**inputs, **stamps}
    made = _dynamic.resource(KIND, "endpoint", "huggingface/program/endpoint", given)
    pulumi.export("endpoint", made.url.apply(lambda url: f"{url}/v1" if url else None))
    pulumi.export("region", inputs["region"])
    pulumi.export("endpoint_name", inputs["name"])
    pulumi.export("key", "hub-token")  # callers send their own Hugging Face token
