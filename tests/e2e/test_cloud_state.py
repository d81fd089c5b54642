"""The engine's state in a bucket, where a team or a CI shares it: the real engine, S3 of the AWS emulator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kits import cloud as cloud_kit
from tests.kits import loopback
from tests.kits.cloud import NAME, Cloud, kill_all
from tests.kits.loopback import until

BUCKET = "states"
pytestmark = [pytest.mark.xdist_group("cloud"), pytest.mark.timeout(3600)]


@pytest.fixture
def state(cloud: Cloud) -> str:
    """The address of a bucket, as a spec or the environment names it."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}?region={cloud_kit.REGION}&use_path_style=true"


def kept(cloud: Cloud) -> str:
    """All that lies in the bucket, in one text."""
    s3 = cloud.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    return "\n".join(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys)


def test_a_deployment_lives_in_the_bucket_its_spec_names(cloud, state):
    spec = cloud.spec()
    spec.write_text(spec.read_text().replace("{instance:", f'{{state: "{state}", instance:'))
    cloud.up(spec)
    first = cloud.instance()["InstanceId"]
    text = kept(cloud)
    assert first in text
    assert (cloud.home / "deployments" / NAME / "key").read_text() not in text
    assert not (cloud.home / "pulumi" / "state").exists()
    cloud.up(spec)
    assert cloud.instance()["InstanceId"] == first
    assert cloud.json("down", NAME)["remaining"] == []
    assert cloud.leftovers() == {}


def test_a_lock_that_a_killed_up_left_in_the_bucket_is_no_obstacle(cloud, state):
    there = replace(cloud, environ={**cloud.environ, "DEPLOYER_STATE": state})
    process = there.begun_up()
    until(lambda: "ec2.CreateVpc" in cloud.calls() or process.poll() is not None, "it works")
    kill_all(process)
    there.up(there.spec())
    there.instance()
    there.run("down", NAME)
    assert cloud.leftovers() == {}


def test_what_a_colleague_is_making_is_left_alone(cloud, state):
    environ = {**cloud.environ, "DEPLOYER_STATE": state}
    theirs = replace(cloud, environ=environ)
    home = cloud.home.parent / "other"
    ours = replace(cloud, home=home, environ={**environ, "DEPLOYER_HOME": str(home)})
    cloud.faults({"operation": "ec2.RunInstances", "delay": 30.0, "times": 1})
    process = theirs.begun_up()
    until(lambda: "ec2.CreateVpc" in cloud.calls() or process.poll() is not None, "it works")
    passphrase = home / "pulumi" / "passphrase"
    passphrase.parent.mkdir(parents=True)
    passphrase.write_text((theirs.home / "pulumi" / "passphrase").read_text())
    said = ours.up(ours.spec(), code=5)
    assert "is working on bot-cloud-gpu" in said
    assert "left over" not in said
    out, _ = process.communicate(timeout=loopback.PATIENCE_S)
    assert process.returncode == 0, out
    theirs.run("down", NAME)
    assert cloud.leftovers() == {}
