"""The pure parts of the reaper: tags, orphans, prices, budgets, and the files that run it."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import yaml

from deployer.agents.idle import Decision
from deployer.core.errors import UsageError
from deployer.core.templates import cron_text, systemd_text
from deployer.planning import catalog
from deployer.planning.cost.spending import Prices
from deployer.running.inventory import Found
from deployer.running.reaper import budget, schedules
from deployer.running.reaper.actions import chosen
from deployer.running.reaper.orphans import monthly, orphans, prices
from deployer.running.reaper.survey import together
from deployer.running.reaper.verdicts import Looked
from stacks._aws import inventory
from stacks._aws.instances import Machine, described, expires_at, policy

RATES = catalog.load()
REGION = "us-east-1"
START = 1_700_000_000.0


def machine(state: str = "running", **tags: str) -> Machine:
    named = {f"deployer:{key.replace('_', '-')}": value for key, value in tags.items()}
    return Machine("i-1", REGION, "bot-cloud-gpu", state, START, "g5.xlarge", tags=named)


def found(
    kind: str, key: str, deployment: str = "gone", region: str = REGION, **details: object
) -> Found:
    return Found(kind, key, key, deployment, region, details)


INSTANCE = {
    "InstanceId": "i-1",
    "State": {"Name": "stopped"},
    "LaunchTime": datetime(2026, 11, 23, 8, tzinfo=UTC),
    "InstanceType": "g5.xlarge",
    "StateTransitionReason": "User initiated (2026-11-23 09:30:00 GMT)",
    "BlockDeviceMappings": [{"Ebs": {"AttachTime": datetime(2026, 11, 1, tzinfo=UTC)}}],
    "Tags": [{"Key": "deployer:deployment", "Value": "bot-cloud-gpu"}],
}


def test_an_instance_is_read_with_its_first_launch_and_its_last_stop():
    read = described(INSTANCE, REGION)
    assert read.deployment == "bot-cloud-gpu"
    assert read.stopped_at == datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp()
    assert read.made_at == datetime(2026, 11, 1, tzinfo=UTC).timestamp()


POLICIES = {
    "without tags": ({}, None, (1800.0, "stop", None)),
    "its own": ({"idle_after": "600s", "idle_action": "destroy"}, None, (600.0, "destroy", None)),
    "none is none": ({"idle_action": "none"}, None, (1800.0, "none", None)),
    "nonsense is the default": (
        {"idle_after": "soon", "idle_action": "x"},
        None,
        (1800.0, "stop", None),
    ),
    "the user's limit goes before": ({"idle_action": "none"}, 60.0, (60.0, "stop", None)),
    "expires after its start": ({"expires_after": "60s"}, None, (1800.0, "stop", START + 60)),
    "never": ({"expires_after": "never"}, None, (1800.0, "stop", None)),
    "extended": (
        {"expires_after": "60s", "expires_at": "2033-05-18T03:33:20+00:00"},
        None,
        (1800.0, "stop", 2_000_000_000.0),
    ),
    "extended by nonsense": (
        {"expires_after": "60s", "expires_at": "x"},
        None,
        (1800.0, "stop", None),
    ),
}


@pytest.mark.parametrize("case", POLICIES)
def test_the_policy_in_tags(case):
    tags, idle_for, expected = POLICIES[case]
    read = policy(machine(**tags), idle_for)
    assert (read.after_s, read.action, read.expires_at) == expected
    assert expires_at(machine(**tags)) == expected[2]


LEFT = [
    found(inventory.VOLUME, "vol-1", VolumeType="gp3", Size=100, State="available"),
    found(inventory.ADDRESS, "eip-1"),
    found(inventory.SECRET, "secret-1"),
    found(inventory.VPC, "vpc-1"),
    found(inventory.ROLE, "role-1", region="us-west-2"),
]


def test_everything_of_a_deployment_without_a_machine_is_left_over_and_priced():
    told = {o.found.id: o.monthly_usd for o in orphans(LEFT, (), (), RATES)}
    assert told == {
        "vol-1": Decimal("8.00"),
        "eip-1": Decimal("3.650"),
        "secret-1": Decimal("0.40"),
        "vpc-1": Decimal(0),
        "role-1": Decimal(0),
    }


def test_only_what_hangs_on_nothing_is_left_over_of_a_deployment_that_is_there():
    alive = found(inventory.INSTANCE, "i-1")
    assert {o.found.id for o in orphans([alive, *LEFT], (), (), RATES)} == {"vol-1", "eip-1"}
    assert {o.found.id for o in orphans(LEFT, {"gone"}, (), RATES)} == {"vol-1", "eip-1"}


def test_a_machine_elsewhere_does_not_keep_a_region_s_leftovers():
    elsewhere = found(inventory.INSTANCE, "i-1", region="eu-west-1")
    assert {o.found.id for o in orphans([elsewhere, *LEFT], (), (), RATES)} == {
        "vol-1",
        "eip-1",
        "secret-1",
        "vpc-1",
    }


def test_what_could_not_be_seen_is_not_judged():
    assert orphans(LEFT, (), {REGION}, RATES) == []
    assert "role-1" not in {o.found.id for o in orphans(LEFT, (), {"eu-west-1"}, RATES)}


def test_what_has_no_price_is_unpriced_and_never_nothing():
    assert monthly(found("aws:sagemaker/endpoint:Endpoint", "e"), RATES) is None
    assert monthly(found(inventory.VOLUME, "v", VolumeType="io9", Size=1), RATES) is None
    strange = replace(machine(), type="u-900.metal")
    assert prices(strange, [], RATES) is None


def test_an_hour_of_a_machine_is_its_type_its_address_and_its_disks():
    disk = found(inventory.VOLUME, "v", VolumeType="gp3", Size=730)
    told = prices(replace(machine(), address=True), [disk], RATES)
    assert told is not None
    assert told.resting == Decimal("0.08")
    assert told.running == Decimal("1.006") + Decimal("0.005") + Decimal("0.08")


def looked(action: str, group: str | None = None, of: Machine | None = None, **more: str) -> Looked:
    of = of or replace(machine(**more), group=group)
    return Looked(of, Decision(action, "why"), 60.0, None, recorded=False)  # type: ignore[arg-type]


def test_a_group_is_kept_while_one_of_it_works():
    idle, busy, alone = looked("stop", "g"), looked("keep", "g"), looked("stop")
    assert [one.decision.action for one in together([idle, busy, alone])] == [
        "keep",
        "keep",
        "stop",
    ]
    assert [one.decision.action for one in together([idle, idle])] == ["stop", "stop"]


def test_what_cannot_be_stopped_is_only_destroyed():
    spot = looked("stop", of=replace(machine(), spot=True))
    rests = looked("destroy", of=machine("stopped"))
    assert chosen([spot, rests, looked("keep")], "stop") == []
    assert chosen([spot, rests, looked("keep")], "destroy") == [spot, rests]


def test_the_month_begins_with_its_first_day_in_utc():
    assert budget.month_start(datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp()) == (
        datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    )


class Counted:
    """CloudWatch, which counted so many samples of every machine, five minutes each."""

    region = REGION

    def __init__(self, samples: float) -> None:
        self.samples = samples

    def __call__(self, service: str) -> Counted:
        assert service == "cloudwatch"
        return self

    def get_paginator(self, _: str) -> Counted:
        return self

    def paginate(self, **asked):
        at = asked["EndTime"]
        queries = asked["MetricDataQueries"]
        yield {
            "MetricDataResults": [
                {"Id": q["Id"], "Timestamps": [at], "Values": [self.samples]} for q in queries
            ]
        }


@pytest.mark.parametrize(
    ("hours", "over", "action", "said"),
    [
        (10, "stop", "keep", "why"),
        (85, "stop", "keep", "nearly"),
        (120, "stop", "stop", "used up"),
        (120, "warn", "keep", "only warns"),
    ],
)
def test_a_budget_of_100_at_1_usd_an_hour(hours, over, action, said):
    now = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    of = replace(machine(budget="100", over_budget=over), started_at=now - 3600)
    one = replace(looked("keep", of=of), prices=Prices(Decimal(1), Decimal(0)))
    (told,), gaps = budget.budgeted(lambda _: Counted(hours * 12), [one], now)
    assert (told.decision.action, told.spent_usd, gaps) == (action, Decimal(hours), [])
    assert said in told.decision.reason


def test_without_a_budget_nothing_is_asked():
    def nobody(_: str):
        raise AssertionError("asked")

    one = looked("keep")
    assert budget.budgeted(nobody, [one], START) == ([one], [])


@pytest.mark.parametrize("place", schedules.FILES)
def test_the_files_hold_the_command_that_was_asked_for(place):
    install = "true" if place in schedules.INSTALLED else None
    texts = schedules.files(place, "destroy", ["eu-west-1"], 5400, install)
    words = [word for text in texts.values() for word in text.replace('"', " ").split()]
    for word in ("deployer", "idle", "destroy", "--yes", "--region", "eu-west-1", "1h30m"):
        assert word in words


def test_the_workflow_is_yaml_that_holds_no_key():
    (text,) = schedules.files("github", "stop", [], None, "true").values()
    told = yaml.safe_load(text)
    steps = told["jobs"]["idle"]["steps"]
    assert steps[-1]["run"] == "deployer idle stop --yes"
    assert steps[0]["with"]["role-to-assume"] == "${{ vars.DEPLOYER_ROLE }}"
    assert told["permissions"] == {"contents": "read", "id-token": "write"}


@pytest.mark.parametrize("word", ["a b", "it's", "$HOME", "50%", 'q"q', "back\\slash"])
def test_a_shell_command_survives_a_crontab(word):
    line = cron_text(shlex.join(["printf", "%s", word]))
    command = line.replace("\\%", "%")  # what cron itself does
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == word


def test_words_are_quoted_for_a_unit():
    assert systemd_text(["a b", "50%", "$x", 'q"']) == r'"a b" "50%%" "$$x" "q\""'


def test_the_workflow_installs_what_it_is_told_to():
    install = "pip install 'model-deployer @ git+https://git.example/o/r@c0ffee' # it's \"pinned\""
    (text,) = schedules.files("github", "stop", [], None, install).values()
    assert yaml.safe_load(text)["jobs"]["idle"]["steps"][-2] == {"run": install}


def test_the_workflow_of_a_checkout_is_refused_without_the_command_that_installs_it():
    with pytest.raises(UsageError, match="another machine") as caught:
        schedules.files("github", "stop", [], None)
    assert "--install" in (caught.value.hint or "")


@pytest.mark.parametrize("place", ["cron", "systemd"])
def test_where_nothing_is_installed_no_command_is_taken(place):
    with pytest.raises(UsageError, match="of that machine"):
        schedules.files(place, "stop", [], None, "pip install x")
