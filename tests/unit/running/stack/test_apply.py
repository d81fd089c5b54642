"""`up` by an engine, with an engine and an account that do what the test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.core.domain import ModelInfo, Plan, Sizing
from deployer.core.errors import DeclinedError, NoCapacityError, PrerequisiteError
from deployer.planning.traffic.profile import usage
from deployer.providers import registry
from deployer.providers.api import Program
from deployer.providers.inventory import Found
from deployer.running import certificates, health
from deployer.running.certificates import Pair
from deployer.running.stack.apply import StackWork
from deployer.running.store import Store
from deployer.spec import Traffic
from stacks._aws import inventory, preflight
from tests.doubles.fake_pulumi import MACHINE, MACHINE_INPUTS, FakeEngine, said, told

NAME = "bot-cloud-gpu"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
STACK_STATE = {
    "resources": [
        {
            "type": "pulumi:pulumi:Stack",
            "outputs": {
                "endpoint": "https://198.51.100.7/v1",
                "instance_id": "i-1",
                "key": {"4da": "secret"},
            },
        }
    ]
}
PLAN = Plan(
    deployment=NAME,
    spec_name="bot",
    spec_digest="d1",
    target="cloud-gpu",
    provider="aws",
    feasible=True,
    model=ModelInfo("bot"),
    sizing=Sizing("fits", "none", "vllm", 1, "exact"),
    inputs={"region": "us-east-1", "instance_type": "g5.xlarge", "deployment": NAME},
    usage=usage(
        Traffic(requests_per_day=Decimal(0)), scale_to_zero_minutes=0, seconds_per_request=None
    ),
    options={"expose": "private"},
)


def machine(address: str = "198.51.100.7") -> Found:
    details = {
        "InstanceId": "i-1",
        "LaunchTime": datetime(2026, 1, 2, 3, tzinfo=UTC),
        "State": {"Name": "running"},
        "PublicIpAddress": address,
        "InstanceType": "g5.xlarge",
    }
    inputs = {"instanceType": "g5.xlarge"}
    return Found(MACHINE, "i-1", NAME, NAME, "us-east-1", details, inputs=inputs)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine and an account; `up` applies the plan."""
    made = SimpleNamespace(
        engine=FakeEngine(), things=[], said=[], seen=[], zones=[], store=Store(tmp_path)
    )
    made.engine.after_up = STACK_STATE
    cleared = preflight.Cleared("1", "ada", ZONES)
    monkeypatch.setattr(preflight, "check", lambda *_: cleared)
    monkeypatch.setattr(inventory, "search", lambda *_: list(made.things))
    monkeypatch.setattr(inventory, "instances", lambda *_: iter(made.things))
    monkeypatch.setattr(certificates, "authority", lambda *_: Pair("PEM", "KEY"))
    monkeypatch.setattr(health, "healthy", lambda *_: True)
    monkeypatch.setattr(health, "smoke_test", lambda *_: None)
    monkeypatch.setattr(health, "check_refusal", lambda *_: None)
    program = Program(run=lambda _inputs: made.zones.append(zone_of()))
    provider = replace(registry.provider("cloud-gpu", "aws"), program=program)

    def opened(program: Callable[[], None]) -> Any:
        made.program = program
        return made.engine

    def up(agree: Any = made.seen.append, plan: Plan = PLAN, *, wait: bool = False) -> Any:
        work = StackWork(
            plan, made.store, provider, made.said.append, lambda: NOW, wait, 1.0, agree, opened
        )
        return work.done()

    made.up = up
    return made


NOW = "2026-01-02T03:00:00+00:00"


def zone_of() -> str | None:
    from pulumi.runtime.config import get_config

    zone: str | None = get_config("deployer:zone")
    return zone


def capacity(world: SimpleNamespace) -> Callable[[Callable[[Any], object]], None]:
    """The engine fails for want of capacity; the zone that its program was told is kept."""
    from pulumi.automation._cmd import CommandResult
    from pulumi.automation.errors import CommandError

    def fail(on_event: Callable[[Any], object]) -> None:
        world.program()
        on_event(said("creating EC2 Instance: api error InsufficientInstanceCapacity: none"))
        raise CommandError(CommandResult("", "update failed", 255))

    return fail


