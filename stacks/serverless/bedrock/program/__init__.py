"""The Pulumi program of an imported model: bucket, weights, role and import. Imports nothing from `deployer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ... import _dynamic, _weights  # noqa: TID252 - written out, it lies in another package

TENSORS = ("F32", "F16", "BF16")
"""What a safetensors file may hold here, as the format names its types."""


def program(inputs: Mapping[str, Any]) -> None:
    """Declare bucket, weights, role and import, and export the model's ARN and its units."""
    import pulumi
    import pulumi_aws as aws

    config = pulumi.Config("deployer")
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}
    if state := config.get("state"):
        tags["deployer:state"] = state
    here = pulumi.ResourceOptions(provider=aws.Provider("aws", region=inputs["region"]))
    bucket, uri, before = _weights.declare(inputs, tags, here, {"tensors": list(TENSORS)})
    role, allowed = _role(bucket, inputs, tags, here)
    model = _dynamic.resource(
        "BedrockModel",
        "model",
        "bedrock/program/importer",
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
