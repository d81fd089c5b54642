"""`deployer up --target serverless` on SageMaker: the real Pulumi engine, the AWS emulator, and a double in front of it.

What exists is read back from these two, not from our own state. Skipped where there is no engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import older_provider, sagemaker
from tests.doubles.sagemaker import SageMaker
from tests.kits import cloud as cloud_kit
from tests.kits.cloud import Cloud
from tests.kits.serverless import ENGINE, NAME, World, changes

THREE = "serve: {replicas: {min: 0, max: 3}}\n"

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
    pytest.mark.skipif(ENGINE is None, reason="the Pulumi engine is not on PATH"),
]


@pytest.fixture
def maker(address: str) -> Iterator[SageMaker]:
    with sagemaker.serving(address) as made:
        yield made


@pytest.fixture
def world(maker: SageMaker, address: str, pulumi_home: Path, tmp_path: Path) -> World:
    older_provider.install(pulumi_home, cloud_kit.PROVIDER)
    home = tmp_path / "home"
    environ = cloud_kit.environ_of(maker.url, home, pulumi_home)
    cloud = Cloud(address, home, environ | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    cloud.post("/moto-api/reset")
    return World(cloud, "hf:Qwen/Qwen3-8B", "sagemaker")


def left(world: World, maker: SageMaker) -> list[str]:
    """What a deployment can leave behind, looked up without any tag."""
    client = world.cloud.client
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [
        *maker.components,
        *maker.endpoints,
        *maker.configurations,
        *maker.targets,
        *maker.policies,
        *(one["ModelName"] for one in client("sagemaker").list_models()["Models"]),
        *(one["AlarmName"] for one in alarms),
        *(one["RoleName"] for one in client("iam").list_roles()["Roles"]),
        *(one["logGroupName"] for one in client("logs").describe_log_groups()["logGroups"]),
    ]


def test_a_component_is_made_asked_changed_renewed_and_removed(maker, world):
    maker.cold = 2
    said = world.up()
    assert "bills it until it has been idle" in said
    assert "waking bot: " in said, "a cold model is waited for"
    assert "it answers through its own API" in said
    assert_it_scales_from_zero_and_back(maker, world)

    assert world.status()["state"] == "healthy"
    assert "Hello." in world.run("chat", NAME, "Hi")
    assert maker.asked[-1]["model"] == "bot"
    written(world, "engine: ready")
    assert "engine: ready" in world.run("logs", NAME)

    before, maker.copies = len(maker.asked), 0
    told = world.status()
    assert (told["state"], told["awake"]) == ("healthy", False)
    assert changes(world.up()) == []
    assert len(maker.asked) == before, "looking wakes nobody"
    assert maker.component(NAME)["RuntimeConfig"] == {"CopyCount": 1}

    assert set(changes(world.up(THREE))) <= {"update", "replace"}
    (target,) = maker.targets.values()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)
    (configuration,) = maker.configurations.values()
    assert configuration["ProductionVariants"][0]["ManagedInstanceScaling"]["MaxInstanceCount"] == 3

    maker.components.clear()
    assert world.status()["state"] == "failed"
    assert "gone since the last run: component" in world.up(THREE)

    maker.calls.clear()
    assert world.down()["remaining"] == []
    assert left(world, maker) == []
    assert maker.calls.index("DeleteResource") < maker.calls.index("DeleteEndpoint")
    assert world.down()["removed"] == []


def assert_it_scales_from_zero_and_back(maker: SageMaker, world: World) -> None:
    (asked,) = maker.given["CreateEndpointConfig"]
    (variant,) = asked["ProductionVariants"]
    assert variant["ManagedInstanceScaling"] == {
        "Status": "ENABLED",
        "MinInstanceCount": 0,
        "MaxInstanceCount": 1,
    }
    (target,) = maker.targets.values()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 1)
    tracked = maker.policies[f"{NAME}-track"]["TargetTrackingScalingPolicyConfiguration"]
    (metric,) = tracked["PredefinedMetricSpecification"].values()
    assert metric == "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
    wake = maker.policies[f"{NAME}-wake"]
    (step,) = wake["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert step["ScalingAdjustment"] == 1
    (alarm,) = world.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["MetricName"] == "NoCapacityInvocationFailures"
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (
        *("GreaterThanOrEqualToThreshold", 1),
    )
    assert alarm["AlarmActions"] == [wake["PolicyARN"]]


def written(world: World, line: str) -> None:
    """What the container would have written to its log."""
    logs, group = world.cloud.client("logs"), f"/aws/sagemaker/InferenceComponents/{NAME}"
    logs.create_log_stream(logGroupName=group, logStreamName="all/copy")
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName="all/copy", logEvents=[event])


@pytest.mark.parametrize("why", ["CUDA out of memory", "dtype float8 is not supported on this GPU"])
def test_a_component_that_fails_is_told_with_awss_reason_and_the_next_up_goes_on(maker, world, why):
    maker.failure = why
    assert why in world.up(code=1)
    maker.failure = None
    world.up()
    assert maker.component(NAME)
    assert world.down()["remaining"] == []
    assert left(world, maker) == []


def test_a_quota_that_is_refused_names_its_mend_and_the_next_up_goes_on(maker, world):
    said = "The account-level service limit 'ml.g6e.xlarge for endpoint usage' is 0 Instances"
    maker.faults["CreateEndpoint"] = [("ResourceLimitExceeded", said)]
    told = world.up(code=4)
    assert "quota" in told
    world.up()
    assert world.down()["remaining"] == []
    assert left(world, maker) == []


@pytest.mark.parametrize(
    "operation", ["CreateEndpointConfig", "CreateResource", "RegisterScalableTarget"]
)
def test_a_throttled_call_only_takes_longer(maker, world, operation):
    maker.faults[operation] = [("ThrottlingException", "Rate exceeded")]
    world.up()
    assert maker.faults[operation] == []
    assert world.down()["remaining"] == []


def test_after_what_was_made_is_removed_by_hand_down_finds_nothing_more_to_do(maker, world):
    world.up()
    for made in (maker.components, maker.endpoints, maker.targets, maker.policies):
        made.clear()
    assert world.down()["remaining"] == []
    assert left(world, maker) == []
