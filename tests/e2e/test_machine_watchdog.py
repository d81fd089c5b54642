"""The watchdog on a machine that a container plays, against the real llama.cpp server and the AWS emulator.

It looks when a test says so: its timer, which is seen to run elsewhere, is stopped first.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.kits.loopback import until
from tests.kits.machine import Machine
from tests.kits.machine_fixtures import (
    MARKS,
    look,
    looks_until_stopped,
    machine,
    policy,
    rented,
    served,
)

__all__ = ["machine", "rented", "served"]
pytestmark = MARKS
DROP_IN = "/run/systemd/system/deployer-watchdog.service.d"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WRITTEN = ("/var/lib/deployer", "/var/log", "/var/tmp", "/tmp", "/root")  # noqa: S108 - the machine's own
LITTLE = 512 * 2**20


def test_the_watchdog_stops_a_machine_that_nobody_uses(served):
    policy(served, after=1)
    looks_until_stopped(served)
    assert "deployer: watchdog: stop: idle for" in served.console()


def test_the_watchdog_keeps_a_machine_that_is_used_for_longer_than_the_limit(served):
    """Between any two looks a request has ended; health checks alone would not keep it."""
    policy(served, after=1)
    for _ in range(4):
        served.chat()
        look(served)
        assert served.state() == "running"
    looks_until_stopped(served)


def test_the_watchdog_stops_a_machine_whose_engine_hangs(served):
    policy(served, after=1)
    served.chat()
    look(served)
    served.does("pkill", "-STOP", "-f", "llama-server")
    looks_until_stopped(served)
    assert "the engine has not answered for" in served.console()


def test_the_watchdog_stops_a_machine_whose_engine_is_gone_and_never_came_back(served):
    served.does("systemctl", "stop", "deployer-engine.service")
    policy(served, after=1)
    looks_until_stopped(served)
    assert "the engine has not answered since it started" in served.console()


def test_a_reboot_does_not_make_the_watchdog_forget(served):
    policy(served)
    served.chat()
    look(served)
    first = json.loads(served.does("cat", "/var/lib/deployer/watchdog.json"))
    served.cloud.client("ec2").reboot_instances(InstanceIds=[served.instance_id])
    until(lambda: boot_of(served) not in (first["boot"], ""), "it has begun anew")
    until(served.answers, "it answers again", served.console)
    look(served)
    later = json.loads(served.does("cat", "/var/lib/deployer/watchdog.json"))
    assert later["boot"] != first["boot"]
    assert later["address"] == first["address"]
    assert later["seen"]["used_at"] is not None


def boot_of(machine: Machine) -> str:
    """What the watchdog calls this boot; empty while there is none."""
    ask = "import sys; sys.path.insert(0, '/opt/deployer/lib'); from deployer.agents import watchdog; print(watchdog.this_boot())"
    return machine.does("python3", "-c", ask, check=False).strip()


def test_when_aws_refuses_the_machine_shuts_itself_down(served):
    policy(served, after=1)
    served.cloud.faults(
        {"operation": "ec2.StopInstances", "code": "UnauthorizedOperation", "status": 403}
    )

    def down() -> bool:
        if running(served):
            look(served)
        return not running(served)

    until(down, "it shuts itself down", served.console)
    assert "AWS did not do it: shutting down" in served.console()
    served.cloud.faults()
    served.cloud.client("ec2").stop_instances(InstanceIds=[served.instance_id])


def running(machine: Machine) -> bool:
    told = ["docker", "inspect", "--format", "{{.State.Running}}", machine.container]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip() == "true"


@pytest.fixture
def clock(served: Machine) -> Iterator[Clock]:
    """The wall clock that the watchdog and its AWS CLI see; that of the kernel's boot stays."""
    yield Clock(served)
    Clock(served).right()


class Clock:
    """Sets it by libfaketime: a container has no clock of its own."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def jumps(self, by: str) -> None:
        told = f"LD_PRELOAD={FAKETIME} FAKETIME={by} FAKETIME_DONT_FAKE_MONOTONIC=1"
        year = self.machine.does("env", *told.split(), "date", "+%Y")
        assert year != self.machine.does("date", "+%Y")
        unit = f"[Service]\nEnvironment={told}\n"
        write = f'mkdir -p {DROP_IN} && printf %s "$1" > {DROP_IN}/clock.conf'
        self.machine.does("sh", "-c", write, "-", unit)
        self.machine.does("systemctl", "daemon-reload")

    def right(self) -> None:
        if self.machine.state() == "running":
            self.machine.does("sh", "-c", f"rm -rf {DROP_IN}; systemctl daemon-reload")


@pytest.mark.parametrize("by", ["+400d", "-400d"])
def test_a_clock_that_jumps_does_not_end_a_machine_that_is_used(served, clock, by):
    policy(served, after=3600)
    served.chat()
    look(served)
    clock.jumps(by)
    look(served)
    clock.right()
    look(served)
    assert served.state() == "running"


@pytest.mark.parametrize("by", ["+400d", "-400d"])
def test_a_clock_that_jumps_does_not_save_a_machine_that_nobody_uses(served, clock, by):
    policy(served, after=1)
    served.chat()
    look(served)
    clock.jumps(by)
    looks_until_stopped(served)


def test_the_watchdog_stops_a_machine_whose_disk_is_full(served):
    for folder in WRITTEN:
        served.does("mount", "-t", "tmpfs", "-o", "size=64k", "none", folder)
        served.does("sh", "-c", f"head -c 1M /dev/zero > {folder}/filled", check=False)
        refused = served.does("sh", "-c", f"echo more > {folder}/more || echo full", check=False)
        assert refused.strip() == "full"
    policy(served, after=1)
    served.chat()
    looks_until_stopped(served)
    assert "deployer: watchdog: stop: idle for" in served.console()


@pytest.fixture
def cramped(served: Machine) -> Iterator[Machine]:
    """One with 512 MB of memory in all, the model's included, and no swap."""
    limit(served, LITTLE)
    yield served
    limit(served, 2**34)


def limit(machine: Machine, to: int) -> None:
    words = ["docker", "update", "--memory", str(to), "--memory-swap", str(to), machine.container]
    subprocess.run(words, check=True, capture_output=True)


def test_the_watchdog_stops_a_machine_that_has_512_mb_of_memory(cramped):
    policy(cramped, after=1)
    assert cramped.chat()
    looks_until_stopped(cramped)
    assert "deployer: watchdog: stop: idle for" in cramped.console()
