"""SageMaker: an inference component that scales to zero, what is made for it and what it must not do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from deployer.core.domain import Resource
from deployer.planning import catalog, cost
from deployer.providers import registry
from deployer.providers.api import Host, Want
from deployer.running.stack import offline
from tests.kits.aws_orders import component_order as order

SAGEMAKER: Any = registry.provider("serverless", "sagemaker")
CATALOG = catalog.load()
UNTAGGABLE = ("providers:aws", ":RolePolicy", ":Policy", ":Resource")


def made(**given: Any) -> tuple[Resource, ...]:
    inputs = SAGEMAKER.inputs(order(**given))
    assert json.loads(json.dumps(inputs)) == inputs
    return offline.collect(SAGEMAKER.program.run, inputs, project="deployer", stack="test")


@pytest.fixture(scope="module")
def resources() -> tuple[Resource, ...]:
    return made()


def one(resources: tuple[Resource, ...], kind: str, name: str | None = None) -> Mapping[str, Any]:
    (found,) = [
        r.inputs for r in resources if r.type.endswith(f":{kind}") and name in (None, r.name)
    ]
    return found


def test_everything_is_priced_or_free(resources):
    assert {r.type for r in resources} <= set(cost.every_pricing().rules) | set(
        cost.every_pricing().free
    )


def test_everything_that_can_be_tagged_is(resources):
    for resource in resources:
        if not resource.type.endswith(UNTAGGABLE):
            assert resource.inputs["tags"]["deployer:deployment"] == "mine-serverless"


def test_the_endpoint_may_have_no_instance_at_all(resources):
    (variant,) = one(resources, "EndpointConfiguration")["productionVariants"]
    assert variant["managedInstanceScaling"] == {
        "status": "ENABLED",
        "minInstanceCount": 0,
        "maxInstanceCount": 2,
    }
    assert "modelName" not in variant, "the model belongs to the inference component"


def test_copies_go_from_none_to_the_most_that_the_spec_allows(resources):
    copies = one(resources, "Target")
    assert (copies["minCapacity"], copies["maxCapacity"]) == (0, 2)
    assert copies["scalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    tracked = one(resources, "Policy", "track")["targetTrackingScalingPolicyConfiguration"]
    assert tracked["targetValue"] == 8
    assert tracked["scaleInCooldown"] == 1800
    assert "ConcurrentRequestsPerCopy" in json.dumps(tracked)


def test_one_call_that_finds_no_copy_wakes_it(resources):
    step = one(resources, "Policy", "wake")["stepScalingPolicyConfiguration"]
    assert step["stepAdjustments"][0]["scalingAdjustment"] == 1
    alarm = one(resources, "MetricAlarm")
    assert alarm["metricName"] == "NoCapacityInvocationFailures"
    assert alarm["threshold"] == 1
    assert alarm["comparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["dimensions"] == {"InferenceComponentName": "mine-serverless"}


def test_two_copies_at_all_times_need_no_waking_and_are_paid_for_while_nobody_calls():
    found = made(least=2)
    assert not [r for r in found if r.type.endswith(":MetricAlarm")]
    assert one(found, "Target")["minCapacity"] == 2


def test_the_component_has_the_model_the_gpus_and_the_memory():
    state = SAGEMAKER.inputs(order())
    assert (state["gpus"], state["memory_mb"]) == (1, 16 * 1024)
    assert state["environment"]["SM_VLLM_MODEL"] == "Qwen/Qwen3-8B"
    assert state["environment"]["SM_VLLM_REVISION"] == "main"
    assert state["environment"]["SM_VLLM_MAX_MODEL_LEN"] == "8192"


def test_the_inference_component_is_made_through_cloud_control(resources):
    component = one(resources, "Resource")
    assert component["typeName"] == "AWS::SageMaker::InferenceComponent"


def test_weights_in_a_bucket_are_read_from_there():
    found = made(source="s3://mine/a")
    container = one(found, "Model")["primaryContainer"]
    (place,) = container["modelDataSource"]["s3DataSources"]
    assert place["s3Uri"] == "s3://mine/a/"
    assert "SM_VLLM_MODEL" not in container["environment"]


def test_the_log_is_its_own_and_goes_with_it(resources):
    log = one(resources, "LogGroup")
    assert log["name"] == "/aws/sagemaker/InferenceComponents/mine-serverless"
    assert log["retentionInDays"] == 14


def test_no_secret_gets_into_the_container(resources, monkeypatch):
    assert "TOKEN" not in json.dumps(dict(one(resources, "Model")))


def test_it_says_that_the_first_up_bills_a_gpu():
    (offer,) = [
        o
        for o in SAGEMAKER.offers(Want("us-east-1", {}, Host(4, 2**34)), CATALOG)
        if o.instance_type == "ml.g6e.xlarge"
    ]
    said = list(SAGEMAKER.warnings(SAGEMAKER.inputs(order()), offer))
    assert "starts an ml.g6e.xlarge at 2.61 USD/h" in said[0]


def test_a_region_whose_prices_are_not_known_is_refused():
    (said,) = SAGEMAKER.refuses(Want("eu-west-1", {}, Host(4, 2**34)), CATALOG)
    assert "SageMaker has no known price in eu-west-1" in said.reason
    assert said.key == "targets.serverless.region"


@pytest.mark.parametrize(("seconds", "minutes"), [(60, 15), (1800, 30)])
def test_it_sleeps_no_sooner_than_target_tracking_can_see(seconds, minutes):
    assert SAGEMAKER.sleep.minutes_of(seconds) == minutes