def test_what_is_made_is_agreed_to_first_and_remembered(world):
    record, changed = world.up()
    assert changed
    assert [c.action for c in world.seen[0].real] == ["create"]
    assert world.engine.asked == ["preview", "up"]
    assert record.endpoint == "https://198.51.100.7/v1"
    assert record.outputs == {"endpoint": "https://198.51.100.7/v1", "instance_id": "i-1"}
    assert world.store.get(NAME) == record


def test_what_is_not_agreed_to_is_not_made(world):
    def no(_changes: Any) -> None:
        raise DeclinedError("nothing was applied")

    with pytest.raises(DeclinedError):
        world.up(no)
    assert world.engine.asked == ["preview"]


def test_each_zone_is_tried_in_turn_and_said(world):
    world.engine.failing["up"] = [capacity(world), capacity(world)]
    world.up()
    assert world.zones == ["us-east-1a", "us-east-1b"]
    assert world.engine.asked.count("up") == 3
    assert [line for line in world.said if "no capacity" in line] == [
        "no capacity in us-east-1a: trying us-east-1b",
        "no capacity in us-east-1b: trying us-east-1c",
    ]


def test_a_type_that_no_zone_has_is_said_with_all_of_them(world):
    world.engine.failing["up"] = [capacity(world) for _ in ZONES]
    with pytest.raises(NoCapacityError, match="us-east-1a, us-east-1b, us-east-1c") as caught:
        world.up()
    assert caught.value.exit_code == 3


def test_a_failure_names_what_exists_and_what_it_costs(world):
    def fail(_on_event: Any) -> None:
        world.things.append(machine())
        raise PrerequisiteError("credentials expired")

    world.engine.failing["up"] = [fail]
    with pytest.raises(PrerequisiteError):
        world.up()
    assert any("exists: aws:ec2/instance:Instance i-1, 1.0060 USD/h" in s for s in world.said)
    assert world.store.names() == [NAME], "the next up knows that it is its own"


def test_an_interrupt_names_what_exists_too(world):
    def interrupt(_on_event: Any) -> None:
        world.things.append(machine())
        raise KeyboardInterrupt

    world.engine.failing["up"] = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        world.up()
    assert any("exists:" in line for line in world.said)


def test_what_is_as_planned_and_answers_is_left_alone(world):
    world.things.append(machine())
    world.engine.kept = dict(STACK_STATE)
    world.up(wait=True)
    world.engine.preview_events = told(
        "same", MACHINE, "machine", old=MACHINE_INPUTS, new=MACHINE_INPUTS
    )
    world.engine.asked.clear()
    record, changed = world.up(wait=True)
    assert not changed
    assert record.ready_at == NOW
    assert "up" not in world.engine.asked


def test_a_machine_with_a_new_address_is_found_there(world):
    world.things.append(machine("203.0.113.9"))
    world.engine.kept = dict(STACK_STATE)
    record, _ = world.up()
    assert record.endpoint == "https://203.0.113.9/v1"


def test_secrets_are_told_to_the_program_as_secrets_and_to_nobody_else(world):
    from pulumi.runtime.config import is_config_secret

    seen: dict[str, bool] = {}

    def look(_inputs: Any) -> None:
        keys = ("apiKey", "hubToken", "caCertificate", "caKey", "owner", "zone")
        seen.update({key: is_config_secret(f"deployer:{key}") for key in keys})

    world.up(plan=replace(PLAN, spec_name="bot"))
    from deployer.running.stack.config import Config, program_of

    secret = dict.fromkeys(("apiKey", "hubToken", "caCertificate", "caKey"), "s3cret")
    config = Config({"owner": "ada", "zone": "a"}, secret)
    program_of(SimpleNamespace(program=Program(run=look)), {}, config)()
    assert seen == {**dict.fromkeys(secret, True), "owner": False, "zone": False}
    assert "s3cret" not in repr(config)


def test_what_an_hour_of_each_machine_costs_is_remembered_with_its_address(world):
    world.engine.failing["up"] = [lambda _: world.things.append(machine())]
    record, _ = world.up()
    assert {key: Decimal(usd) for key, usd in record.launched.items()} == {"i-1": Decimal("1.011")}
