"""The reaper against the AWS emulator: a thousand machines over four regions."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from deployer.core.clock import iso
from deployer.core.errors import PrerequisiteError, UsageError
from deployer.running.reaper import actions
from deployer.running.reaper.service import Reaper, Round
from deployer.workflows import idle
from stacks._aws import expiry, schedule
from stacks._aws.cloud import AwsCloud, Clientele
from stacks._aws.session import Session
from tests.kits import emulator, idle_world, parts
from tests.kits.documents import made, read
from tests.kits.idle_world import REGIONS, World
from tests.kits.loopback import served

MANY = 1000


@pytest.fixture(scope="module")
def aws(tmp_path_factory) -> Iterator[emulator.Emulator]:
    if emulator.program() is None:
        parts.missing("the test kit with the AWS emulator is not here")
    with (
        pytest.MonkeyPatch.context() as patch,
        emulator.running(tmp_path_factory.mktemp("aws") / "log") as started,
    ):
        patch.setenv("AWS_ENDPOINT_URL", started.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", REGIONS[0])
        yield started


@pytest.fixture(scope="module")
def world(aws) -> World:
    return idle_world.build(aws.url, MANY)


@pytest.fixture
def crowd(reaper: Reaper, world: World) -> Reaper:
    """One whose time stands where the watchdogs of the world spoke, however long that took."""
    return replace(reaper, clock=lambda: world.at)


@pytest.fixture
def reaper(aws, home) -> Iterator[Reaper]:
    yield Reaper(home, time.time)
    aws.fail()


def yes(_: Round) -> bool:
    return True


def test_exactly_the_idle_machines_and_what_is_left_over_are_found_without_a_call_for_each(
    aws, world, crowd
):
    before = sum(aws.calls().values())
    found = crowd.look(REGIONS)
    calls = sum(aws.calls().values()) - before
    ended = {one.machine.id for one in found.machines if one.decision.action != "keep"}
    assert ended == set(world.idle)
    assert len(world.idle) == MANY // 5
    assert {one.machine.id for one in found.machines} == {*world.idle, *world.busy}
    assert {one.found.id for one in found.orphans} == set(world.secrets)
    assert {one.found.id for one in found.tagged} == {*world.volumes, *world.addresses}
    assert all(one.monthly_usd for one in (*found.orphans, *found.tagged))
    assert found.gaps == []
    assert calls < MANY / 5


def test_a_throttled_call_is_tried_again_until_it_is_answered(aws, world, crowd):
    aws.fail(
        *(
            {"operation": name, "code": "RequestLimitExceeded", "status": 503, "times": 3}
            for name in ("ec2.DescribeInstances", "ec2.DescribeVolumes")
        )
    )
    found = crowd.look(REGIONS[:1])
    assert found.gaps == []
    assert len(found.machines) == MANY // len(REGIONS)


def test_a_missing_permission_is_a_gap_and_the_rest_is_done(aws, world, crowd):
    aws.fail({"operation": "ec2.DescribeAddresses", "code": "UnauthorizedOperation", "status": 403})
    found = crowd.look(REGIONS[:1])
    assert [(gap.scope, "DescribeAddresses" in gap.error) for gap in found.gaps] == [
        (REGIONS[0], True)
    ]
    assert {one.found.id for one in found.tagged} <= set(world.volumes)
    assert found.tagged
    assert {one.found.id for one in found.orphans} <= set(world.secrets)
    assert not Round(found, ()).whole


def test_machines_whose_use_cannot_be_read_are_kept_and_the_gap_is_named(aws, world, crowd):
    aws.fail({"operation": "monitoring.GetMetricData", "code": "AccessDenied", "status": 403})
    found = crowd.look(REGIONS[:1])
    assert {one.decision.reason for one in found.machines} == {"its use could not be read"}
    assert {one.idle_s for one in found.machines} == {None}
    assert ["GetMetricData" in gap.error for gap in found.gaps] == [True]


def test_a_region_whose_machines_cannot_be_seen_has_no_orphans(aws, world, crowd):
    aws.fail({"operation": "ec2.DescribeInstances", "code": "UnauthorizedOperation", "status": 403})
    found = crowd.look(REGIONS[:1])
    assert found.orphans == []
    assert found.machines == []
    assert found.gaps


class _Off(BaseHTTPRequestHandler):
    """Answers as a region does that the account has not enabled."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = b"<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate the provided access credentials</Message></Error></Errors></Response>"
        self.send_response(401)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def switched_off() -> Iterator[str]:
    with served(_Off) as url:
        yield url


