"""What `doctor` and the start of `up` say of a machine, with daemons that say what the test wants."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.domain import ModelInfo, Plan, Resource
from deployer.core.errors import PolicyError, PrerequisiteError, RemoteError
from deployer.engines import container as images
from deployer.providers.api import HostGpu
from deployer.running.containers.daemon import refusal, unreachable
from deployer.running.containers.pull import progress, split
from deployer.workflows import doctor
from deployer.workflows.doctor import Daemon
from tests.kits.documents import printed
from tests.kits.parts import need
from tests.unit.cli.test_render import order

PLAIN = Daemon({"ServerVersion": "28.0", "Runtimes": {"runc": {}}})
NVIDIA = Daemon({"ServerVersion": "28.0", "Runtimes": {"runc": {}, "nvidia": {}}})
DEAD = Daemon({}, unreachable("no socket was found"))


def plan(**given: Any) -> Plan:
    inputs = images.container(order(**given))
    container = Resource("local:index:Container", "bot-local", inputs)
    return Plan(
        "bot-local", "bot", "d", "local", "docker", True, ModelInfo("m"), resources=(container,)
    )


def missing(made: Plan | None, daemon: Daemon) -> dict[str, str | None]:
    checks = doctor.examine(made, ask=lambda: daemon, hub=False)
    return {c.name: c.next_step for c in checks.checks if c.needed and c.ok is False}


def test_a_container_without_a_gpu_needs_the_daemon_alone():
    assert missing(plan(), PLAIN) == {}


def test_a_dead_daemon_is_missing_with_the_next_step():
    assert list(missing(plan(), DEAD)) == ["Docker daemon"]
    assert missing(plan(), DEAD)["Docker daemon"]


def test_a_gpu_needs_the_toolkit_and_says_how_to_get_it():
    said = missing(plan(gpus=1), PLAIN)
    assert "nvidia-ctk runtime configure" in str(said["NVIDIA Container Toolkit"])
    assert "NVIDIA Container Toolkit" not in missing(plan(gpus=1), NVIDIA)


def test_every_missing_thing_has_a_next_step():
    assert all(missing(plan(gpus=1), PLAIN).values())


def test_up_stops_before_it_pulls_an_image_for_nothing():
    with pytest.raises(PrerequisiteError, match="Docker daemon"):
        doctor.quick(plan(), ask=lambda: DEAD)
    doctor.quick(plan(), ask=lambda: PLAIN)


def test_a_plan_without_a_container_asks_no_daemon():
    process = Resource("local:index:Process", "p", {})
    made = Plan("a-local", "a", "d", "local", "native", True, ModelInfo("m"), resources=(process,))

    def never() -> Daemon:
        raise AssertionError

    doctor.quick(made, ask=never)


def test_local_only_refuses_a_socket_that_leads_to_another_machine():
    made = plan(privacy="local-only")
    forwarded = Daemon(
        {"Name": "gpu-box", "KernelVersion": "5.10.0-other", "OperatingSystem": "Linux"}
    )
    if sys.platform == "linux":
        with pytest.raises(PolicyError, match="runs on gpu-box") as refused:
            doctor.quick(made, ask=lambda: forwarded)
        assert refused.value.exit_code == 4
    doctor.quick(plan(), ask=lambda: forwarded)


def test_amd_gpus_need_their_driver_and_no_toolkit():
    made = plan(gpus=1, offer={"gpu": "MI300X", "gpu_vendor": "amd"})
    found = missing(made, PLAIN)
    assert set(found) <= {"AMD driver"}
    assert all("amdgpu" in str(step) for step in found.values())


def test_gpus_of_a_daemon_elsewhere_need_no_driver_here():
    there = {"url": "tcp://10.0.0.5:2375", "host": "10.0.0.5"}
    assert "NVIDIA driver" not in missing(plan(gpus=1, docker=there), PLAIN)


def test_a_mac_is_looked_at_for_mlx():
    need("mlx_lm", "the engine that is looked for")
    mac = HostGpu("Apple M4 Max", 64 * 1024)
    checks = {c.name: c for c in doctor._machine(None, PLAIN, (mac,))}
    assert checks["engine mlx"].ok
    assert "engine mlx" not in {c.name for c in doctor._machine(None, PLAIN, ())}


def test_an_engine_that_is_not_installed_is_named_with_the_next_step():
    wanted = {"engine": "sglang", "replicas": 1, "source": "hf:a/b"}
    process = Resource("local:index:Process", "p", wanted)
    made = Plan("a-local", "a", "d", "local", "native", True, ModelInfo("m"), resources=(process,))
    assert "llama.cpp" in str(missing(made, PLAIN)["engine"])


def test_a_user_who_may_not_use_docker_is_told_the_group():
    assert "usermod -aG docker" in str(unreachable("PermissionError(13, 'Permission denied')").hint)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', "nvidia-ctk"),
        ("Bind for 127.0.0.1:80 failed: port is already allocated", "targets.local.port"),
        ("pull access denied for x, repository does not exist", "docker login"),
        ("dial tcp: lookup registry-1.docker.io: no such host", "docker load"),
        ("write /x: no space left on device", "docker system df"),
        ("invalid mount config: bind source path does not exist: /x", "model.source"),
    ],
)
def test_a_refusal_of_the_daemon_comes_with_its_mend(said, mend):
    error = refusal(said)
    assert isinstance(error, PrerequisiteError)
    assert mend in str(error.hint)


def test_an_unheard_of_refusal_is_shown_as_it_is():
    error = refusal("the moon is in the wrong house")
    assert type(error) is RemoteError
    assert "wrong house" in error.message


def test_pulling_draws_a_bar_over_all_layers():
    def at(layer: str, current: int) -> dict[str, Any]:
        detail = {"current": current, "total": 10**9}
        return {"status": "Downloading", "id": layer, "progressDetail": detail}

    lines = list(
        progress([at("a", 0), at("b", 0), at("a", 10**9), at("b", 10**9), {"status": "x"}])
    )
    assert lines == [
        "[##########..........]  50 %  1.0 of 2.0 GB",
        "[####################] 100 %  2.0 of 2.0 GB",
    ]


def test_a_pull_that_the_registry_refuses_ends_with_the_mend():
    with pytest.raises(PrerequisiteError, match="manifest unknown"):
        list(progress([{"error": "manifest unknown: manifest unknown"}]))


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("a", ("a", "latest")),
        ("a:1", ("a", "1")),
        ("host:5000/a", ("host:5000/a", "latest")),
        ("host:5000/a:1", ("host:5000/a", "1")),
        ("a@sha256:5f", ("a@sha256:5f", None)),
    ],
)
def test_an_images_name_is_split_into_name_and_tag(image, parts):
    assert split(image) == parts


def test_doctor_exits_6_when_something_needed_is_missing(
    tmp_path, home, tiny_gguf, capsys, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    spec = tmp_path / "deployer.yaml"
    spec.write_text(
        f"name: a\nmodel: {{source: {tiny_gguf}}}\ntargets: {{local: {{provider: docker}}}}\n"
    )
    code, said, _ = printed(capsys, "doctor", "-f", spec)
    assert code == 6
    assert said["ok"] is False
    assert {"name", "ok", "needed", "detail", "next_step"} == set(said["checks"][0])
    assert main(["doctor", "-f", str(spec)]) == 6
    assert "next: install Docker" in capsys.readouterr().out
