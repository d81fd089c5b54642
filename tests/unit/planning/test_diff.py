"""A plan beside what is deployed: pure, and by `deployer plan` of a deployment that has a record."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.domain import Estimate, ModelInfo, Plan, Resource
from deployer.planning.diff import beside, fingerprint, unforeseen
from deployer.planning.record import new_record, planned
from deployer.running.stack import preview
from deployer.running.stack.changes import Change, Changes
from deployer.running.store import Store
from deployer.workflows import drift
from deployer.workflows import plan as pipeline
from tests.kits.documents import printed

NAME = "bot-cloud-gpu"
SPEC = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"
ASKED = ("--target", "cloud-gpu", "--offline")
THEN = "2026-01-02T03:00:00+00:00"
MACHINE, DISK = Resource("aws:i", "machine", {"size": "a"}), Resource("aws:d", "disk", {"gib": 1})


def plan_of(*resources: Resource) -> Plan:
    return Plan(NAME, "bot", "d1", "cloud-gpu", "aws", True, ModelInfo("bot"), resources=resources)


RECORD = new_record(plan_of(MACHINE, DISK), THEN)


def actions(plan: Plan) -> dict[str, str]:
    return {one.name: one.action for one in plan.resources}


def test_what_is_as_it_was_made_stays_the_same():
    assert actions(beside(plan_of(MACHINE, DISK), RECORD, {})) == {
        "machine": "same",
        "disk": "same",
    }


def test_what_differs_is_updated_or_made_anew_and_what_is_not_planned_is_deleted():
    other = Resource("aws:i", "machine", {"size": "b"})
    new = Resource("aws:l", "log", {})
    made = beside(plan_of(other, new), RECORD, {})
    assert actions(made) == {"machine": "update", "log": "create", "disk": "delete"}
    made = beside(plan_of(other, new), RECORD, {"aws:i": ("size",)})
    assert actions(made)["machine"] == "replace"


def test_what_is_deleted_is_not_remembered_as_made():
    made = beside(plan_of(MACHINE), RECORD, {})
    assert [one["name"] for one in planned(made)] == ["machine"]


def test_each_up_that_changes_something_gives_another_fingerprint():
    others = [
        None,
        RECORD,
        replace(RECORD, spec_digest="d2"),
        replace(RECORD, planned=[]),
        replace(RECORD, resources=({"type": "aws:i", "name": "machine", "id": "i-1"},)),
        replace(RECORD, started_at="2026-01-02T04:00:00+00:00"),
    ]
    assert len({fingerprint(one) for one in others}) == len(others)
    seen = replace(RECORD, endpoint="https://203.0.113.9/v1", ready_at=THEN)
    assert fingerprint(seen) == fingerprint(RECORD), "looking at it moves nothing"


def test_what_a_saved_plan_does_not_say_is_named_but_for_updates():
    rows = [{"type": "aws:i", "name": "machine", "action": "same"}]
    saved = {"plans": [{"target": "cloud-gpu", "resources": rows}]}
    doing = [
        ("aws:i", "machine", "create"),
        ("aws:g", "access", "update"),
        ("aws:d", "x", "delete"),
    ]
    assert unforeseen(saved, "cloud-gpu", doing) == ["create machine", "delete x"]
    rows[0]["action"] = "create"
    assert unforeseen(saved, "cloud-gpu", doing[:2]) == []


@pytest.fixture
def world(home, tmp_path, capsys) -> Any:
    """A spec whose deployment has a record of its last `up`, made by hand."""
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC)

    def plan(*more: str) -> Any:
        code, document, _ = printed(capsys, "plan", "-f", spec, *ASKED, *more)
        assert code == 0
        return document["plans"][0]

    def deployed(**changed: Any) -> None:
        made = pipeline.make_plans(spec, ["cloud-gpu"], pipeline.Setting(home, offline=True))[0]
        Store(home).save(replace(new_record(made, THEN), **changed))

    return SimpleNamespace(spec=spec, plan=plan, deployed=deployed, saved=tmp_path / "plan.json")


def doing(plan: Any) -> dict[str, str]:
    return {one["name"]: one["action"] for one in plan["resources"]}


def test_a_plan_of_what_is_deployed_shows_what_would_change(world):
    first = world.plan()
    assert set(doing(first).values()) == {"create"}
    assert first["deployed"] is None
    world.deployed()
    assert set(doing(world.plan()).values()) == {"same"}
    world.spec.write_text(SPEC + "targets: {cloud-gpu: {instance: g5.2xlarge}}\n")
    changed = {name: what for name, what in doing(world.plan()).items() if what != "same"}
    assert changed["machine"] in ("update", "replace")
    assert "own-things" not in changed, "it has no tag with the digest of the spec"


def test_a_saved_plan_is_refused_once_what_is_deployed_has_moved(world, capsys):
    world.plan("--out", str(world.saved))
    world.deployed()
    up = ["up", "-f", str(world.spec), *ASKED, "--plan", str(world.saved), "--yes"]
    assert main(up) == 5
    assert "out of date: changed since" in capsys.readouterr().err


def test_a_refreshed_plan_says_what_the_engine_would_do_and_what_somebody_changed(
    world, monkeypatch
):
    every = (
        Change("aws:ec2/instance:Instance", "machine", "create"),
        Change("aws:ec2/securityGroup:SecurityGroup", "access", "update"),
        Change("aws:ec2/vpc:Vpc", "network", "same"),
        Change("aws:x", "y", "delete"),
    )
    nothing = Estimate((), (), None, None, None, None, None)
    changes = Changes(every, nothing, nothing)
    monkeypatch.setattr(preview, "look", lambda *_: changes)
    assert "removed by somebody" not in str(world.plan("--refresh")), "nothing is deployed"
    world.deployed()
    told = world.plan("--refresh")
    assert {k: v for k, v in doing(told).items() if v != "same"} == {
        "machine": "create",
        "access": "update",
        "y": "delete",
    }
    assert "machine was removed by somebody since the last 'up'" in told["warnings"]
    assert "access was changed by somebody since the last 'up'" in told["warnings"]
    assert drift.refreshed(plan_of(MACHINE), world.spec.parent, print) == plan_of(MACHINE)
