"""A handler of one's own in an image that is built here, on a real Docker engine, by the real command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployer.running.containers import daemon
from tests.kits import docker_image
from tests.kits.docker_box import Box, make, need_engine
from tests.kits.parts import need
from tests.kits.processes import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
PATIENT: Any = {"timeout": PATIENCE_S, "trust_env": False}
LOCAL = '\ntargets: {{local: {{provider: docker, image: "{base}", port: {port}}}}}\n'
OWN = """
import pathlib
HERE = pathlib.Path(__file__).parent
def load():
    pathlib.Path("/cache/kept").write_text("what is downloaded")
    return (HERE / "data.bin").read_text()
def predict(model, request):
    return {"said": request["say"], "model": model}
"""
PREDICT = """
name: {name}
model: {{source: ./mine}}
serve: {{engine: fastapi, handler: {{route: predict}}}}
"""


@pytest.fixture(scope="module")
def base() -> str:
    """What the handler's image is built on, in place of the official Python image: no registry is asked."""
    need("xllamacpp", "part of the image")
    need("fastapi", "the handler's server")
    need_engine()
    return docker_image.handler_base()


def images_of(box: Box) -> list[str]:
    with closing(daemon.connect()) as client:
        found = client.images(name=f"localhost/deployer/{box.deployment}")
    return sorted(tag for one in found for tag in one["RepoTags"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, base: str) -> Iterator[Box]:
    """The example's handler, up."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples" / "handler", folder / "handler")
    one = make(folder, "example", folder / "handler", base)
    example = (ROOT / "examples" / "handler.yaml").read_text()
    example = example.replace("name: handler", f"name: {one.name}")
    one.spec.write_text(example + LOCAL.format(base=base, port=one.port))
    code, out, err = one.up()
    assert code == 0, out + err
    yield one
    one.run("down", one.deployment)


@pytest.fixture
def own(tmp_path: Path, base: str) -> Iterator[Box]:
    """A handler with /predict, written but not up; gone when the test is over."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "handler.py").write_text(OWN)
    (tmp_path / "mine" / "data.bin").write_text("weights")
    (tmp_path / "mine" / "data.bin").chmod(0o600)
    one = make(tmp_path, "own", tmp_path / "mine", base)
    one.spec.write_text(PREDICT.format(name=one.name) + LOCAL.format(base=base, port=one.port))
    yield one
    one.run("down", one.deployment)
    assert one.containers() == images_of(one) == []


def post(box: Box, path: str, body: Any, *, key: bool = True) -> httpx.Response:
    env = box.json("env", box.deployment)["env"]
    headers = {"Authorization": f"Bearer {env['OPENAI_API_KEY']}"} if key else {}
    root = env["OPENAI_BASE_URL"].removesuffix("/v1")
    return httpx.post(root + path, json=body, headers=headers, **PATIENT)


def test_the_official_client_gets_the_example_in_pieces(served):
    pieces = [c.choices[0].delta.content for c in served.ask(stream=True)]
    assert len([p for p in pieces if p]) > 2


def test_the_very_same_port_answers_ping_health_metrics_and_invocations(served):
    root = f"http://127.0.0.1:{served.port}"
    for open_to_all in ("/ping", "/health"):
        assert httpx.get(root + open_to_all, **PATIENT).status_code == 200
    assert httpx.get(f"{root}/metrics", **PATIENT).status_code == 401
    question = {"messages": [{"role": "user", "content": "Before?"}]}
    assert post(served, "/invocations", question, key=False).status_code == 401
    before = served.json("status", served.deployment)["deployments"][0]
    answer = post(served, "/invocations", question).json()
    assert answer["choices"][0]["message"]["content"].startswith("Before")
    after = served.json("status", served.deployment)["deployments"][0]
    assert after["requests"] == before["requests"] + 1
    assert after["output_tokens"] > before["output_tokens"]
    assert after["idle_since"]


def test_it_runs_as_nobody_and_may_write_to_its_cache_alone(served):
    seen = served.inspect()
    assert seen["Config"]["User"] == "10001:10001"
    assert seen["HostConfig"]["ReadonlyRootfs"]
    assert seen["HostConfig"]["CapDrop"] == ["ALL"]
    assert [m["Destination"] for m in seen["Mounts"] if m["RW"]] == ["/cache"]
    until(lambda: served.inspect()["State"]["Health"]["Status"] == "healthy")


def test_sagemaker_runs_the_very_same_image_without_a_key(served):
    (image,) = images_of(served)
    with Running(f"{served.name}-sagemaker", image, "serve") as root:
        until(lambda: answers(f"{root}/ping"))
        question = {"messages": [{"role": "user", "content": "Before?"}]}
        answer = httpx.post(f"{root}/invocations", json=question, **PATIENT).json()
        assert answer["choices"][0]["message"]["content"].startswith("Before")
        assert httpx.get(f"{root}/metrics", **PATIENT).status_code == 404


class Running:
    """A container that is run by Docker alone; gives the address of its port 8080."""

    def __init__(self, name: str, image: str, *arguments: str) -> None:
        self.name = name
        self.command = ("docker", "run", "--detach", "--name", name, image, *arguments)

    def __enter__(self) -> str:
        subprocess.run(self.command, check=True, capture_output=True)
        with closing(daemon.connect()) as client:
            return (
                f"http://{client.inspect_container(self.name)['NetworkSettings']['IPAddress']}:8080"
            )

    def __exit__(self, *_: object) -> None:
        command = ("docker", "rm", "--force", "--volumes", self.name)
        subprocess.run(command, check=True, capture_output=True)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, **PATIENT).status_code == 200
    except httpx.HTTPError:
        return False


