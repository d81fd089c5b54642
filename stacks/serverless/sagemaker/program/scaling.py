"""From zero copies and back: a scalable target, target tracking, and the alarm that wakes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METRIC = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
DIMENSION, NAMESPACE = "sagemaker:inference-component:DesiredCopyCount", "sagemaker"
WAKE_PERIOD_S = 30
SETTLE_S = 60


def declare(inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any, component: Any) -> None:
    """Declare what scales the inference component."""
    import pulumi
    import pulumi_aws as aws

    after = pulumi.ResourceOptions.merge(here, pulumi.ResourceOptions(depends_on=[component]))
    target = aws.appautoscaling.Target(
        "copies",
        service_namespace=NAMESPACE,
        scalable_dimension=DIMENSION,
        resource_id=f"inference-component/{inputs['deployment']}",
        min_capacity=inputs["min_copies"],
        max_capacity=inputs["max_copies"],
        tags=tags,
        opts=after,
    )
    _policy(
        "track", inputs, target, here, target_tracking_scaling_policy_configuration=_tracked(inputs)
    )
    if inputs["min_copies"] == 0:
        wake = _policy("wake", inputs, target, here, step_scaling_policy_configuration=_STEP)
        _alarm(inputs, tags, here, wake)


def _policy(
    name: str, inputs: Mapping[str, Any], target: Any, here: Any, **configuration: Any
) -> Any:
    import pulumi_aws as aws

    kind = "TargetTrackingScaling" if name == "track" else "StepScaling"
    return aws.appautoscaling.Policy(
        name,
        name=f"{inputs['deployment']}-{name}",
        policy_type=kind,
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        opts=here,
        **configuration,
    )


def _tracked(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "predefined_metric_specification": {"predefined_metric_type": METRIC},
        "target_value": inputs["concurrency"],
        "scale_in_cooldown": int(inputs["scale_to_zero_minutes"] * 60),
        "scale_out_cooldown": SETTLE_S,
    }


_STEP = {
    "adjustment_type": "ChangeInCapacity",
    "metric_aggregation_type": "Maximum",
    "cooldown": SETTLE_S,
    "step_adjustments": [{"metric_interval_lower_bound": "0", "scaling_adjustment": 1}],
}
"""One copy more, whatever the number of calls that failed."""


def _alarm(inputs: Mapping[str, Any], tags: Mapping[str, str], here: Any, wake: Any) -> None:
    """A single call that finds no copy wakes it."""
    import pulumi_aws as aws

    aws.cloudwatch.MetricAlarm(
        "wake",
        namespace="AWS/SageMaker",
        metric_name="NoCapacityInvocationFailures",
        dimensions={"InferenceComponentName": inputs["deployment"]},
        statistic="Maximum",
        period=WAKE_PERIOD_S,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        threshold=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="missing",
        alarm_actions=[wake.arn],
        tags=tags,
        opts=here,
    )
