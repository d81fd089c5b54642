"""Inference components of Amazon SageMaker: endpoint, component, what scales it. Instances are billed while they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Setting, decimal, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.finding import TAG, by_name, tags_of
from stacks._aws.types.record import (
    SAGEMAKER,
    Family,
    Find,
    Free,
    NotYetError,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Tracked,
    by_its_name,
    has_its_name,
)
from stacks._aws.types.removing import one_call
from stacks._aws.types.served import ENDPOINT, served

CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
MODEL = "aws:sagemaker/model:Model"
COMPONENT = "aws:sagemaker/inferenceComponent:InferenceComponent"
SCALED = "aws:appautoscaling/target:Target"

NAMED = re.compile(r"(endpoint|model)-[0-9a-f]{7}")
"""A name as Pulumi completes it."""
COPIES = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}
BYTES_PER_TOKEN = Decimal(5)
"""An estimate of a prompt's text."""
GB = Decimal(10**9)
ONE, TWO = Decimal(1), Decimal(2)


def _scaled(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """What scales the inference component, its policies with it."""
    told = clients("application-autoscaling").describe_scalable_targets(
        **COPIES, ResourceIds=[f"inference-component/{deployment}"]
    )
    for one in told["ScalableTargets"]:
        yield by_name(clients, SCALED, one["ResourceId"], deployment, one)


def _deregister(clients: Clients, one: Found) -> None:
    clients("application-autoscaling").deregister_scalable_target(**COPIES, ResourceId=one.id)


def _tracking(resource: Resource, at: Setting) -> Iterator[Item]:
    """Target tracking makes two alarms of its own; a step policy is woken by one that stands beside it."""
    if resource.inputs.get("policyType") != "StepScaling":
        yield line(resource, "alarms", Quantity(TWO, "alarm-month"), at.rate("alarm"), "exists")


def _components(clients: Clients, deployment: str | None) -> Iterator[Found]:
    told = clients("sagemaker").list_inference_components(NameContains=deployment)
    for one in told["InferenceComponents"]:
        if one["InferenceComponentName"] == deployment:
            name = one["InferenceComponentName"]
            yield by_name(clients, COMPONENT, name, deployment, one)


def _delete_component(clients: Clients, one: Found) -> None:
    """It goes before its endpoint, and takes minutes."""
    client = clients("sagemaker")
    told = client.describe_inference_component(InferenceComponentName=one.id)
    if told["InferenceComponentStatus"] != "Deleting":
        client.delete_inference_component(InferenceComponentName=one.id)
    client.describe_inference_component(InferenceComponentName=one.id)  # fails when it is gone
    raise NotYetError("it is ending")


def _endpoints(clients: Clients, deployment: str | None) -> Iterator[Found]:
    find = _tagged(ENDPOINT, "list_endpoints", "Endpoint", str(deployment))
    yield from find(clients, deployment)


def _delete_endpoint(clients: Clients, one: Found) -> None:
    client = clients("sagemaker")
    told = client.describe_endpoint(EndpointName=one.id)
    if told["EndpointStatus"] != "Deleting":
        client.delete_endpoint(EndpointName=one.id)
    client.describe_endpoint(EndpointName=one.id)  # fails when it is gone
    raise NotYetError("it is ending")


def _tagged(kind: str, operation: str, word: str, named: str, ask: str = "") -> Find:
    """Return the search for what SageMaker lists under a part of its name, and has the tag; `ask` tells all of one."""

    def find(clients: Clients, deployment: str | None) -> Iterator[Found]:
        client = clients("sagemaker")
        for page in client.get_paginator(operation).paginate(NameContains=named):
            for one in page[f"{word}s"]:
                tags = tags_of(client.list_tags(ResourceArn=one[f"{word}Arn"]))
                if tags.get(TAG) == deployment:
                    name = one[f"{word}Name"]
                    told = getattr(client, ask)(**{f"{word}Name": name}) if ask else one
                    yield by_name(clients, kind, name, deployment, told, tags)

    return find


def _acts_with_its_role(found: Found, family: Family) -> bool:
    """Whether it acts with the role that is made for the deployment; one that acts with none is known by its name."""
    role = found.details.get("ExecutionRoleArn")
    if role is None:
        return bool(NAMED.fullmatch(found.name))
    return f":role/deployer/{family.deployment}/" in str(role)


def _component_is_ours(found: Found, family: Family) -> bool:
    return found.details.get("EndpointName") == family.deployment


def _instances(resource: Resource, at: Setting) -> Iterator[Item]:
    """The instances of an endpoint that scales to zero, or that keeps some at all times."""
    for variant in resource.inputs.get("productionVariants") or ():
        kind = variant.get("instanceType")
        scaling = variant.get("managedInstanceScaling") or {}
        least, most = (
            decimal(scaling.get(f"{m}InstanceCount")) or Decimal(0) for m in ("min", "max")
        )
        rate = _instance_rate(kind, most, least, at)
        if least > 0:
            yield line(resource, "endpoint", Quantity(least * MONTH, "hour"), rate, "exists")
        else:
            hours = Quantity.between(*at.usage.active_hours, "hour")
            yield line(resource, "endpoint", hours, rate, "running")
    made = at.usage.egress_gb + at.usage.input_tokens * BYTES_PER_TOKEN / GB
    data = Quantity(made, "GB", basis="estimated")
    yield line(resource, "data processed", data, at.rate("sagemaker-data"), "used")


def _instance_rate(kind: object, most: Decimal, least: Decimal, at: Setting) -> Rate:
    for offer in at.rates.offers("sagemaker", at.region):
        if offer.instance_type == kind:
            more = f"; up to {most} at once cost more" if most > max(least, ONE) else ""
            return Rate("endpoint", "hour", offer.usd_per_hour, offer.source + more, offer.as_of)
    return Rate("endpoint", "hour", None, f"no price of {kind} in {at.region}", None)


TYPES: tuple[ResourceType, ...] = (
    Tracked(
        SCALED,
        Free("a setting; the instances are charged"),
        {SAGEMAKER: _scaled},
        _deregister,
        Stage.SCALING,
        by_its_name,
    ),
    PartOf("aws:appautoscaling/policy:Policy", Price(_tracking), owner=SCALED),
    Tracked(
        "aws:cloudcontrol/resource:Resource",
        Free("an inference component runs on its endpoint's instances"),
        {SAGEMAKER: _components},
        _delete_component,
        Stage.SERVING,
        _component_is_ours,
        found_as=COMPONENT,
    ),
    Tracked(
        ENDPOINT,
        Free("charged with the instances of its configuration"),
        {SAGEMAKER: _endpoints},
        _delete_endpoint,
        Stage.SERVING,
        has_its_name,
        sweep=served,
        lives=True,
    ),
    Tracked(  # an update may have left one
        CONFIGURATION,
        Price(_instances),
        {
            SAGEMAKER: _tagged(
                CONFIGURATION,
                "list_endpoint_configs",
                "EndpointConfig",
                "endpoint-",
                "describe_endpoint_config",
            )
        },
        one_call("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
        Stage.SERVING,
        _acts_with_its_role,
    ),
    Tracked(
        MODEL,
        Free("a description; its endpoint's instances are charged"),
        {SAGEMAKER: _tagged(MODEL, "list_models", "Model", "model-", "describe_model")},
        one_call("sagemaker", "delete_model", "ModelName"),
        Stage.SERVING,
        _acts_with_its_role,
    ),
)
