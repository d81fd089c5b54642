"""What `render` writes: what `up` would ask of the daemon, and every text as it was, never as code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.domain import Resource
from deployer.core.templates import compose_text, dockerfile_text
from deployer.engines import container as images
from deployer.engines.llama_cpp import container as llama_cpp
from deployer.engines.recipe import KEY_FILE
from deployer.engines.sglang import container as sglang
from deployer.engines.vllm import container as vllm
from deployer.running.containers import arguments, network
from deployer.running.containers import compose as files
from tests.kits.documents import printed

SECOND = 10**9
IMAGE = "ghcr.io/me/server:1"
HOSTILE = (
    "a'b",
    'a"b',
    "a\nb",
    "$(id)",
    "${HOME}",
    "$$",
    "{{ x }}",
    "{% if %}",
    "`id`",
    "é☃🦙",
    "\\",
    "#a: b",
)
text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
)


def order(engine: str = "llama.cpp", **given: Any) -> Any:
    path = given.get("path", "/models/a.gguf")
    return {
        "deployment": "bot-local",
        "spec_name": given.get("name", "bot"),
        "digest": given.get("digest", "d1"),
        "model": {"source": path or given["source"], "path": path, "adapter": given.get("adapter")},
        "engine": engine,
        "quantization": "fp8" if engine != "llama.cpp" else "q8_0",
        "context": 4096,
        "concurrency": 4,
        "gpus": given.get("gpus", 0),
        "options": {"image": IMAGE, **given.get("options", {})},
        "offer": given.get("offer", {}),
        "docker": given.get("docker"),
        "policy": {"privacy": given.get("privacy", "cloud-ok")},
    }


def container(engine: str = "llama.cpp", **given: Any) -> Resource:
    inputs = images.container(order(engine, **given))
    return Resource("local:index:Container", "bot-local", inputs)


CASES = {
    "a file on the CPU": container(),
    "a file on a GPU": container(gpus=1, options={"gpus": 1, "port": 9000}),
    "a repository on two GPUs": container("vllm", path=None, source="hf:a/b@v1", gpus=2),
    "named GPUs, to everybody": container(
        "sglang",
        path=None,
        source="hf:a/b",
        gpus=1,
        options={"gpus": ["GPU-1"], "expose": "::"},
    ),
    "cut off from the network": container(privacy="local-only"),
    "AMD's GPUs": container(
        "vllm", path="/models/folder", gpus=1, offer={"gpu": "MI300X", "gpu_vendor": "amd"}
    ),
    "a folder": container("vllm", path="/models/folder", gpus=1),
}


def filled_in(value: Any) -> Any:
    """Do what Compose does with dollar signs; a single one would be a variable."""
    if isinstance(value, dict):
        return {filled_in(k): filled_in(v) for k, v in value.items()}
    if isinstance(value, list):
        return [filled_in(v) for v in value]
    if not isinstance(value, str):
        return value
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", value), f"a variable in {value!r}"
    return value.replace("$$", "$")


def as_asked(compose: Any, folder: Path) -> dict[str, Any]:
    """Turn a compose file into the request to the daemon, by the rules of the compose specification."""
    service, inside = compose["services"]["model"], None
    (port,) = service["ports"]
    inside = f"{port['target']}/{port['protocol']}"
    seconds = lambda said: int(said.removesuffix("s"))  # noqa: E731
    health = service["healthcheck"]
    devices = (
        service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    )
    asked: dict[str, Any] = {
        "Image": service["image"],
        "Cmd": service["command"],
        "Env": service.get("environment", []),
        "Labels": service["labels"],
        "ExposedPorts": {inside: {}},
        "Healthcheck": {
            "Test": health["test"],
            "Interval": seconds(health["interval"]) * SECOND,
            "Timeout": seconds(health["timeout"]) * SECOND,
            "StartPeriod": seconds(health["start_period"]) * SECOND,
            "Retries": health["retries"],
        },
        "StopTimeout": seconds(service["stop_grace_period"]),
        "HostConfig": {
            "Mounts": [*map(mounted, service["volumes"]), *secrets(compose, folder)],
            "RestartPolicy": {"Name": service["restart"]},
            "LogConfig": {
                "Type": service["logging"]["driver"],
                "Config": service["logging"]["options"],
            },
            "DeviceRequests": [*map(device, devices)],
            "ShmSize": service["shm_size"],
            "Ulimits": [
                {"Name": name, "Soft": limit["soft"], "Hard": limit["hard"]}
                for name, limit in service.get("ulimits", {}).items()
            ],
            "ReadonlyRootfs": service["read_only"],
            "Tmpfs": dict(one.split(":", 1) for one in service.get("tmpfs", [])),
            "CapDrop": service["cap_drop"],
            "SecurityOpt": service["security_opt"],
            "Init": service["init"],
            "PortBindings": {inside: [{"HostIp": port["host_ip"], "HostPort": port["published"]}]},
        },
    }
    if "networks" in service:
        asked["HostConfig"] |= {"NetworkMode": network_of(compose), "Dns": service["dns"]}
    else:
        assert service["network_mode"] == "bridge"
    if "devices" in service:
        names = ("PathOnHost", "PathInContainer", "CgroupPermissions")
        given = [dict(zip(names, one.split(":"), strict=True)) for one in service["devices"]]
        asked["HostConfig"]["Devices"] = given
    if "entrypoint" in service:
        asked["Entrypoint"] = service["entrypoint"]
    return asked


def network_of(compose: Any) -> str:
    """The name of the only network, which is the one that `up` would make."""
    (made,) = (compose["networks"][name] for name in compose["services"]["model"]["networks"])
    (config,) = made["ipam"]["config"]
    wanted = network.create("bot-local")
    (asked,) = wanted["IPAM"]["Config"]
    assert (config["subnet"], config["gateway"]) == (asked["Subnet"], asked["Gateway"])
    assert config["aux_addresses"] == asked["AuxiliaryAddresses"]
    assert (made["driver"], made["driver_opts"]) == (wanted["Driver"], wanted["Options"])
    assert made["labels"] == wanted["Labels"]
    return str(made["name"])


def mounted(volume: Any) -> dict[str, Any]:
    names = {"type": "Type", "source": "Source", "target": "Target", "read_only": "ReadOnly"}
    return {names[k]: v for k, v in volume.items() if k in names}


def secrets(compose: Any, folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "Type": "bind",
            "Source": str(folder.parent / compose["secrets"][name]["file"]),
            "Target": f"/run/secrets/{name}",
            "ReadOnly": True,
        }
        for name in compose["services"]["model"]["secrets"]
    ]


def device(one: Any) -> dict[str, Any]:
    request = {"Driver": one["driver"], "Capabilities": [one["capabilities"]]}
    if "device_ids" in one:
        return request | {"DeviceIDs": one["device_ids"]}
    return request | {"Count": -1 if one["count"] == "all" else one["count"]}


def written(resource: Resource, path: str) -> str:
    text = files.files([resource])[path]
    assert isinstance(text, str)
    return text


def same_as_up(resource: Resource) -> None:
    folder = Path("/out/secrets")
    compose = filled_in(yaml.safe_load(written(resource, "compose.yaml")))
    wanted = resource.inputs
    port = files.PORT if wanted["port"] == "auto" else wanted["port"]
    asked = as_asked(compose, folder)
    assert asked == arguments.create(wanted, port, folder)
    named = {m["Source"] for m in asked["HostConfig"]["Mounts"] if m["Type"] == "volume"}
    assert named == set(compose.get("volumes", {}))
    assert all(v == {"name": k} for k, v in compose.get("volumes", {}).items())


@pytest.mark.parametrize("resource", CASES.values(), ids=CASES.keys())
def test_the_compose_file_asks_for_what_up_asks_for(resource):
    same_as_up(resource)


@given(name=text, path=text, gpu=text)
def test_hostile_text_is_the_same_text_in_the_compose_file(name, path, gpu):
    same_as_up(container(name=name, path=path, gpus=1, options={"gpus": [gpu]}))


@given(name=text, repo=text, adapter=text)
def test_hostile_text_is_one_argument_of_the_dockerfiles_command(name, repo, adapter):
    given = {"name": name, "path": None, "source": f"hf:{repo}", "adapter": f"hf:{adapter}"}
    resource = container("vllm", **given, gpus=1)
    lines = written(resource, "Dockerfile").split("\n")
    told = dict(
        line.split(" ", 1) for line in lines if line and not line.startswith(("#", "LABEL"))
    )
    assert set(told) == {"FROM", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert json.loads(told["CMD"]) == resource.inputs["command"]
    assert json.loads(told["ENTRYPOINT"]) == resource.inputs["entrypoint"]


def unquoted(quoted: str) -> str:
    """Read a double-quoted word of LABEL or ENV by the Dockerfile's rules; a bare dollar is a variable."""
    assert quoted[0] == quoted[-1] == '"'
    read, rest = "", quoted[1:-1]
    while rest:
        assert rest[0] not in '"$'
        escaped = rest[0] == "\\"
        read += rest[1] if escaped else rest[0]
        rest = rest[2:] if escaped else rest[1:]
    return read


