"""Policy: who may be asked, and how much it may cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployer.core.domain import TARGETS, Estimate
from deployer.planning.policy import Reach, judge
from deployer.providers.other_docker import OtherDocker
from deployer.providers.regions import Region
from deployer.spec import Policy
from stacks._aws.regions import REGIONS


def bill(monthly: str | None, worst: str | None = None) -> Estimate:
    month = Decimal(monthly) if monthly else None
    spread = (month, Decimal(worst)) if month and worst else None
    unpriced = () if monthly else ("the instance",)
    return Estimate((), unpriced, None, month, spread, None, None)


def place(region: str | None) -> Region | None:
    return REGIONS.find(region) if region else None


PRIVACY = [
    ("cloud-ok", "local", None, True),
    ("cloud-ok", "cloud-gpu", "us-east-1", True),
    ("local-only", "local", None, True),
    ("local-only", "cloud-gpu", "eu-west-1", False),
    ("local-only", "serverless", "us-east-1", False),
    ("region:eu", "local", None, True),
    ("region:eu", "cloud-gpu", "eu-central-1", True),
    ("region:eu", "cloud-gpu", "us-east-1", False),
    ("region:eu-west-1", "cloud-gpu", "eu-west-1", True),
    ("region:eu-west-1", "cloud-gpu", "eu-west-2", False),
    ("region:eu", "cloud-gpu", "eu-west-2", False),  # London
    ("region:eu", "cloud-gpu", "eu-central-2", False),  # Zurich
    ("region:uk", "cloud-gpu", "eu-west-2", True),
    ("region:gb", "cloud-gpu", "eu-west-2", True),
    ("region:ch", "cloud-gpu", "eu-central-2", True),
    ("region:us", "serverless", "us-west-2", True),
    ("region:us", "serverless", "ca-central-1", False),
    ("region:eu", "cloud-gpu", "mars-1", False),
    ("region:eu", "serverless", None, False),
]


@pytest.mark.parametrize(("privacy", "target", "region", "ok"), PRIVACY)
def test_data_goes_only_where_it_may(privacy, target, region, ok):
    verdict = judge(Policy(privacy=privacy), target, place(region), None)[0]
    assert (verdict.rule, verdict.ok) == ("privacy", ok)


@pytest.mark.parametrize("target", TARGETS)
def test_a_refusal_says_what_would_pass(target):
    for verdict in judge(Policy(privacy="region:eu"), target, place("us-east-1"), None):
        assert verdict.ok or f"targets.{target}.region" in verdict.detail
    for verdict in judge(Policy(privacy="local-only"), target, place("us-east-1"), None):
        assert verdict.ok or "--target local" in verdict.detail


BUDGETS = [
    ("400", bill("399.99"), True),
    ("400", bill("400.00"), True),
    ("400", bill("400.01"), False),
    ("400", bill("300", "401"), False),  # the worst case counts
    ("400", bill(None), False),  # an unknown price cannot be within a budget
]


@pytest.mark.parametrize(("budget", "cost", "ok"), BUDGETS)
def test_a_budget_is_kept_in_the_worst_case(budget, cost, ok):
    verdict = judge(Policy(budget=Decimal(budget)), "cloud-gpu", place("us-east-1"), cost)[1]
    assert (verdict.rule, verdict.ok) == ("budget", ok)


def test_an_unpriced_bill_over_a_budget_names_what_is_unpriced():
    verdict = judge(Policy(budget=Decimal(400)), "cloud-gpu", place("us-east-1"), bill(None))[1]
    assert "the instance" in verdict.detail


def test_no_budget_means_no_verdict_on_it():
    assert len(judge(Policy(), "cloud-gpu", place("us-east-1"), bill("9999"))) == 1


OTHER = OtherDocker("tcp://10.0.0.5:2375", "DOCKER_HOST", "10.0.0.5")


@pytest.mark.parametrize(
    ("privacy", "ok"),
    [("local-only", False), ("region:eu", False), ("region:uk", False), ("cloud-ok", True)],
)
def test_a_docker_daemon_elsewhere_is_named_and_only_cloud_ok_allows_it(privacy, ok):
    (verdict,) = judge(Policy(privacy=privacy), "local", None, None, Reach(OTHER, "127.0.0.1"))
    assert verdict.ok is ok
    assert "tcp://10.0.0.5:2375 (DOCKER_HOST)" in verdict.detail
    assert "stays on your machine" not in verdict.detail


@pytest.mark.parametrize("expose", ["0.0.0.0", "::", "192.168.1.7", "fe80::1", "::ffff:10.0.0.1"])  # noqa: S104
def test_local_only_refuses_every_address_that_others_reach(expose):
    (verdict,) = judge(Policy(privacy="local-only"), "local", None, None, Reach(None, expose))
    assert not verdict.ok
    assert expose in verdict.detail
    assert "127.0.0.1" in verdict.detail
    (loud,) = judge(Policy(), "local", None, None, Reach(None, expose))
    assert loud.ok
    assert f"open to other machines on {expose}" in loud.detail


@pytest.mark.parametrize("expose", [None, "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_a_loopback_address_stays_on_the_machine(expose):
    (verdict,) = judge(Policy(privacy="local-only"), "local", None, None, Reach(None, expose))
    assert verdict.ok
    assert verdict.detail == "local-only: stays on your machine"
