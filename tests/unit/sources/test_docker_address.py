"""Which Docker daemon is meant: the order of Docker's own command line, and its files."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.providers.other_docker import OtherDocker
from deployer.sources import docker_address, host
from deployer.sources.docker_address import DockerAddress, find


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Docker's settings of the test's own, and none of its variables set."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "docker"
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def context(config: Path, name: str, url: str) -> None:
    file = config / "contexts" / "meta" / sha256(name.encode()).hexdigest() / "meta.json"
    file.parent.mkdir(parents=True)
    made = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": url}}}
    file.write_text(json.dumps(made))


def use(config: Path, name: str) -> None:
    config.mkdir(exist_ok=True)
    (config / "config.json").write_text(json.dumps({"currentContext": name, "auths": {}}))


@pytest.mark.parametrize(
    ("url", "elsewhere", "host"),
    [
        ("tcp://10.0.0.5:2375", True, "10.0.0.5"),
        ("tcp://127.0.0.1:2375", True, "127.0.0.1"),  # may be the end of a tunnel
        ("ssh://me@gpu-box:2222", True, "gpu-box"),
        ("https://gpu.example:2376", True, "gpu.example"),
        ("tcp://[fd00::5]:2375", True, "fd00::5"),
        ("10.0.0.5:2375", True, "10.0.0.5"),
        ("npipe:////./pipe/docker_engine", False, "127.0.0.1"),
        ("npipe:////server/pipe/docker_engine", True, "server"),
    ],
)
def test_docker_host_says_where_the_daemon_is(url, elsewhere, host, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", url)
    found = find()
    assert found is not None
    assert (found.elsewhere, found.host, found.named_by) == (elsewhere, host, "DOCKER_HOST")


def test_a_socket_is_of_this_machine_and_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert find() is None
    (tmp_path / "there.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/there.sock")
    found = find()
    assert found is not None
    assert not found.elsewhere


def test_the_context_in_use_is_read(config):
    context(config, "gpu-box", "ssh://me@gpu-box")
    use(config, "gpu-box")
    assert find() == DockerAddress("ssh://me@gpu-box", "docker context gpu-box")


def test_docker_context_goes_before_the_one_in_use_and_docker_host_before_both(config, monkeypatch):
    context(config, "one", "tcp://10.0.0.1:2375")
    context(config, "two", "tcp://10.0.0.2:2375")
    use(config, "one")
    monkeypatch.setenv("DOCKER_CONTEXT", "two")
    assert str(find()) == "tcp://10.0.0.2:2375 (docker context two)"
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.3:2375")
    assert str(find()) == "tcp://10.0.0.3:2375 (DOCKER_HOST)"


def test_a_contexts_certificates_are_found(config):
    context(config, "safe", "tcp://10.0.0.1:2376")
    keys = config / "contexts" / "tls" / sha256(b"safe").hexdigest() / "docker"
    keys.mkdir(parents=True)
    use(config, "safe")
    found = find()
    assert found is not None
    assert found.certificates == keys


@pytest.mark.parametrize("name", ["gone", "../../etc"])
def test_a_context_that_is_not_there_is_named(config, name):
    use(config, name)
    with pytest.raises(PrerequisiteError, match="cannot be read") as refused:
        find()
    assert str(config / "config.json") in refused.value.message
    assert not host.has_docker()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"currentContext": 7}', '{"currentContext": "default"}']
)
def test_settings_that_say_nothing_mean_this_machine(config, text):
    config.mkdir()
    (config / "config.json").write_text(text)
    found = find()
    assert found is None or found.url.startswith("unix://")
    assert docker_address.DEFAULT == "default"


def test_a_daemon_elsewhere_is_asked_what_it_has_and_none_here_is(monkeypatch):
    asked = []

    def ask(address):
        asked.append(address.url)
        return OtherDocker(address.url, address.named_by, address.host, cpus=64)

    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2375")
    seen = host.look(ask).other_docker
    assert seen is not None
    assert (seen.cpus, asked) == (64, ["tcp://10.0.0.5:2375"])
    known = host.look().other_docker
    assert known is not None
    assert known.cpus is None
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert host.look(ask).other_docker is None


@pytest.mark.parametrize(
    ("info", "same"),
    [
        ({}, True),
        ({"KernelVersion": "5.10.0-other"}, False),
        ({"Name": "gpu-box", "MemTotal": 1}, False),
        ({"Name": "3f2a9c", "MemTotal": None}, True),  # from inside a container
        ({"OperatingSystem": "Docker Desktop", "KernelVersion": "6.6-linuxkit"}, None),
    ],
)
def test_a_socket_that_leads_to_another_machine_is_seen_by_its_own_words(info, same):
    import os
    import platform
    import sys

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    mine = {"Name": platform.node(), "KernelVersion": platform.release(), "MemTotal": memory}
    told = {k: memory if v is None else v for k, v in info.items()}
    answer = host.same_machine({"OperatingSystem": "Linux", **mine, **told})
    assert answer is (same if sys.platform == "linux" else None)
