"""The part of the AWS stack that ends a deployment from outside, run offline."""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from deployer.planning import cost
from deployer.providers import registry
from deployer.running.stack import mocks

FILE = registry.providers("cloud-gpu")["aws"].parent / "program" / "expiry.py"
NAME = "bot-cloud-gpu"
WEEK_S = 604800


def part() -> ModuleType:
    spec = importlib.util.spec_from_file_location("expiry_part", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(
    kind: str = "instance", config: dict[str, str] | None = None, **inputs: Any
) -> dict[str, Any]:
    """Run the part for one deployment; return the inputs of what it makes by type."""

    def program(given: Any) -> None:
        import pulumi

        setting = SimpleNamespace(
            inputs={"deployment": NAME, **given},
            tags={"deployer:deployment": NAME},
            here=pulumi.ResourceOptions(),
            config=SimpleNamespace(get=(config or {}).get),
        )
        part().declare(setting, kind, "i-0123456789")

    found = mocks.collect(program, inputs, project="test", stack="test")
    return {one.type: one.inputs for one in found}


def test_without_expiry_and_budget_nothing_is_made():
    assert made(expires=None, budget=None) == {}


@pytest.mark.parametrize(
    ("kind", "call", "told"),
    [
        ("instance", "ec2:terminateInstances", {"InstanceIds": ["i-0123456789"]}),
        (
            "group",
            "autoscaling:deleteAutoScalingGroup",
            {"AutoScalingGroupName": "i-0123456789", "ForceDelete": True},
        ),
    ],
)
def test_expiry_is_one_call_at_one_time(kind, call, told):
    at = {"expiresAt": "2026-11-30T12:00:00"}
    schedule = made(kind, at, expires=WEEK_S)["aws:scheduler/schedule:Schedule"]
    assert schedule["scheduleExpression"] == "at(2026-11-30T12:00:00)"
    assert schedule["name"] == f"{NAME}-expiry"
    assert schedule["target"]["arn"].endswith(call)
    assert json.loads(schedule["target"]["input"]) == told


@pytest.mark.parametrize("kind", ["instance", "group"])
def test_the_scheduler_may_end_what_has_the_deployment_s_tag_and_nothing_else(kind):
    policy = json.loads(made(kind, expires=WEEK_S)["aws:iam/rolePolicy:RolePolicy"]["policy"])
    (allowed,) = policy["Statement"]
    assert allowed["Condition"] == {"StringEquals": {"aws:ResourceTag/deployer:deployment": NAME}}
    assert isinstance(allowed["Action"], str)


def test_a_plan_that_cannot_know_the_time_is_the_same_every_day():
    assert made(expires=WEEK_S) == made(expires=WEEK_S)


def test_the_budget_counts_the_deployment_s_tag_and_tells_who_asked_to_be_told():
    silent = made(budget="400")["aws:budgets/budget:Budget"]
    told = made(budget="400", config={"budgetEmail": "me@example.com"})["aws:budgets/budget:Budget"]
    assert silent["limitAmount"] == "400"
    assert silent["costFilters"][0]["values"] == [f"user:deployer:deployment${NAME}"]
    assert not silent.get("notifications")
    assert [one["threshold"] for one in told["notifications"]] == [80, 100]


def test_everything_that_is_made_is_priced_or_free():
    assert set(made(expires=WEEK_S, budget="1")) <= {
        *cost.every_pricing().free,
        *cost.every_pricing().rules,
    }
