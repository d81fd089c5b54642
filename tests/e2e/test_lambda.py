"""Every verb on Lambda for real: the Pulumi engine, and a double of its API whose machines are processes.

The double holds every request and every answer against the published description. What exists is read back from it.
Skipped where there is no engine, or where the machines' port 443 cannot be listened on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.lambda_cloud import KEY
from tests.kits import lambda_world
from tests.kits.lambda_world import LambdaWorld
from tests.kits.processes import until

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]
TWO_HOURS = 7200.0
LAUNCH = "POST instance-operations/launch"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LambdaWorld]:
    """An account with nothing in it; nothing is left in it afterwards, and no call was not as described."""
    with lambda_world.world(tmp_path) as made:
        yield made
        assert made.cloud.broken == []


def launches(world: LambdaWorld) -> int:
    return world.cloud.calls.count(LAUNCH)


def gone(world: LambdaWorld) -> None:
    """Take it down, and see that the account is as it was."""
    assert world.down()["remaining"] == []
    assert world.cloud.left() == {}
    assert world.nothing_runs()
    assert world.down()["removed"] == []


def test_a_machine_is_made_asked_changed_and_removed(world):
    plan = world.plan()
    assert plan["cost"]["unpriced"] == []
    assert world.up()["state"] == "healthy"
    first = world.machine()
    assert {t["key"] for t in first["tags"]} >= {"deployer:deployment", "deployer:idle-action"}

    again = world.up()
    assert launches(world) == 1
    found = world.status()
    assert (found["state"], found["endpoint"]) == ("healthy", f"https://{first['ip']}/v1")
    assert again["resources"] == found["resources"]
    assert found["usd_per_hour"] == 1.29
    assert found["expires_at"]
    assert world.json("logs", world.name)["lines"][-1] == "engine: up"
    answer = world.json("chat", world.name, "Hello?", "--max-tokens", "4")
    assert answer["message"]["content"]
    assert_no_key_is_kept(world)

    world.wrote("context: 2048", "context: 4096")
    assert world.up()["state"] == "healthy"
    assert world.machine()["id"] != first["id"]
    assert launches(world) == 2
    gone(world)


def assert_no_key_is_kept(world: LambdaWorld) -> None:
    """Look for Lambda's key in every file of the home, and for the deployment's own in all but its own."""
    own = world.json("env", world.name)["env"]["OPENAI_API_KEY"]
    texts = {f: f.read_text("latin-1") for f in world.home.rglob("*") if f.is_file()}
    assert [file for file, text in texts.items() if KEY in text] == []
    assert {file.name for file, text in texts.items() if own in text} == {"key"}
    documents = [world.plan(), world.status(), world.json("logs", world.name), world.idle()]
    assert KEY not in json.dumps(documents)
    assert own not in json.dumps(documents)
    assert all(KEY not in text for text in world.cloud.user_data.values())
    assert own not in json.dumps(world.cloud.instances)


@pytest.mark.parametrize("moment", ["recorded", "POST ssh-keys", LAUNCH, "waiting for", "healthy:"])
def test_an_up_killed_at_any_moment_is_gone_on_with_and_has_one_machine(world, moment):
    world.cloud.boots_s = 3.0
    world.killed_up(moment)
    before = {one["id"] for one in world.cloud.living}
    assert world.up()["state"] == "healthy"
    assert {one["id"] for one in world.cloud.living} >= before, "what was launched is used"
    assert launches(world) == 1
    gone(world)


@pytest.mark.parametrize("moment", ["POST ssh-keys", LAUNCH])
def test_what_a_killed_up_has_made_is_found_and_removed(world, moment):
    world.killed_up(moment)
    gone(world)


def test_what_nobody_uses_is_listed_ended_by_the_reaper_alone_and_left_over_is_found(world):
    world.up()
    machine = world.machine()
    (kept,) = world.idle()["instances"]
    assert (kept["decision"], kept["usd_per_hour"]) == ("keep", 1.29)
    assert kept["idle_basis"] == "measured"

    held = world.json("idle", "extend", world.name, "--for", "8d")["extended"]
    (later,) = world.idle()["instances"]
    assert held == [{"region": "us-east-1", "expires_at": later["expires_at"]}]
    assert later["expires_at"] > kept["expires_at"]

    world.cloud.unused_for(machine["id"], TWO_HOURS)
    until(lambda: world.idle()["instances"][0]["decision"] == "destroy")
    assert world.end("stop") == [], "there is no stop"
    before = len(world.cloud.calls)
    world.idle()
    assert sorted(world.cloud.calls[before:]) == [
        "GET firewall-rulesets",
        "GET instances",
        "GET ssh-keys",
    ]

    # a machine that shuts itself down goes on costing: only the reaper ends it
    spent = world.cloud.cents(machine["id"])
    world.cloud.poweroff(machine["id"])
    assert world.machine()["status"] == "active"
    until(lambda: world.cloud.cents(machine["id"]) > spent)

    shutil.rmtree(world.home)
    world.cloud.tag(machine["id"], "deployer:expires-after", "60s")
    world.cloud.instances[machine["id"]]["name"] = world.name
    (found,) = world.idle_with_gaps()["instances"]
    assert (found["stack"], found["decision"]) == ("not recorded here", "destroy")
    assert [one["done"] for one in world.json("idle", "destroy", "--yes", code=1)["acted"]] == [
        "destroy"
    ]
    until(lambda: not world.cloud.living)
    assert {one["type"].rpartition(":")[2] for one in world.idle()["orphans"]} == {
        "LambdaRuleset",
        "LambdaKey",
    }
    assert world.down()["remaining"] == []
    assert world.cloud.left() == {}
    assert world.nothing_runs()
    again = world.json("down", world.name, code=1)
    assert again["removed"] == []
    assert [one["provider"] for one in again["not_asked"]] == ["cloud-gpu/aws"], "nothing is known"
