"""A real Docker engine, a real llama.cpp in its container, the real command line: `local` by `docker`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from deployer.core.errors import PrerequisiteError, RemoteError
from deployer.running.containers import arguments, daemon, inspection
from deployer.running.containers.runtime import DockerRunner
from deployer.running.store import Store
from tests.kits import docker_image
from tests.kits.docker_box import Box, make, need_engine
from tests.kits.parts import need
from tests.kits.processes import until


@pytest.fixture(scope="module")
def image() -> str:
    """The image that is served with."""
    need("xllamacpp", "the engine that is served with")
    need_engine()
    return docker_image.image()


@pytest.fixture
def box(tmp_path: Path, tiny_gguf: Path, image: str) -> Iterator[Box]:
    """A command line whose deployment is gone when the test is over."""
    one = make(tmp_path, "box", tiny_gguf, image)
    yield one
    one.run("down", one.deployment)
    assert one.containers() == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path, image: str) -> Iterator[Box]:
    """A command line with the tiny model up."""
    one = make(tmp_path_factory.mktemp("served"), "served", tiny_gguf, image)
    code, out, err = one.up()
    assert code == 0, out + err
    yield one
    one.run("down", one.deployment)


def test_the_official_client_gets_a_streamed_answer_with_the_key(served):
    pieces = [c.choices[0].delta.content for c in served.ask(stream=True) if c.choices]
    assert len(pieces) > 2
    assert "".join(filter(None, pieces)).strip()


def test_the_official_client_is_refused_without_the_key(served):
    from openai import AuthenticationError

    with pytest.raises(AuthenticationError):
        served.ask(key="wrong")


def test_up_twice_changes_nothing(served):
    before = served.containers()
    code, _, err = served.up()
    assert code == 0
    assert "nothing to change" in err
    assert served.containers() == before


def test_status_names_the_container(served):
    (shown,) = served.json("status", served.deployment)["deployments"]
    assert shown["state"] == "healthy"
    (resource,) = shown["resources"]
    assert resource["name"] == served.deployment
    assert served.inspect()["Id"].startswith(resource["id"])


def test_its_processes_are_known_by_the_ids_that_the_driver_counts_memory_by(served):
    with closing(daemon.connect()) as client:
        pids = inspection.pids_of(client.top(served.deployment))
    assert served.inspect()["State"]["Pid"] in pids
    assert "gpu_memory_mib" in served.json("status", served.deployment)["deployments"][0]


def test_the_daemon_was_asked_for_no_more_than_it_needs(served):
    seen = served.inspect()
    host = seen["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["ReadonlyRootfs"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": arguments.LOG}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert seen["Config"]["Healthcheck"]["Test"] == arguments.health(8080)
    assert {m["Mode"] for m in seen["Mounts"] if m["RW"]} == set()


def test_it_listens_on_this_machine_alone(served):
    bound = served.inspect()["NetworkSettings"]["Ports"]["8080/tcp"]
    assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(served.port)}]


def test_the_key_is_in_nothing_that_the_daemon_lists(served):
    key = Store(served.home).key(served.deployment)
    with closing(daemon.connect()) as client:
        listed = json.dumps([served.inspect(), client.top(served.deployment)])
    assert key not in listed
    assert "/run/secrets/api_key" in listed


def test_dockers_own_health_check_finds_it_healthy(served):
    until(lambda: served.inspect()["State"]["Health"]["Status"] == "healthy")


def test_logs_show_what_the_engine_said_and_no_key(served):
    lines = served.json("logs", served.deployment)["lines"]
    assert any("serving" in line for line in lines)
    assert Store(served.home).key(served.deployment) not in "".join(lines)


def test_a_changed_spec_replaces_the_container_under_the_same_key(box):
    assert box.up()[0] == 0
    key, before = Store(box.home).key(box.deployment), box.containers()
    box.write(concurrency=1)
    code, out, err = box.up()
    assert code == 0, out + err
    (after,) = box.containers()
    assert [after] != before
    assert Store(box.home).key(box.deployment) == key
    assert box.ask().choices


def test_a_replacement_that_crashes_is_rolled_back(box):
    assert box.up()[0] == 0
    before = box.containers()
    box.write(image=docker_image.variant(box.image, "/bin/sh", "-c", "echo I broke; exit 3"))
    error = box.refused()
    assert error["exit_code"] == 1
    assert "I broke" in error["message"]
    assert box.containers() == before
    until(lambda: box.state() == "healthy")
    assert box.ask().choices


def test_a_replacement_that_is_never_healthy_is_rolled_back(box):
    assert box.up()[0] == 0
    before = box.containers()
    box.write(image=docker_image.variant(box.image, "/app/sick-server"))
    said: list[str] = []
    plan = box.plan()
    with pytest.raises(RemoteError, match="not healthy within 3 s"):
        box.apply(plan, said)
    assert f"{box.deployment} is back as it was before" in said
    assert box.containers() == before
    until(lambda: box.state() == "healthy")
    box.write()
    assert "nothing to change" in box.up()[2]


def test_a_replacement_whose_image_is_not_to_be_had_leaves_the_running_one_alone(box):
    assert box.up()[0] == 0
    before = box.inspect()["State"]["StartedAt"]
    box.write(image="deployer-test/no-such-image:1")
    error = box.refused()
    assert error["exit_code"] == 6
    assert error["hint"]
    assert box.inspect()["State"]["StartedAt"] == before
    assert box.state() == "healthy"


def test_a_killed_engine_is_started_again_behind_the_same_endpoint(box):
    assert box.up()[0] == 0
    first = box.inspect()["State"]["Pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: box.inspect()["State"]["Pid"] not in (0, first))
    until(lambda: box.state() == "healthy")
    assert box.inspect()["RestartCount"] == 1
    assert box.ask().choices


def test_what_a_container_has_downloaded_to_its_volume_is_counted(box):
    runner, name = DockerRunner(box.home), box.deployment
    words = ["import time; open('/models/part', 'wb').write(b'x' * 5_000_000); time.sleep(600)"]
    tool = f"{shutil.which('du')}:/usr/bin/du:ro"  # engines' images have it, the tests' has not
    with closing(daemon.connect()) as client:
        volume = client.create_volume(labels={arguments.LABEL: name})["Name"]
        host = client.create_host_config(binds=[f"{volume}:/models", tool])
        made = client.create_container(
            *(box.image, words),
            name=name,
            labels={arguments.LABEL: name},
            volumes=["/models"],
            host_config=host,
            entrypoint=["python3", "-c"],
        )
        assert runner.cached_bytes(name) is None
        client.start(made)
        until(lambda: (runner.cached_bytes(name) or 0) >= 5_000_000)
        client.remove_container(made, force=True)
        client.remove_volume(volume)


def test_what_a_killed_up_left_behind_is_found_by_its_labels(box):
    assert box.up("--no-wait")[0] == 0
    (left,) = box.containers()
    (Store(box.home).folder(box.deployment) / "deployment.json").unlink()
    removed = box.json("down", box.deployment)["removed"]
    assert [left.startswith(r["id"]) for r in removed] == [True]


def volumes() -> set[str]:
    with closing(daemon.connect()) as client:
        return {v["Name"] for v in client.volumes()["Volumes"] or []}


def test_down_leaves_no_container_no_network_and_no_volume(box):
    assert box.up()[0] == 0
    made = box.inspect()
    assert set(made["NetworkSettings"]["Networks"]) == {"bridge"}  # Docker's own
    gone = box.json("down", box.deployment)
    assert len(gone["removed"]) == 1
    assert gone["remaining"] == box.containers() == []
    assert not volumes() & {m.get("Name") for m in made["Mounts"]}
    assert box.json("down", box.deployment)["removed"] == []
    assert not Store(box.home).folder(box.deployment).exists()


GPUS = ", gpus: {gpus}, hardware: {{gpu: rtx-4090, count: 2}}"


@pytest.mark.parametrize(
    ("asked", "count", "ids"),
    [("all", -1, None), ("1", 1, None), ('["0", "GPU-5f"]', 0, ["0", "GPU-5f"])],
)
def test_gpus_shared_memory_and_limits_reach_the_daemon(box, asked, count, ids):
    box.write(more=GPUS.format(gpus=asked))
    plan = box.plan()
    config = arguments.create(dict(plan.resources[1].inputs), box.port, box.folder)
    config["HostConfig"]["Mounts"] = []  # its secret files are made when it is started
    with closing(daemon.connect()) as client:
        client.create_container_from_config(config, box.deployment)
    host = box.inspect()["HostConfig"]
    (request,) = host["DeviceRequests"]
    assert (request["Driver"], request["Capabilities"]) == ("nvidia", [["gpu"]])
    assert (request["Count"], request["DeviceIDs"]) == (count, ids)
    assert host["ShmSize"] == 2**30
    assert {u["Name"]: u["Hard"] for u in host["Ulimits"]} == {"memlock": -1, "stack": 2**26}


def test_a_daemon_without_gpus_is_refused_with_the_mend(box):
    with closing(daemon.connect()) as client:
        if "nvidia" in json.dumps(client.info().get("Runtimes", {})):
            pytest.skip("this daemon has GPUs to give")
    box.write(more=GPUS.format(gpus="all"))
    plan = box.plan()
    with pytest.raises(PrerequisiteError, match="could not select device driver") as refused:
        box.apply(plan, [])
    assert "nvidia-ctk runtime configure" in str(refused.value.hint)
    assert box.containers() == []
    assert box.refused()["exit_code"] == 6


def test_a_taken_port_is_named_with_who_has_it(box):
    with socket.create_server(("127.0.0.1", box.port)):
        error = box.refused()
    assert error["exit_code"] == 6
    assert f"port {box.port} is in use by" in error["message"]


def test_a_model_that_the_container_may_not_read_is_refused_with_the_mend(box, tiny_gguf):
    private = box.folder / "private.gguf"
    private.write_bytes(tiny_gguf.read_bytes())
    private.chmod(0o600)
    box.write(model=private)
    error = box.refused()
    assert error["exit_code"] == 6
    assert "chmod" in error["hint"]


def test_without_a_daemon_up_says_what_to_do_and_a_name_that_never_was_is_refused(box):
    nowhere = f"unix://{box.folder}/none.sock"
    error = box.refused(DOCKER_HOST=nowhere)
    assert error["exit_code"] == 6
    assert "https://docs.docker.com" in error["hint"]
    assert box.run("down", "never-local", DOCKER_HOST=nowhere)[0] == 2


def test_a_name_with_quotes_dollars_and_braces_is_only_a_name(box, tiny_gguf):
    hostile = box.folder / "a 'b\" $(touch x) {{ y }} `z` é.gguf"
    hostile.write_bytes(tiny_gguf.read_bytes())
    box.write(model=json.dumps(str(hostile)))
    code, out, err = box.up()
    assert code == 0, out + err
    assert box.inspect()["Config"]["Labels"]["deployer.model"] == str(hostile)
    with suppress(FileNotFoundError):
        (box.folder / "x").unlink()
        pytest.fail("a file's name was run")


def test_the_last_lines_of_a_start_that_failed_again_are_its_own(image):
    """Docker starts the container again once, and keeps one log for both."""
    once = "test -e /again && { echo second cause; exit 3; }; : > /again; echo first cause; exit 3"
    with closing(daemon.connect()) as client:
        policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}
        made = client.create_container(
            image, command=["-c", once], entrypoint=["sh"], host_config=policy, user="0"
        )["Id"]
        try:
            client.start(made)
            until(lambda: not client.inspect_container(made)["State"]["Running"])

            def lines(tail: int | None) -> list[str]:
                return list(inspection.lines(client, made, follow=False, tail=tail))

            assert lines(12) == ["second cause"]
            assert lines(None) == ["first cause", "second cause"]
        finally:
            client.remove_container(made, force=True)
