"""The boot script, run for real: systemd, cloud-init, nginx, the AWS CLI and llama.cpp in a container that plays the
rented machine, against the AWS emulator. Nothing of it is simulated but Docker itself and the GPU.

The watchdog looks when a test says so: its timer, which is seen to run, is stopped first.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import machine_kit
from tests.machine_kit import Cloud, Machine, until, user_data

FOREVER = 10**6
pytestmark = [
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(
        "DEPLOYER_E2E_CLOUD" not in os.environ,
        reason="it builds and boots a whole machine, minutes of work: 'make e2e-cloud' runs it",
    ),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[Cloud]:
    with machine_kit.cloud(tmp_path_factory.mktemp("machines"), tiny_gguf) as made:
        yield made


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> Iterator[Machine]:
    """A machine that serves. Its watchdog is given policies by the tests."""
    patient = {"expires": None, "idle": {"after": FOREVER, "action": "stop"}}
    with cloud.machine(user_data(policy=patient)) as made:
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


def test_a_chat_completion_comes_through_tls_and_key_from_what_the_boot_script_started(served):
    assert served.chat()
    assert served.ask(key="wrong")[0] == 401
    until(lambda: "deployer: ready" in served.console(), "it says that it is ready")


def test_its_timers_run_from_the_first_start_on(machine):
    for timer in ("watchdog", "certificate"):
        assert (
            machine.does("systemctl", "is-enabled", f"deployer-{timer}.timer").strip() == "enabled"
        )


def test_only_the_api_is_there_for_callers(served):
    assert served.ask("/metrics")[0] == 404
    assert served.ask("/")[0] == 404
    assert served.ask("/health")[0] == 200


def test_no_secret_is_left_on_the_disk_or_in_the_process_list_or_on_the_console(served):
    for secret in (machine_kit.KEY, "PRIVATE KEY"):
        found = served.does(
            *("grep", "-rlF", "-e", secret, "/etc/deployer", "/opt", "/var", "/root"),
            check=False,
        )
        assert found == ""
        assert secret not in served.does("ps", "axww")
        assert secret not in served.console()
    assert served.does("ls", "/run/deployer").split() == ["secrets", "tls"]


def test_after_a_stop_and_a_start_its_new_address_has_a_certificate_of_the_same_authority(served):
    ec2, before = served.cloud.client("ec2"), served.address()
    ec2.stop_instances(InstanceIds=[served.instance_id])
    ec2.start_instances(InstanceIds=[served.instance_id])
    until(served.answers, "it answers again", served.console)
    assert served.address() != before
    assert served.chat()


def test_a_boot_script_that_breaks_names_the_failing_line_on_the_console(cloud):
    text = user_data().replace("try 24 read_secret", "try 1 read_the_secret")
    with cloud.machine(text) as broken:
        until(lambda: "boot failed at" in broken.console(), "the failure is told", broken.console)
        (line, *_) = [x for x in broken.console().splitlines() if "boot failed at" in x]
        assert "deployer: boot failed at prepare:" in line
        assert 'try 1 read_the_secret "$run/secret.json"' in line


def test_an_engine_that_does_not_start_is_told_with_its_last_words(cloud):
    text = user_data(
        model={"source": "s3://models/none", "name": "x", "path": None, "adapter": None}
    )
    with cloud.machine(text) as broken:
        until(lambda: "boot failed at" in broken.console(), "the failure is told", broken.console)
        assert "there is no .gguf file under s3://models/none" in broken.console()


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
    ask = "import sys; sys.path.insert(0, '/opt/deployer/lib'); from deployer import watchdog; print(watchdog.this_boot())"
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
    assert "AWS does not do it: shutting down" in served.console()
    served.cloud.faults()
    served.cloud.client("ec2").stop_instances(InstanceIds=[served.instance_id])


def running(machine: Machine) -> bool:
    told = ["docker", "inspect", "--format", "{{.State.Running}}", machine.container]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip() == "true"
