"""Privacy on a real Docker engine: what is cut off stays in, a daemon elsewhere is named, and what proves both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deployer.core.files import write_private
from deployer.running.containers import daemon, fetching, network, other_machine
from deployer.running.store import Store
from tests.kits import docker_image
from tests.kits.docker_box import Box, make, need_engine
from tests.kits.documents import read
from tests.kits.parts import missing, need
from tests.kits.processes import free_port, until

IP, DOCKER = shutil.which("ip") or "", shutil.which("docker") or ""
PRIVATE = "policy: {privacy: local-only}\n"


@pytest.fixture(scope="module")
def image() -> str:
    """The image that is served with."""
    need("xllamacpp", "the engine that is served with")
    need_engine()
    return docker_image.image()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path, image: str) -> Iterator[Box]:
    """The tiny model, up under local-only."""
    one = make(tmp_path_factory.mktemp("private"), "private", tiny_gguf, image)
    one.spec.write_text(one.spec.read_text() + PRIVATE)
    code, out, err = one.up()
    assert code == 0, out + err
    yield one
    one.run("down", one.deployment)


def evidence(box: Box, **environment: str) -> tuple[int, dict[str, Any]]:
    code, out, err = box.run("doctor", "--privacy", box.deployment, "--json", **environment)
    assert out, err
    document = read("doctor", out)
    return code, {one["name"]: one for one in document["findings"]} | {"": document}


def test_a_container_under_local_only_answers_and_reaches_nothing(private):
    assert private.ask().choices
    code, found = evidence(private)
    assert code == 0
    egress = found["egress"]
    assert egress["holds"] is True
    assert all("not reached" in line for line in egress["seen"][:3])
    assert any("an address that nobody has" in line for line in egress["seen"])


def test_every_statement_is_proved_of_it(private):
    _, found = evidence(private)
    assert found[""]["ok"] is True
    assert found[""]["local_only"] is True
    assert {one["holds"] for name, one in found.items() if name} == {True}
    assert found["listens"]["seen"] == [f"127.0.0.1:{private.port}"]
    assert "DO_NOT_TRACK=1" in found["usage reporting"]["seen"]
    assert "HF_HUB_OFFLINE=1" in found["offline"]["seen"]


def test_its_evidence_is_one_page_that_loads_nothing(private, tmp_path):
    page = tmp_path / "privacy.html"
    assert private.run("doctor", "--privacy", private.deployment, "--html", str(page))[0] == 0
    text = page.read_text()
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "<script" not in text
    assert "http-equiv" in text
    assert "reaches nothing outside this machine" in text


def test_its_network_is_its_own_and_leads_nowhere(private):
    joined = private.inspect()["NetworkSettings"]["Networks"]
    assert list(joined) == [network.name(private.deployment)]
    with closing(daemon.connect()) as client:
        (made,) = network.found(client, private.deployment)
    (config,) = made["IPAM"]["Config"]
    assert (
        joined[network.name(private.deployment)]["Gateway"]
        == config["AuxiliaryAddresses"]["DefaultGatewayIPv4"]
    )
    assert made["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"


@pytest.fixture
def box(tmp_path: Path, tiny_gguf: Path, image: str) -> Iterator[Box]:
    """A command line whose deployment is gone when the test is over."""
    one = make(tmp_path, "priv", tiny_gguf, image)
    yield one
    one.run("down", one.deployment)
    assert one.containers() == []
    with closing(daemon.connect()) as client:
        assert network.found(client, one.deployment) == []


def test_without_local_only_the_way_out_is_found_and_the_network_goes_with_the_promise(box):
    box.spec.write_text(box.spec.read_text() + PRIVATE)
    assert box.up()[0] == 0
    box.write()
    code, out, err = box.up()
    assert code == 0, out + err
    code, found = evidence(box)
    assert code == 0  # nothing was promised
    assert found["egress"]["holds"] is False
    assert found[""]["local_only"] is False
    with closing(daemon.connect()) as client:
        assert network.found(client, box.deployment) == []


def test_a_container_that_gets_out_after_all_is_not_left_up(box):
    """As on an engine that would give it a way out: somebody has joined it to another network."""
    box.spec.write_text(box.spec.read_text() + PRIVATE)
    assert box.up()[0] == 0
    with closing(daemon.connect()) as client:
        client.connect_container_to_network(box.deployment, "bridge")
    code, found = evidence(box)
    assert code == 4
    assert found["egress"]["holds"] is False
    assert found[""]["ok"] is False


def test_an_address_in_use_is_passed_over(box):
    taken = network.create(box.deployment)["IPAM"]["Config"][0]["Subnet"]
    with closing(daemon.connect()) as client:
        other = client.create_network(
            f"{box.deployment}-other", ipam={"Driver": "default", "Config": [{"Subnet": taken}]}
        )
        try:
            network.ensure(client, box.deployment)
            (made,) = network.found(client, box.deployment)
            assert made["IPAM"]["Config"][0]["Subnet"] != taken
            list(network.forget(client, box.deployment))
        finally:
            client.remove_network(other["Id"])


def test_weights_are_fetched_before_and_then_never_asked_for_again(box, tmp_path):
    """By a script in place of an engine's: first looked for without any network, then fetched with one."""
    script = (
        'test -e /models/mark && exit 0; test -z "$LOOK" || exit 3; : > /models/mark; echo fetched'
    )
    wanted = dict(box.plan().resources[1].inputs) | {
        "mounts": [
            {
                "type": "volume",
                "source": f"{box.deployment}-cache",
                "target": "/models",
                "read_only": False,
            }
        ],
        "fetch": {"sources": ["a/b"], "script": script, "arguments": []},
        "secrets": [],
    }
    said: list[str] = []
    with closing(daemon.connect()) as client:
        looks = fetching.config(wanted, tmp_path, look=True)
        assert looks["HostConfig"]["NetworkMode"] == "none"
        try:
            fetching.ensure(client, box.deployment, wanted, tmp_path, said.append)
            assert "  fetched" in said
            said.clear()
            fetching.ensure(client, box.deployment, wanted, tmp_path, said.append)
            assert said == []
        finally:
            fetching.forget(client, box.deployment)
            client.remove_volume(f"{box.deployment}-cache")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[str]:
    """A second Docker engine, which is reached by TCP."""
    tool = shutil.which("dockerd")
    if not (tool and IP and DOCKER) or os.geteuid() != 0:
        missing("a second dockerd, which root alone starts")
    folder = tmp_path_factory.mktemp("dockerd")
    url = f"tcp://127.0.0.1:{free_port()}"
    bridge = f"dpl{os.getpid() % 10**8}"
    for command in (("add", bridge, "type", "bridge"), ("set", bridge, "up")):
        if subprocess.run([IP, "link", *command], check=False, capture_output=True).returncode:
            missing("a bridge for a second dockerd")
    subprocess.run([IP, "addr", "add", "198.18.77.1/24", "dev", bridge], check=True)
    options = [f"--{k}={folder / k}" for k in ("data-root", "exec-root", "pidfile")]
    options += [f"--bridge={bridge}", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(
            [str(tool), "-H", url, "--tls=false", *options], stdout=log, stderr=log
        )
    try:
        environment = os.environ | {"DOCKER_HOST": url}
        ask = [DOCKER, "version"]
        until(
            lambda: (
                not subprocess.run(
                    ask, env=environment, capture_output=True, check=False
                ).returncode
            )
        )
        saved = subprocess.run([DOCKER, "save", image], capture_output=True, check=True).stdout
        subprocess.run(
            [DOCKER, "load"], input=saved, env=environment, capture_output=True, check=True
        )
        yield url
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(30)
        subprocess.run([IP, "link", "delete", bridge], check=False)


def at(box: Box, url: str, folder: Path) -> dict[str, str]:
    """A Docker context in use that leads there, as `docker context create` and `use` write it."""
    meta = folder / "contexts" / "meta" / sha256(b"there").hexdigest() / "meta.json"
    write_private(
        meta, json.dumps({"Name": "there", "Metadata": {}, "Endpoints": {"docker": {"Host": url}}})
    )
    write_private(folder / "config.json", json.dumps({"currentContext": "there"}))
    assert "DOCKER_HOST" not in os.environ, box
    return {"DOCKER_CONFIG": str(folder)}


def test_a_daemon_elsewhere_serves_and_is_found_again_without_its_variables(box, elsewhere):
    box.spec.write_text(box.spec.read_text().replace(f"port: {box.port}", "port: auto"))
    code, out, err = box.up(DOCKER_HOST=elsewhere)
    assert code == 0, out + err
    assert (
        f"does not run on this machine but on that of the Docker daemon at {elsewhere}"
        in " ".join(out.split())
    )
    assert box.ask().choices
    assert box.containers() == []  # none here
    (shown,) = box.json("status", box.deployment)["deployments"]
    assert shown["state"] == "healthy"
    _, found = evidence(box)
    assert found["machine"]["holds"] is False
    assert found["machine"]["seen"][0] == f"docker daemon: {elsewhere}"
    assert len(box.json("down", box.deployment)["removed"]) == 1
    with closing(daemon.connect(elsewhere)) as client:
        assert client.containers(all=True) == []
        assert not [
            v
            for v in client.volumes()["Volumes"] or []
            if v["Name"] == other_machine.volume(box.deployment)
        ]


def test_local_only_refuses_a_daemon_elsewhere_by_a_context_too(box, elsewhere, tmp_path):
    box.spec.write_text(box.spec.read_text() + PRIVATE)
    for environment in ({"DOCKER_HOST": elsewhere}, at(box, elsewhere, tmp_path / "docker")):
        error = box.refused(**environment)
        assert error["exit_code"] == 4
        assert elsewhere in error["message"]
        assert "stays on your machine" not in error["message"]
    assert not Store(box.home).folder(box.deployment).exists()


def test_a_daemon_is_reached_by_ssh(box, tmp_path):
    """By an ssh that brings the socket here without a network, as the real one does over it."""
    forward = Path(__file__).parents[1] / "doubles" / "ssh.py"
    tool = tmp_path / "bin" / "ssh"
    write_private(tool, f'#!/bin/sh\nexec {sys.executable} {forward} "$@"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    code, out, _ = box.run("doctor", "--json", DOCKER_HOST="ssh://me@gpu-box", PATH=path)
    checks = {one["name"]: one for one in read("doctor", out)["checks"]}
    assert checks["Docker daemon"]["ok"], code
    assert "ssh://me@gpu-box" in checks["Docker daemon"]["detail"]
