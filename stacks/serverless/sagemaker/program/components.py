"""Role, model, endpoint and inference component. The component goes before the endpoint when it is removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ... import _weights  # noqa: TID252 - written out, it lies in another package

VARIANT = "all"
REGISTRY = "arn:aws:ecr:*:763104351884:repository/vllm"
"""AWS's own images."""


class Made(NamedTuple):
    """What the rest of the program refers to."""

    endpoint: Any
    component: Any
    logs: Any


def component_name(inputs: Mapping[str, Any]) -> str:
    """The inference component is named like the deployment: whoever calls it must name it."""
    return str(inputs["deployment"])


def declare(
    inputs: Mapping[str, Any],
    tags: Mapping[str, str],
    here: Any,
    image: str,
    ami: str,
    start_s: int,
) -> Made:
    """Declare everything but the scaling."""
    import pulumi
    import pulumi_aws as aws

    logs = aws.cloudwatch.LogGroup(
        "logs",
        name=f"/aws/sagemaker/InferenceComponents/{component_name(inputs)}",
        retention_in_days=inputs["log_days"],
        tags=tags,
        opts=here,
    )
    source, before = _source(inputs, tags, here)
    role, allowed = _role(inputs, tags, here, source, logs)
    model = aws.sagemaker.Model(
        "model",
        execution_role_arn=role.arn,
        primary_container=_container(inputs, image, source),
        tags=tags,
        opts=pulumi.ResourceOptions.merge(
            here, pulumi.ResourceOptions(depends_on=[allowed, *before])
        ),
    )
    endpoint = _endpoint(inputs, tags, here, role, ami, start_s)
    return Made(endpoint, _component(inputs, tags, here, model, endpoint, start_s), logs)


def _source(inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any) -> tuple[Any, list[Any]]:
    """Bucket and URI of the weights; none when the container reads the hub itself."""
    if "repository" in inputs["weights"]:
        return None, []
    bucket, uri, before = _weights.declare(inputs, tags, here, {})
    return (bucket, uri), before


def _container(inputs: Mapping[str, Any], image: str, source: Any) -> Any:
    container: dict[str, Any] = {"image": image, "environment": dict(inputs["environment"])}
    if source is not None:
        place = {"s3_uri": source[1], "s3_data_type": "S3Prefix", "compression_type": "None"}
        container["model_data_source"] = {"s3_data_sources": [place]}
    return container


def _role(
    inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any, source: Any, logs: Any
) -> tuple[Any, Any]:
    """A role that may pull the image, write its own log and its metrics, and read its own weights."""
    import pulumi
    import pulumi_aws as aws

    account = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=here.provider))
    role = aws.iam.Role(
        "role",
        path=f"/deployer/{inputs['deployment']}/",
        assume_role_policy=account.account_id.apply(_trust),
        tags=tags,
        opts=here,
    )
    bucket = source[0] if source else ""
    policy = pulumi.Output.all(logs.arn, bucket).apply(lambda known: _policy(*known))
    return role, aws.iam.RolePolicy("allowed", role=role.id, policy=policy, opts=here)


def _trust(account: str) -> str:
    """Let SageMaker act for this account's endpoints alone (AWS: "cross-service confused deputy")."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _policy(logs: str, bucket: str) -> str:
    pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    only = {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/InferenceComponents"}}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": pull, "Resource": REGISTRY},
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            "Resource": f"{logs}:*",
        },
        {
            "Effect": "Allow",
            "Action": ["cloudwatch:PutMetricData"],
            "Resource": "*",
            "Condition": only,
        },
        *(_weights.readable(bucket) if bucket else []),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _endpoint(
    inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any, role: Any, ami: str, start_s: int
) -> Any:
    import pulumi_aws as aws

    variant: Any = {
        "variant_name": VARIANT,
        "instance_type": inputs["instance_type"],
        "initial_instance_count": max(1, inputs["min_copies"]),
        "inference_ami_version": ami,
        "model_data_download_timeout_in_seconds": start_s,
        "container_startup_health_check_timeout_in_seconds": start_s,
        "managed_instance_scaling": {
            "status": "ENABLED",
            "min_instance_count": inputs["min_copies"],
            "max_instance_count": inputs["max_copies"],
        },
        "routing_configs": [{"routing_strategy": "LEAST_OUTSTANDING_REQUESTS"}],
    }
    configuration = aws.sagemaker.EndpointConfiguration(
        "endpoint",
        execution_role_arn=role.arn,
        production_variants=[variant],
        tags=tags,
        opts=here,
    )
    return aws.sagemaker.Endpoint(
        "endpoint",
        name=inputs["deployment"],
        endpoint_config_name=configuration.name,
        tags=tags,
        opts=here,
    )


def _component(
    inputs: Mapping[str, Any],
    tags: Mapping[str, str],
    here: Any,
    model: Any,
    endpoint: Any,
    start_s: int,
) -> Any:
    import pulumi
    import pulumi_aws as aws

    specification = {
        "ModelName": model.name,
        "StartupParameters": {
            "ModelDataDownloadTimeoutInSeconds": start_s,
            "ContainerStartupHealthCheckTimeoutInSeconds": start_s,
        },
        "ComputeResourceRequirements": {
            "NumberOfAcceleratorDevicesRequired": inputs["gpus"],
            "MinMemoryRequiredInMb": inputs["memory_mb"],
        },
    }
    state = {
        "InferenceComponentName": component_name(inputs),
        "EndpointName": endpoint.name,
        "VariantName": VARIANT,
        "Specification": specification,
        "RuntimeConfig": {"CopyCount": max(1, inputs["min_copies"])},
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }
    return aws.cloudcontrol.Resource(
        "component",
        type_name="AWS::SageMaker::InferenceComponent",
        desired_state=pulumi.Output.json_dumps(state),
        opts=here,
    )
