"""Several machines behind a load balancer, for real (see `test_cloud`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kits.cloud import NAME, Cloud

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]


def of_replicas(cloud: Cloud, replicas: object) -> Any:
    return cloud.spec(more=f"serve: {{replicas: {replicas}}}\n")


def group(cloud: Cloud) -> Any:
    (one,) = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return one


QUOTA_UNREAD = {
    "operation": "servicequotas.GetServiceQuota",
    "code": "AccessDeniedException",
    "status": 400,
    "message": "no quotas for you, says the test",
}
"""The emulator allows 8 vCPUs, which is two machines."""


def test_one_machine_becomes_three_behind_a_balancer_and_one_again(cloud):
    cloud.up(of_replicas(cloud, 1))
    alone = cloud.instance()

    cloud.faults(QUOTA_UNREAD)
    said = cloud.up(of_replicas(cloud, 3))
    assert "the quota of L-DB2E81BA may not be read" in said
    assert group(cloud)["DesiredCapacity"] == 3
    machines = {one["InstanceId"] for one in cloud.instances()}
    assert len(machines) == 3
    assert alone["InstanceId"] not in machines
    (balancer,) = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["DNSName"] in cloud.json("status", NAME)["deployments"][0]["endpoint"]

    cloud.up(of_replicas(cloud, 1))
    assert cloud.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert cloud.instance()["InstanceId"] not in machines
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}