@given(said=text)
def test_a_label_is_read_as_it_was_or_refused(said):
    if set(said) & {"\n", "\r"}:
        with pytest.raises(ValueError, match="line break"):
            dockerfile_text(said)
    else:
        assert unquoted(dockerfile_text(said)) == said


@given(said=text)
def test_compose_reads_a_text_as_it_was(said):
    assert filled_in(yaml.safe_load(compose_text(said))) == said


SCRIPTS = [vllm.SCRIPT, sglang.SCRIPT, llama_cpp.SCRIPT]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("short", ["", "\n", "k" * 15, " " * 40])
def test_no_engine_is_started_in_a_container_with_a_key_that_could_be_guessed(
    script, short, tmp_path
):
    (tmp_path / "key").write_text(short)
    here = script.replace(KEY_FILE, str(tmp_path / "key"))
    done = subprocess.run(
        ["/bin/sh", "-c", here, "serve"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (6, "the API key is shorter than 16 characters\n")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("said", HOSTILE)
def test_the_shell_that_hands_over_the_key_passes_arguments_as_they_are(script, said, tmp_path):
    key, stand_in = tmp_path / "key", tmp_path / "bin"
    key.write_text("k" * 16)
    stand_in.mkdir()
    for tool in ("vllm", "python3", "llama-server"):
        (stand_in / tool).write_text('#!/bin/sh\nfor last; do :; done\nprintf %s "$last"\n')
        (stand_in / tool).chmod(0o755)
    here = script.replace("/tmp/", f"{tmp_path}/").replace("/app/", f"{stand_in}/")  # noqa: S108 - inside the container
    here = here.replace(KEY_FILE, str(key))
    done = subprocess.run(
        ["/bin/sh", "-c", here, "serve", said],
        env={"PATH": f"{stand_in}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == said


def test_a_gpu_that_is_named_twice_is_asked_for_once():
    said = container(gpus=1, options={"gpus": ["0", "1", "0"]})
    assert said.inputs["gpus"] == ["0", "1"]


def test_no_secret_is_in_what_up_would_ask_for():
    said = json.dumps([dict(one.inputs) for one in CASES.values()])
    assert "api-key: %s" in said, "the script, without a key"
    assert "dk-" not in said


SPEC = "name: bot\nmodel: {source: ./a.gguf}\ntargets: {local: {provider: docker}}\n"


@pytest.mark.usefixtures("home")
def test_render_writes_the_files_with_a_key_that_it_keeps(tmp_path, tiny_gguf, capsys):
    (tmp_path / "a.gguf").write_bytes(tiny_gguf.read_bytes())
    spec, out = tmp_path / "deployer.yaml", tmp_path / "out"
    spec.write_text(SPEC)
    command = ("render", "-f", spec, "--target", "local", "--out", out)
    code, first, _ = printed(capsys, *command)
    assert code == 0
    key = (out / "secrets" / "api_key").read_text()
    assert key.startswith("dk-")
    assert {row["path"] for row in first["files"]} == {"compose.yaml", "Dockerfile", ".gitignore"}
    assert not any(key in (out / row["path"]).read_text() for row in first["files"])
    assert (out / "secrets").stat().st_mode & 0o077 == 0
    assert printed(capsys, *command)[:2] == (0, first)
    assert (out / "secrets" / "api_key").read_text() == key


@pytest.mark.usefixtures("home")
def test_render_of_what_has_no_files_says_so(tmp_path, tiny_gguf, capsys):
    spec = tmp_path / "deployer.yaml"
    spec.write_text(
        SPEC.replace("./a.gguf", str(tiny_gguf)).replace("provider: docker", "provider: native")
    )
    command = ("render", "-f", spec, "--target", "local", "--out", tmp_path)
    code, document, _ = printed(capsys, *command)
    assert code == 6
    assert "provider: docker" in document["error"]["hint"]
