"""Plans of what is deployed, for real (see `test_cloud`): what they say, and when they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kits.cloud import NAME, Cloud

FITTING = """
name: bot
model: {{source: hf:nobody/bot, context: 2048, facts: {{params: 8000000000, weights_gib: {weights}}}}}
serve: {{engine: vllm}}
targets: {{cloud-gpu: {{instance: g5.xlarge}}}}
"""
"""The weights' size changes the disk and nothing else."""

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]


def of_weights(cloud: Cloud, gib: int) -> Path:
    file = cloud.spec()
    file.write_text(FITTING.format(weights=gib))
    return file


def planned(cloud: Cloud, spec: Path, *more: object) -> Any:
    asked = ("plan", "-f", spec, "--target", "cloud-gpu", "--offline", *more)
    return cloud.json(*asked)["plans"][0]


def doing(plan: Any) -> dict[str, str]:
    return {one["name"]: one["action"] for one in plan["resources"] if one["action"] != "same"}


def disk(cloud: Cloud) -> int:
    (one,) = cloud.client("ec2").describe_volumes()["Volumes"]
    size: int = one["Size"]
    return size


def test_a_plan_says_what_became_of_what_is_deployed_and_a_stale_one_is_refused(cloud, tmp_path):
    spec, saved = of_weights(cloud, 13), tmp_path / "plan.json"
    assert "machine" in doing(planned(cloud, spec, "--out", saved))
    cloud.up(spec, "--plan", str(saved))
    machine = cloud.instance()["InstanceId"]
    assert disk(cloud) == 120
    assert "changed since: deployed" in cloud.up(spec, "--plan", str(saved), code=5)

    assert doing(planned(cloud, spec)) == {}
    assert doing(planned(cloud, spec, "--refresh")) == {}
    larger = of_weights(cloud, 17)
    assert doing(planned(cloud, larger, "--out", saved))["machine"] == "update"
    cloud.up(larger, "--plan", str(saved))
    assert cloud.instance()["InstanceId"] == machine, "the disk grows where it is"
    assert disk(cloud) == 130

    planned(cloud, larger, "--out", saved)
    cloud.client("ec2").terminate_instances(InstanceIds=[machine])
    said = cloud.up(larger, "--plan", str(saved), code=5)
    assert "applying would now create machine" in said
    assert cloud.instances() == []
    again = planned(cloud, larger, "--refresh", "--out", saved)
    assert doing(again) == {"machine": "create"}
    assert "machine was removed by somebody since the last 'up'" in again["warnings"]
    cloud.up(larger, "--plan", str(saved))
    assert cloud.instance()["InstanceId"] != machine
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}
