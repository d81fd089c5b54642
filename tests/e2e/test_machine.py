"""The boot script, run for real: systemd, cloud-init, nginx, the AWS CLI and llama.cpp in a container that plays the
rented machine, against the AWS emulator. Nothing of it is simulated but Docker itself and the GPU.
"""

from __future__ import annotations

from tests.kits import machine as machine_kit
from tests.kits.loopback import until
from tests.kits.machine import user_data
from tests.kits.machine_fixtures import MARKS, machine, rented, served

__all__ = ["machine", "rented", "served"]
pytestmark = MARKS


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


def test_a_boot_script_that_breaks_names_the_failing_line_on_the_console(rented):
    text = user_data().replace("try 24 read_secret", "try 1 read_the_secret")
    with rented.machine(text) as broken:
        until(lambda: "boot failed at" in broken.console(), "the failure is told", broken.console)
        (line, *_) = [x for x in broken.console().splitlines() if "boot failed at" in x]
        assert "deployer: boot failed at prepare:" in line
        assert 'try 1 read_the_secret "$run/secret.json"' in line


def test_an_engine_that_does_not_start_is_told_with_its_last_words(rented):
    text = user_data(
        model={"source": "s3://models/none", "name": "x", "path": None, "adapter": None}
    )
    with rented.machine(text) as broken:
        until(lambda: "boot failed at" in broken.console(), "the failure is told", broken.console)
        assert "there is no .gguf file under s3://models/none" in broken.console()