def test_a_disabled_region_is_one_gap_and_the_others_are_done(
    aws, world, crowd, switched_off, monkeypatch
):
    others = Clientele()
    off = Session("me-south-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", switched_off)
    off("ec2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    cloud = AwsCloud(lambda name: off if name == "me-south-1" else others(name))
    there = replace(crowd, clouds=[cloud])
    found = there.look([REGIONS[1], "me-south-1"])
    assert [gap.scope for gap in found.gaps] == ["me-south-1"]
    assert "not enabled" in found.gaps[0].error
    assert len(found.machines) == MANY // len(REGIONS)


def test_a_machine_that_gets_a_request_between_listing_and_stopping_is_kept(aws, world, crowd):
    region, idle = REGIONS[3], world.idle[-2:]

    def a_request_comes(_: Round) -> bool:
        idle_world.publish(aws.url, region, {idle[0]: 0.0}, world.at)
        return True

    found = crowd.look([region])
    listed = [one for one in actions.chosen(found.machines, "stop") if one.machine.id in idle]
    a_request_comes(Round(found, listed))
    outcomes, gaps = actions.act(crowd.clouds, listed, "stop", None, crowd.clock)
    assert {one.machine.id: one.done for one in outcomes} == {idle[0]: "keep", idle[1]: "stop"}
    assert gaps == []
    assert idle_world.states(aws.url, region, idle) == {idle[0]: "running", idle[1]: "stopped"}


def test_a_machine_that_aws_will_not_stop_is_named_and_the_others_are_stopped(aws, world, crowd):
    region = REGIONS[2]
    mine = world.idle[100:103]
    found = crowd.look([region])
    listed = [one for one in actions.chosen(found.machines, "stop") if one.machine.id in mine]
    aws.fail(
        {
            "operation": "ec2.StopInstances",
            "code": "OperationNotPermitted",
            "message": "protected",
            "match": mine[0],
        }
    )
    outcomes, _ = actions.act(crowd.clouds, listed, "stop", None, crowd.clock)
    done = {one.machine.id: one.done for one in outcomes}
    assert done == {mine[0]: "failed", mine[1]: "stop", mine[2]: "stop"}


def test_destroy_ends_an_expired_machine_and_extend_lets_it_live(aws, reaper):
    region = "eu-central-1"
    (dead,) = idle_world.launch(aws.url, region, "brief-cloud-gpu", expires_after="1s")
    (kept,) = idle_world.launch(aws.url, region, "kept-cloud-gpu", expires_after="1s")
    later = replace(reaper, clock=lambda: time.time() + 60)
    held = later.extend("kept-cloud-gpu", 7 * 86400, [region])
    done = later.round([region], "destroy", None, yes)
    assert {one.machine.id: one.done for one in done.outcomes} == {dead: "destroy"}
    assert "expired" in done.outcomes[0].why
    states = idle_world.states(aws.url, region, [dead, kept])
    assert states[kept] == "running"
    assert states[dead] in ("shutting-down", "terminated")
    again = later.look([region])
    (shown,) = (idle.instance(one) for one in again.machines if one.machine.id == kept)
    assert shown.expires_at == held[region]


def test_extend_moves_the_schedule_and_never_to_an_earlier_time(aws, reaper):
    region = "eu-central-1"
    idle_world.launch(aws.url, region, "planned-cloud-gpu")
    clients = Session(region)
    clients("scheduler").create_schedule(
        Name=schedule.name("planned-cloud-gpu"),
        ScheduleExpression="at(2030-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
            "RoleArn": "arn:aws:iam::123456789012:role/expiry",
            "Input": '{"InstanceIds": ["i-1"]}',
        },
    )
    far, near = 2524608000.0, 2461449600.0  # 2050 and 2048
    assert expiry.extend(clients, "planned-cloud-gpu", far) == "2050-01-01T00:00:00+00:00"
    assert expiry.extend(clients, "planned-cloud-gpu", near) == "2050-01-01T00:00:00+00:00"
    told = clients("scheduler").get_schedule(Name=schedule.name("planned-cloud-gpu"))
    assert told["ScheduleExpression"] == "at(2050-01-01T00:00:00)"
    assert told["Target"]["Input"] == '{"InstanceIds": ["i-1"]}'
    (found,) = (
        one
        for one in reaper.look([region]).machines
        if one.machine.deployment == "planned-cloud-gpu"
    )
    assert iso(found.machine.expires_at) == "2050-01-01T00:00:00+00:00"


def test_extend_of_a_deployment_that_is_nowhere_is_a_usage_error(aws, reaper):
    with pytest.raises(UsageError, match="no machine of 'nowhere'"):
        reaper.extend("nowhere", 60, [REGIONS[0]])


def test_a_silent_watchdog_is_replaced_by_an_estimate_from_network_and_processor(aws, reaper):
    region = "eu-central-1"
    asleep, awake = idle_world.launch(aws.url, region, "silent-cloud-gpu", 2)
    for name, quiet, much in (("NetworkIn", 1e4, 1e8), ("CPUUtilization", 1.0, 90.0)):
        series = {
            asleep: [(ago, quiet) for ago in range(60, 3600, 300)],
            awake: [(ago, much) for ago in range(60, 3600, 300)],
        }
        idle_world.ec2_metric(aws.url, region, name, series)
    later = replace(reaper, clock=lambda: time.time() + 7200)
    found = later.look([region])
    shown = {one.machine.id: one for one in found.machines if one.machine.id in (asleep, awake)}
    assert {one.basis for one in shown.values()} == {"estimated"}
    assert "estimated" in shown[asleep].decision.reason
    assert (shown[asleep].idle_s or 0) >= (shown[awake].idle_s or 0)


