"""`deployer up --target cloud-gpu` for real: the Pulumi engine, a provider plugin and the AWS emulator.

What exists is read back from the emulator, not from our own state. Skipped where there is no engine; `make
e2e-cloud` skips none of it.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.kits import cloud as cloud_kit
from tests.kits import loopback
from tests.kits.cloud import NAME, Cloud
from tests.kits.loopback import until

SECRETS = ("hf-canary-5e1f", "BEGIN PRIVATE KEY", "BEGIN EC PRIVATE KEY")

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]


def actions(said: str) -> dict[str, str]:
    """What `up` said that it would do, by resource: the lines under "what changes"."""
    found = {}
    for line in said.partition("what changes")[2].splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] in ("create", "update", "replace", "delete"):
            found[words[2]] = words[0]
    return found


def test_a_deployment_is_made_changed_renewed_and_removed(cloud):
    spec = cloud.spec()
    said = cloud.up(spec)
    assert actions(said)["machine"] == "create"
    first = cloud.instance()
    assert first["InstanceType"] == "g5.xlarge"
    status = cloud.json("status", NAME)["deployments"][0]
    assert status["state"] == "starting"  # nobody serves a model here
    assert first["PublicIpAddress"] in status["endpoint"]
    assert {"type": "aws:ec2/instance:Instance", "name": NAME, "id": first["InstanceId"]} in status[
        "resources"
    ]
    assert_no_secret_is_kept_in_the_clear(cloud)

    assert actions(cloud.up(spec)) == {}, "a second up changes nothing"
    assert cloud.instance()["InstanceId"] == first["InstanceId"]

    said = cloud.up(cloud.spec(instance="g5.2xlarge"))
    assert actions(said)["machine"] in ("update", "replace")
    assert "+150.38" in said, "1.212 - 1.006 USD/h over 730 h"
    assert cloud.instance()["InstanceType"] == "g5.2xlarge"

    cloud.client("ec2").terminate_instances(InstanceIds=[cloud.instance()["InstanceId"]])
    said = cloud.up(cloud.spec(instance="g5.2xlarge"))
    assert "gone since the last run: machine" in said
    assert actions(said) == {"machine": "create"}
    assert cloud.instance()["InstanceId"] != first["InstanceId"]

    assert cloud.json("down", NAME)["remaining"] == []
    assert cloud.leftovers() == {}


def assert_no_secret_is_kept_in_the_clear(cloud: Cloud) -> None:
    """Neither in the engine's state and settings nor in what the instance was started with."""
    key = (cloud.home / "deployments" / NAME / "key").read_text()
    for file in (cloud.home / "pulumi").rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            assert not [s for s in (*SECRETS, key) if s in text], file
    asked = {"InstanceId": cloud.instance()["InstanceId"], "Attribute": "userData"}
    told = cloud.client("ec2").describe_instance_attribute(**asked)["UserData"]
    assert key not in json.dumps(told)


def test_a_machine_that_was_stopped_is_started_and_found_at_its_new_address(cloud):
    spec = cloud.spec()
    cloud.up(spec)
    first = cloud.instance()
    cloud.client("ec2").stop_instances(InstanceIds=[first["InstanceId"]])
    status = cloud.json("status", NAME)["deployments"][0]
    assert status["state"] == "stopped"
    cloud.up(spec)
    again = cloud.instance()
    assert again["State"]["Name"] == "running"
    assert again["InstanceId"] == first["InstanceId"]
    assert again["PublicIpAddress"] != first["PublicIpAddress"]
    told = cloud.json("env", NAME)["env"]
    assert told["OPENAI_BASE_URL"] == f"https://{again['PublicIpAddress']}/v1"
    assert "BEGIN CERTIFICATE" in Path(told["SSL_CERT_FILE"]).read_text()
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def refused(code: str, operation: str = "ec2.RunInstances", **more: Any) -> dict[str, Any]:
    return {"operation": operation, "code": code, "message": f"{code}, says the test", **more}


def test_without_capacity_in_two_zones_the_third_is_taken_and_each_is_said(cloud):
    launches = refusals_of_one_launch(cloud)
    cloud.faults(refused("InsufficientInstanceCapacity", times=2 * launches))
    said = cloud.up(cloud.spec())
    assert said.count("no capacity in us-east-1") == 2
    assert cloud.instance()["State"]["Name"] == "running"
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def refusals_of_one_launch(cloud: Cloud) -> int:
    """How often the provider asks for one machine before it gives up: it tries again by itself."""
    cloud.faults(refused("InsufficientInstanceCapacity"))
    said = cloud.up(cloud.spec(), code=3)
    cloud.faults()
    return cloud.calls()["ec2.RunInstances"] // (said.count("no capacity in us-east-1") + 1)


