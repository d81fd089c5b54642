"""A model of your own in Amazon Bedrock (Custom Model Import): no machine, no endpoint, asleep after 5 minutes.

This file imports nothing from `deployer`: `program` is a complete Pulumi program that takes one plain mapping.
Calls go through InvokeModel with the OpenAI body; `deployer proxy` gives it an OpenAI route.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import _dynamic, _weights
from ._bedrock import fit

TARGET = "serverless"
NAME = "bedrock"
ENGINES = ("bedrock",)
PRIVACY = "prompts and answers stay in your AWS account's Bedrock, in the region that you name; weights lie in your bucket"

IDLE_MINUTES = 5.0
"""It sleeps after 5 minutes without a call, and is billed in windows of 5 minutes; neither can be changed."""
WINDOW_MINUTES = 5.0
"""What is billed at least each time that it wakes."""
COLD_START_MINUTES = (0.2, 1.5)
"""AWS: tens of seconds to about a minute (AWS Machine Learning Blog, as read 2026-10-05); a large model, longer."""
MINUTES_PER_HOUR = 60
UNITS = " custom model units"
TENSORS = ("F32", "F16", "BF16")
"""What a safetensors file may hold here, as the format names its types."""


def idle_minutes(after_s: float) -> float:  # noqa: ARG001 - the provider decides
    """How long it stays awake after a call."""
    return IDLE_MINUTES


def refuses(want: Any, prices: Any) -> Iterator[str]:
    """Why the wanted model cannot be imported in the wanted region."""
    if want.adapter:
        yield "Bedrock imports merged weights: merge the adapter into the model first"
    if want.model is not None:
        yield from fit.refusals(want.model, want.region, prices.rules(NAME))
    if want.source.startswith(("./", "../", "/")) and want.source.endswith(".gguf"):
        yield "Bedrock imports a folder with safetensors, not a GGUF file"


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """One copy of the model: the units that it is likely to take, at the price of a unit."""
    if want.region is None or want.model is None:
        return
    low, high = fit.units(want.model.weights_bytes, prices.rules(NAME))
    rate = prices.rate("bedrock-cmi-active", want.region)
    counted = f"{low}" if low == high else f"{low} to {high}"
    yield want.offer(
        provider=NAME,
        region=want.region,
        instance_type=f"{counted}{UNITS}",
        usd_per_hour=None if rate.usd is None else _hourly(rate.usd, low, high),
        billing="per-5-minutes",
        source=f"{rate.source}; units: {'as published for a model of this size' if low == high else 'an estimate'}",
        as_of=rate.as_of,
    )


def _hourly(minute: Any, low: int, high: int) -> Any:
    return (minute * MINUTES_PER_HOUR * (low + high) / 2).normalize()


def inputs(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    return {
        "deployment": order["deployment"],
        "region": order["offer"]["region"],
        "weights": _weights.origin(order),
        "units": _units(order),
        "scale_to_zero_minutes": IDLE_MINUTES,
        "tags": {
            "deployer:deployment": order["deployment"],
            "deployer:spec-digest": order["digest"],
        },
    }


def _units(order: Mapping[str, Any]) -> list[int]:
    """How many units one copy takes: what AWS said after the import, or before it what is likely."""
    known = (order.get("deployed") or {}).get("model_units")
    return [int(known)] * 2 if known else _counted(order["offer"]["instance_type"])


def _counted(offered: str) -> list[int]:
    """The units of an offer, lowest and highest: `2 to 8 custom model units`."""
    counts = offered.removesuffix(UNITS).split(" to ")
    return [int(counts[0]), int(counts[-1])]


def warnings(inputs: Mapping[str, Any], offer: Any) -> Iterator[str]:  # noqa: ARG001 - one signature for all
    """What should be known before it is applied."""
    low, high = inputs["units"]
    if low != high:
        yield f"AWS says how many custom model units it takes only after the import: {low} to {high} are likely"
    yield "one copy is planned and priced: Bedrock adds copies by itself when more is asked than one can answer"
    if "repository" in inputs["weights"]:
        yield "the weights go through this machine: from the hub to its cache, then to the bucket in your account"
    yield "it has no OpenAI route of its own: 'deployer proxy' gives it one"


def program(inputs: Mapping[str, Any]) -> None:
    """Declare bucket, weights, role and import, and export the model's ARN and its units."""
    import pulumi
    import pulumi_aws as aws

    owner = pulumi.Config("deployer").get("owner") or "unknown"
    tags = {**inputs["tags"], "deployer:owner": owner}
    here = pulumi.ResourceOptions(provider=aws.Provider("aws", region=inputs["region"]))
    bucket, uri, before = _weights.declare(inputs, tags, here, {"tensors": list(TENSORS)})
    role, allowed = _role(bucket, inputs, tags, here)
    model = _dynamic.resource(
        "BedrockModel",
        "model",
        "_bedrock/importer",
        {
            "deployment": inputs["deployment"],
            "region": inputs["region"],
            "uri": uri,
            "role_arn": role.arn,
            "units": inputs["units"],
            "digest": before[0].digest if before else None,
            "tags": tags,
        },
        pulumi.ResourceOptions(depends_on=[allowed, *before]),
    )
    pulumi.export("endpoint", None)
    pulumi.export("region", inputs["region"])
    pulumi.export("model_arn", model.model_arn)
    pulumi.export("model_units", model.model_units)


def _role(
    bucket: Any, inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any
) -> tuple[Any, Any]:
    """A role that only this account's import jobs can take on, and that only reads the bucket."""
    import pulumi
    import pulumi_aws as aws

    account = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=here.provider))
    role = aws.iam.Role(
        "import",
        path=f"/deployer/{inputs['deployment']}/",
        assume_role_policy=account.account_id.apply(lambda own: _trust(inputs["region"], own)),
        tags=tags,
        opts=here,
    )
    statements = pulumi.Output.from_input(bucket).apply(
        lambda name: json.dumps({"Version": "2012-10-17", "Statement": _weights.readable(name)})
    )
    return role, aws.iam.RolePolicy("read-weights", role=role.id, policy=statements, opts=here)


def _trust(region: str, account: str) -> str:
    jobs = f"arn:aws:bedrock:{region}:{account}:model-import-job/*"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnEquals": {"aws:SourceArn": jobs},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