def test_a_group_that_is_idle_as_a_whole_is_set_to_no_machines(aws, reaper):
    region = "ca-central-1"
    clients = Session(region)
    image = idle_world.image(aws.url)
    clients("ec2").create_launch_template(
        LaunchTemplateName="fleet-cloud-gpu-1",
        LaunchTemplateData={"ImageId": image, "InstanceType": idle_world.MACHINE},
    )
    clients("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="fleet-cloud-gpu-1",
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateName": "fleet-cloud-gpu-1"},
        AvailabilityZones=[f"{region}a"],
        Tags=[{**tag, "PropagateAtLaunch": True} for tag in idle_world.tags("fleet-cloud-gpu")],
    )
    ids = [one.machine.id for one in reaper.look([region]).machines]
    assert len(ids) == 2
    first = time.time()
    second = first + 600
    idle_world.publish(aws.url, region, {ids[0]: 7200.0, ids[1]: 0.0}, first)
    then = replace(reaper, clock=lambda: first)
    assert actions.chosen(then.look([region]).machines, "destroy") == []
    idle_world.publish(aws.url, region, {ids[0]: 7800.0, ids[1]: 7100.0}, second)
    asleep = replace(reaper, clock=lambda: second)
    assert asleep.round([region], "stop", None, yes).outcomes == (), "stop ends nothing"
    done = asleep.round([region], "destroy", None, yes)
    assert {one.machine.id: one.done for one in done.outcomes} == dict.fromkeys(ids, "destroy")
    told = clients("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [(one["MinSize"], one["DesiredCapacity"]) for one in told] == [(0, 0)]


def test_without_credentials_nothing_is_guessed(aws, home, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "none"))
    from stacks._aws import session

    session._session.cache_clear()
    try:
        with pytest.raises(PrerequisiteError, match="credentials"):
            Reaper(home, time.time).look([])
    finally:
        session._session.cache_clear()


def test_the_document_is_the_design_s(aws, world, crowd):
    found = crowd.look(REGIONS[:1])
    plain = made("idle", idle.listed(found))
    assert set(plain) == {"schema", "instances", "endpoints", "orphans", "left", "gaps", "tagged"}
    instance = {"deployment", "region", "id", "state", "idle_seconds", "usd_per_hour"}
    instance |= {"cost_since_idle_usd", "decision", "reason"}
    assert instance <= set(plain["instances"][0])
    assert {"type", "id", "region", "monthly_usd"} <= set(plain["orphans"][0])


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `deployer idle` as a user does, where nobody can be asked."""
    return subprocess.run(
        [sys.executable, "-m", "deployer", "idle", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_shows_asks_and_ends(aws, home):
    region = ["--region", "sa-east-1"]
    (one,) = idle_world.launch(aws.url, region[1], "sleepy-cloud-gpu", idle_after="60s")
    idle_world.publish(aws.url, region[1], {one: 86400.0}, time.time())
    listed = command("--json", *region)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [i["decision"] for i in read("idle", listed.stdout)["instances"]] == ["stop"]
    assert "sleepy-cloud-gpu" in command(*region).stdout
    nobody = command("stop", *region)
    assert (nobody.returncode, "--yes" in nobody.stderr) == (2, True)
    dry = command("stop", "--dry-run", "--json", *region)
    assert (dry.returncode, read("idle", dry.stdout)["acted"]) == (0, [])
    assert idle_world.states(aws.url, region[1], [one]) == {one: "running"}
    idle_world.publish(aws.url, region[1], {one: 86400.0}, time.time())
    done = command("stop", "--yes", "--json", *region)
    assert [a["done"] for a in read("idle", done.stdout)["acted"]] == ["stop"]
    assert idle_world.states(aws.url, region[1], [one]) == {one: "stopped"}


def test_a_gap_ends_the_command_with_1_and_is_named(aws, home):
    denied = {"code": "AccessDeniedException", "status": 400}
    aws.fail({"operation": "secretsmanager.ListSecrets", **denied})
    try:
        told = command("--region", "sa-east-1")
    finally:
        aws.fail()
    assert told.returncode == 1
    assert "ListSecrets" in told.stderr


def test_the_service_goes_on_after_a_round_and_ends_with_a_signal(aws, home):
    region = "us-west-1"
    words = ["stop", "--watch", "--every", "1s", "--yes", "--json", "--region", region]
    command_line = [sys.executable, "-m", "deployer", "idle", *words]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            lines = iter(process.stdout.readline, "}\n")
            assert read("idle", "".join(lines) + "}")["acted"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_watching_without_yes_is_a_usage_error(aws, home):
    told = command("stop", "--watch")
    assert (told.returncode, "--yes" in told.stderr) == (2, True)
