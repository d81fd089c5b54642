"""A rented machine that a container plays, for the tests that boot one: run by `make e2e-cloud`, they take minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits import machine as machine_kit
from tests.kits.loopback import until
from tests.kits.machine import Cloud, Machine, user_data

FOREVER = 10**6
MARKS = [
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(
        "DEPLOYER_E2E_CLOUD" not in os.environ,
        reason="it builds and boots a whole machine, minutes of work: 'make e2e-cloud' runs it",
    ),
]


@pytest.fixture(scope="module")
def rented(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[Cloud]:
    with machine_kit.cloud(tmp_path_factory.mktemp("machines"), tiny_gguf) as made:
        yield made


@pytest.fixture(scope="module")
def machine(rented: Cloud) -> Iterator[Machine]:
    """A machine that serves. Its watchdog is given policies by the tests."""
    patient = {"expires": None, "idle": {"after": FOREVER, "action": "stop"}}
    with rented.machine(user_data(policy=patient)) as made:
        until(made.answers, "the model answers", made.console)
        yield made


@pytest.fixture
def served(machine: Machine) -> Iterator[Machine]:
    """The machine as a test should find and leave it: running, answering, watched by a patient policy."""
    revive(machine)
    yield machine
    machine.cloud.faults()
    revive(machine)


def revive(machine: Machine) -> None:
    if machine.state() == "stopped":
        machine.cloud.client("ec2").start_instances(InstanceIds=[machine.instance_id])
    until(machine.answers, "the model answers", machine.console)
    policy(machine)


def policy(machine: Machine, after: float = FOREVER, **more: object) -> None:
    """Give the watchdog a policy, and let it forget what it saw."""
    told = json.loads(machine.does("cat", "/etc/deployer/watchdog.json"))
    told |= {"idle_after_s": after, "action": "stop", "loading_s": after, **more}
    write = 'printf %s "$1" > /etc/deployer/watchdog.json'
    machine.does("sh", "-c", write, "-", json.dumps(told))
    # the tests say when it looks: neither the timer nor a look that it began must come between
    machine.does("systemctl", "stop", "deployer-watchdog.timer", "deployer-watchdog.service")
    machine.does("sh", "-c", "rm -f /run/deployer-watchdog/* /var/lib/deployer/watchdog.json")


def look(machine: Machine) -> None:
    """Let the watchdog look once. It may end the machine under the command."""
    machine.does("systemctl", "start", "deployer-watchdog.service", check=False)


def looks_until_stopped(machine: Machine) -> None:
    def stopped() -> bool:
        if machine.state() == "running":
            look(machine)
        return machine.state() != "running"

    until(stopped, "the watchdog stops the machine", machine.console)