def test_predict_goes_up_is_rebuilt_when_a_file_changes_and_leaves_nothing(own):
    assert own.up()[0] == 0
    assert post(own, "/predict", {"say": "yes"}).json() == {"said": "yes", "model": "weights"}
    before = images_of(own)
    assert "nothing to change" in own.up()[2]
    (own.folder / "mine" / "data.bin").write_text("better weights")
    assert own.up()[0] == 0
    assert post(own, "/predict", {"say": "yes"}).json()["model"] == "better weights"
    after = images_of(own)
    assert len(after) == 1, "the image before it is gone"
    assert after != before
    gone = own.json("down", own.deployment)
    assert [one["type"] for one in gone["removed"]] == [
        *("local:index:Container", "local:index:Image")
    ]
    assert gone["remaining"] == own.containers() == images_of(own) == []


def test_a_handler_that_breaks_is_rolled_back_and_its_image_goes_with_it(own):
    assert own.up()[0] == 0
    before, image = own.containers(), images_of(own)
    (own.folder / "mine" / "handler.py").write_text(
        "def load(): return 1 / 0\ndef predict(m, r): ..."
    )
    error = own.refused()
    assert error["exit_code"] == 1
    assert "ZeroDivisionError" in error["message"]
    assert own.containers() == before
    assert images_of(own) == image
    until(lambda: own.state() == "healthy")
    assert post(own, "/predict", {"say": "yes"}).json()["said"] == "yes"


def test_a_step_of_the_build_that_fails_is_shown_and_leaves_the_running_one_alone(own, base):
    assert own.up()[0] == 0
    before = own.inspect()["State"]["StartedAt"]
    own.spec.write_text(own.spec.read_text().replace(base, docker_image.image()))  # without FastAPI
    error = own.refused()
    assert error["exit_code"] == 1
    assert "cannot be built" in error["message"]
    assert "No module named" in error["message"]
    assert "base image" in error["hint"]
    assert own.inspect()["State"]["StartedAt"] == before


def test_what_render_writes_builds_the_same_image(own):
    out = own.folder / "out"
    command = ("render", "-f", str(own.spec), "--target", "local", "--out", str(out))
    document = own.json(*command)
    assert {"Dockerfile", "config.json", "handler/handler.py", "handler/data.bin"} <= {
        row["path"] for row in document["files"]
    }
    assert own.up()[0] == 0
    tag = f"{own.name}:rendered"
    build = ("docker", "build", "--quiet", "--tag", tag, str(out))
    classic = os.environ | {"DOCKER_BUILDKIT": "0"}  # the daemon's own, which shares its cache
    subprocess.run(build, check=True, capture_output=True, env=classic)
    try:
        with closing(daemon.connect()) as client:
            (built,) = images_of(own)
            assert client.inspect_image(tag)["RootFS"] == client.inspect_image(built)["RootFS"]
            assert client.inspect_image(tag)["Config"] == client.inspect_image(built)["Config"]
    finally:
        untag = ("docker", "rmi", tag)
        subprocess.run(untag, check=True, capture_output=True)