def test_without_capacity_anywhere_the_next_offer_that_fits_is_taken_where_the_spec_allows(cloud):
    spec = cloud.spec(instance="auto")
    told = cloud.json("plan", "-f", spec, "--target", "cloud-gpu", "--offline")
    first = told["plans"][0]["offer"]["instance_type"]
    cloud.faults(refused("InsufficientInstanceCapacity", match=first))
    said = cloud.up(spec)
    assert f"AWS has no {first} to spare in any zone of us-east-1" in said
    assert ", the next that fits" in said
    assert cloud.instance()["InstanceType"] != first
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_without_capacity_for_the_named_type_it_is_said_with_exit_code_3_and_can_be_removed(cloud):
    cloud.faults(refused("InsufficientInstanceCapacity"))
    said = cloud.up(cloud.spec(), code=3)
    assert "AWS has no g5.xlarge to spare in any zone of us-east-1" in said
    cloud.faults()
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (refused("VcpuLimitExceeded"), 4, "quota"),
        (refused("UnauthorizedOperation"), 6, "may not create EC2 Instance"),
        (refused("ExpiredToken", "*", skip=120), 6, "expired"),
    ],
    ids=["quota", "permission", "expired half-way"],
)
def test_a_refusal_half_way_names_its_mend_and_the_next_up_goes_on(cloud, fault, code, words):
    cloud.faults(fault)
    said = cloud.up(cloud.spec(), code=code)
    assert words in said
    cloud.faults()
    cloud.up(cloud.spec())
    cloud.instance()
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_throttling_on_every_third_call_only_takes_longer(cloud):
    cloud.faults(refused("Throttling", "*", every=3))
    until_done(cloud, "up", "-f", cloud.spec(), *cloud_kit.UP)
    cloud.instance()
    until_done(cloud, "down", NAME)
    cloud.faults()
    assert cloud.leftovers() == {}


def until_done(cloud: Cloud, *command: object) -> None:
    """Run a command again while it is throttled: the test kit's provider tries three times, the real one 25."""
    for _ in range(8):
        process = cloud.started(*command)
        said, _err = process.communicate(timeout=loopback.PATIENCE_S)
        if not process.returncode:
            return
        assert "Throttling" in said
    pytest.fail(f"it does not come to an end: {said}")


@pytest.mark.parametrize(
    ("instance", "code", "words"),
    [("p5.48xlarge", 4, "request-service-quota-increase"), ("g5.24xlarge", 4, "96 vCPUs")],
)
def test_a_quota_that_does_not_suffice_is_refused_before_anything_is_made(
    cloud, instance, code, words
):
    said = cloud.up(cloud.spec(instance=instance), code=code)
    assert words in said
    assert cloud.leftovers() == {}


def test_without_credentials_nothing_is_made_and_the_mend_is_said(cloud):
    keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(cloud.home)}
    said = cloud.up(cloud.spec(), code=6, **keys)
    assert "there are no AWS credentials" in said
    assert cloud.leftovers() == {}


def test_a_second_up_at_once_is_refused_with_exit_code_5(cloud):
    cloud.faults({"operation": "ec2.RunInstances", "delay": 20.0, "times": 1})
    first = cloud.begun_up()
    until(lambda: "ec2.CreateVpc" in cloud.calls() or first.poll() is not None, "it is at work")
    said = cloud.up(cloud.spec(), code=5)
    assert "another deployer is working on bot-cloud-gpu" in said
    out, _ = first.communicate(timeout=loopback.PATIENCE_S)
    assert first.returncode == 0, out
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_ctrl_c_finishes_what_is_in_the_making_names_it_and_the_next_up_goes_on(cloud):
    process = cloud.begun_up()
    until(lambda: "ec2.CreateVpc" in cloud.calls() or process.poll() is not None, "it is at work")
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=loopback.PATIENCE_S)
    assert process.returncode == 130, said
    assert "exists: aws:ec2/vpc:Vpc" in said
    again = cloud.up(cloud.spec())
    assert "left over from an interrupted run" not in again, "the state knew it all"
    cloud.instance()
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_what_somebody_else_has_made_under_the_same_name_is_left_alone(cloud):
    cloud.up(cloud.spec())
    other = dict(cloud.environ) | {"DEPLOYER_HOME": str(cloud.home.parent / "other")}
    elsewhere = Cloud(cloud.url, cloud.home.parent / "other", other)
    said = elsewhere.up(cloud.spec(), code=5)
    assert "already exists in us-east-1" in said
    cloud.client("ec2").terminate_instances(InstanceIds=[cloud.instance()["InstanceId"]])
    cloud.run("down", NAME)  # to which a thing that is gone already is no obstacle
    assert cloud.leftovers() == {}
