"""The rendered compose.yaml, run by Docker Compose alone: what stands then is what `up` makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kits import docker_image
from tests.kits.docker_box import Box, make, need_engine
from tests.kits.parts import missing, need
from tests.kits.processes import PATIENCE_S, until

COMMANDS = (("docker", "compose"), ("docker-compose",))
SAME_HOST = (
    *("CapDrop", "SecurityOpt", "ReadonlyRootfs", "Tmpfs", "RestartPolicy", "LogConfig"),
    *("ShmSize", "Init", "PortBindings", "DeviceRequests", "Privileged"),
)
SAME_INSIDE = ("Cmd", "Entrypoint", "Env", "Healthcheck", "StopTimeout", "User", "Image")
PATIENT: Any = {"timeout": PATIENCE_S, "trust_env": False}


@pytest.fixture(scope="module")
def compose() -> tuple[str, ...]:
    """Docker Compose 2 or newer; CI must have it where the system's packages do (`.ci/run` says so)."""
    need("xllamacpp", "the engine that is served with")
    need_engine()
    for command in COMMANDS:
        if major(command) >= 2:
            return command
    if os.environ.get("DEPLOYER_COMPOSE"):
        missing("Docker Compose 2 is not here")
    pytest.skip("Docker Compose 2 is not here")


def major(command: tuple[str, ...]) -> int:
    try:
        asked = (*command, "version", "--short")
        said = subprocess.run(asked, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return 0
    number = said.stdout.strip().lstrip("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


@pytest.fixture
def box(tmp_path: Path, tiny_gguf: Path, compose: tuple[str, ...]) -> Iterator[Box]:
    """A command line whose deployment is gone when the test is over."""
    one = make(tmp_path, "composed", tiny_gguf, docker_image.image())
    yield one
    one.run("down", one.deployment)
    assert one.containers() == []


def rendered(box: Box) -> Path:
    out = box.folder / "out"
    code, said, err = box.run("render", "-f", str(box.spec), "--target", "local", "--out", str(out))
    assert code == 0, said + err
    return out


def composing(command: tuple[str, ...], folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def healthy(url: str) -> bool:
    try:
        return httpx.get(url, **PATIENT).status_code == 200
    except httpx.HTTPError:
        return False


def test_compose_makes_the_container_that_up_makes_and_it_answers(box, compose):
    assert box.up()[0] == 0
    by_up = box.inspect()
    box.run("down", box.deployment)
    out = rendered(box)
    try:
        composing(compose, out, "up", "--detach")
        by_compose = box.inspect()
        until(lambda: healthy(f"http://127.0.0.1:{box.port}/health"))
        asked = {"messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 4}
        key = {"Authorization": f"Bearer {(out / 'secrets' / 'api_key').read_text()}"}
        url = f"http://127.0.0.1:{box.port}/v1/chat/completions"
        assert httpx.post(url, json=asked, **PATIENT).status_code == 401
        assert httpx.post(url, json=asked, headers=key, **PATIENT).json()["choices"]
    finally:
        composing(compose, out, "down")
    for part, names in (("HostConfig", SAME_HOST), ("Config", SAME_INSIDE)):
        asked = {name: by_up[part][name] or None for name in names}  # nothing may be said as [] too
        assert {name: by_compose[part][name] or None for name in names} == asked
    assert set(by_compose["NetworkSettings"]["Networks"]) == {"bridge"}
    labels = by_up["Config"]["Labels"]
    assert {k: by_compose["Config"]["Labels"][k] for k in labels} == labels
    assert box.containers() == []


def test_compose_builds_the_image_of_a_handler(box, compose):
    need("fastapi", "the handler's server")
    (box.folder / "mine").mkdir()
    handler = "def load(): return 2\ndef predict(model, request): return model * request\n"
    (box.folder / "mine" / "handler.py").write_text(handler)
    box.model = box.folder / "mine"
    box.image = docker_image.handler_base()
    box.write()
    spec = box.spec.read_text()
    box.spec.write_text(
        spec.replace("{concurrency: 2}", "{engine: fastapi, handler: {route: predict}}")
    )
    out = rendered(box)
    try:
        composing(compose, out, "up", "--detach")
        until(lambda: healthy(f"http://127.0.0.1:{box.port}/health"))
        key = {"Authorization": f"Bearer {(out / 'secrets' / 'api_key').read_text()}"}
        url = f"http://127.0.0.1:{box.port}/predict"
        assert httpx.post(url, json=21, headers=key, **PATIENT).json() == 42
    finally:
        composing(compose, out, "down", "--rmi", "local")
