"""Two users in one account: each with a home of its own, by the real Pulumi CLI on the AWS emulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.kits import cloud as cloud_kit
from tests.kits import copied_tags
from tests.kits.cloud import NAME, Cloud, kill_all
from tests.kits.documents import read
from tests.kits.loopback import until

BUCKET = "states"
pytestmark = [pytest.mark.xdist_group("cloud"), pytest.mark.timeout(3600)]


@pytest.fixture
def colleague(cloud: Cloud) -> Cloud:
    """Somebody else in the same account, on the same machine, with a home of its own."""
    home = cloud.home.parent / "colleague" / "home"
    home.parent.mkdir()
    return replace(cloud, home=home, environ={**cloud.environ, "DEPLOYER_HOME": str(home)})


def owner_of(cloud: Cloud) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in cloud.instance()["Tags"]}
    return str(tags["deployer:owner"])


def test_a_colleague_s_deployment_is_listed_and_removed_only_by_its_owner_s_name(cloud, colleague):
    cloud.up(cloud.spec())
    before, owner = cloud.leftovers(), owner_of(cloud)
    for more in ((), ("--yes",), ("--owner", "somebody")):
        said = colleague.run("down", NAME, *more, code=4)
        assert cloud.leftovers() == before, "nothing was touched"
    said = colleague.run("down", NAME, "--yes", code=4)
    assert f"made by {owner}" in said
    assert "USD/month" in said
    assert " old, " in said
    assert f"aws:ec2/instance:Instance {cloud.instance()['InstanceId']}" in said
    spec = colleague.spec()
    colleague.run("down", "-f", spec, "--target", "cloud-gpu", "--yes", code=4)
    assert cloud.leftovers() == before
    document = colleague.json("down", NAME, "--owner", owner)
    assert document["remaining"] == []
    assert cloud.leftovers() == {}


def test_a_name_that_is_taken_is_refused_with_its_owner_and_a_name_that_is_free(cloud, colleague):
    cloud.up(cloud.spec())
    before, owner = cloud.leftovers(), owner_of(cloud)
    error = read("up", colleague.up(colleague.spec(), "--json", code=5), 5)["error"]
    assert owner in error["message"]
    assert "'name: bot-2', which is free" in error["hint"]
    assert "down" not in error["hint"]
    assert "exists: " not in colleague.up(colleague.spec(), code=5)
    assert cloud.leftovers() == before
    other = colleague.spec()
    other.write_text(other.read_text().replace("name: bot", "name: bot-2"))
    colleague.up(other)
    assert len(cloud.instances()) == 2
    colleague.run("down", "bot-2-cloud-gpu")
    assert [one["InstanceId"] for one in cloud.instances()] == before["instances"]
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_one_s_own_is_found_again_without_its_record(cloud):
    cloud.up(cloud.spec())
    (cloud.home / "deployments" / NAME / "deployment.json").unlink()
    said = cloud.run("down", NAME, "--yes")
    assert "removed aws:ec2/instance:Instance" in said
    assert cloud.leftovers() == {}


@pytest.fixture
def shared(cloud: Cloud) -> Mapping[str, str]:
    """What those have in common who share a state in a bucket."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    address = f"s3://{BUCKET}?region={cloud_kit.REGION}&use_path_style=true"
    return {"DEPLOYER_STATE": address, "PULUMI_CONFIG_PASSPHRASE": "shared"}


def in_its_spec(cloud: Cloud, address: str) -> Any:
    spec = cloud.spec()
    spec.write_text(spec.read_text().replace("{instance:", f'{{state: "{address}", instance:'))
    return spec


def test_what_the_first_is_making_by_a_shared_state_no_down_of_the_second_removes(
    cloud, colleague, shared
):
    """By name and by spec, with the owner's name too: the state that the spec or a tag names says who is at work."""
    address = shared["DEPLOYER_STATE"]
    opens = {"PULUMI_CONFIG_PASSPHRASE": shared["PULUMI_CONFIG_PASSPHRASE"]}
    theirs = replace(cloud, environ={**cloud.environ, **opens})
    ours = replace(colleague, environ={**colleague.environ, **opens})
    cloud.faults({"operation": "ec2.RunInstances", "delay": 1200.0, "times": 1})
    process = theirs.started("up", "-f", in_its_spec(theirs, address), *cloud_kit.UP)
    until(lambda: "ec2.RunInstances" in cloud.calls() or process.poll() is not None, "it works")
    owner = next(
        tag["Value"]
        for vpc in cloud.client("ec2").describe_vpcs()["Vpcs"]
        for tag in vpc.get("Tags", ())
        if tag["Key"] == "deployer:owner"
    )
    spec = in_its_spec(ours, address)
    by_spec = ("down", "-f", spec, "--target", "cloud-gpu", "--yes")
    ours.run(*by_spec, code=4)
    assert "is working on" in ours.run(*by_spec, "--owner", owner, code=5)
    assert "is working on" in ours.run("down", NAME, "--owner", owner, code=5)
    kill_all(process)
    cloud.faults()
    assert ours.json("down", NAME, "--owner", owner)["remaining"] == []
    assert cloud.leftovers() == {}


def test_a_state_that_a_variable_named_is_remembered_and_read_by_every_verb(cloud, shared):
    there = replace(cloud, environ={**cloud.environ, **shared})
    there.up(there.spec())
    first = cloud.instance()["InstanceId"]
    later = replace(
        cloud,
        environ={k: v for k, v in there.environ.items() if k != "DEPLOYER_STATE"},
    )
    later.up(later.spec())
    assert cloud.instance()["InstanceId"] == first, "the same state was read"
    later.run("down", NAME)
    assert cloud.leftovers() == {}
    keys = cloud.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ())
    assert not [one["Key"] for one in keys if one["Key"].endswith(f"/{NAME}.json")]


def in_region(cloud: Cloud, region: str) -> Any:
    spec = cloud.spec()
    spec.write_text(spec.read_text().replace("{instance:", f"{{region: {region}, instance:"))
    return spec


def test_another_region_is_refused_while_something_lives_and_down_looks_in_every_place(cloud):
    cloud.up(cloud.spec())
    first = cloud.instance()["InstanceId"]
    said = cloud.up(in_region(cloud, "us-west-2"), code=5)
    assert "us-east-1 (aws)" in said
    assert cloud.instance()["InstanceId"] == first
    file = cloud.home / "deployments" / NAME / "deployment.json"
    record = json.loads(file.read_text())
    assert record["places"] == [
        {"provider": "aws", "region": "us-east-1", "account": cloud_kit.ACCOUNT}
    ]
    moved = {**record["places"][0], "region": "us-west-2"}
    told = {**record, "region": "us-west-2", "places": [*record["places"], moved]}
    file.write_text(json.dumps(told))
    (cloud.home / "pulumi" / "state").rename(cloud.home / "lost")  # nothing but the places tells
    assert cloud.json("down", NAME)["remaining"] == []
    assert cloud.leftovers() == {}


def test_the_credentials_of_another_account_remove_nothing_and_forget_nothing(cloud):
    cloud.up(cloud.spec())
    file = cloud.home / "deployments" / NAME / "deployment.json"
    record = json.loads(file.read_text())
    elsewhere = [{**record["places"][0], "account": "999999999999"}]
    file.write_text(json.dumps({**record, "places": elsewhere}))
    assert "was made in the account 999999999999" in cloud.run("down", NAME, code=6)
    assert file.exists()
    file.write_text(json.dumps(record))
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_what_carries_a_copied_tag_is_named_with_its_cost_and_never_touched(cloud):
    others = {k: v for k, v in cloud.environ.items() if k != "HF_TOKEN"}
    cloud = replace(cloud, environ=others)  # nobody answers for the hub here
    cloud.up(cloud.spec())
    strange = copied_tags.make(cloud, NAME)
    before = strange.seen(cloud)
    listed = cloud.json("idle", "--region", cloud_kit.REGION)
    named = {one["id"]: one["monthly_usd"] for one in listed["tagged"]}
    assert strange.ids <= named.keys()
    assert named[strange.volume] == 40, "500 GB at 0.08 USD"
    assert named[strange.snapshot] == 25, "500 GB at 0.05 USD at most"
    for verb in ("stop", "destroy"):
        asked = ("--idle-for", "1s", "--region", cloud_kit.REGION, "--yes")
        cloud.run("idle", verb, *asked)
        assert strange.seen(cloud) == before, "nobody else's machine, group or disk is touched"
    cloud.up(cloud.spec())
    assert strange.seen(cloud) == before, "up takes none of them for left over"
    document = cloud.json("down", NAME)
    kept = {one["id"]: one["monthly_usd"] for one in document["kept"]}
    assert strange.ids - set(strange.machines) <= kept.keys()
    assert kept[strange.volume] == 40
    assert document["remaining"] == []
    assert strange.seen(cloud) == before
