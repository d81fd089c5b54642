"""`deployer proxy --out`: the image is built on a real Docker engine and runs as its compose.yaml says, in front of a
double of AWS's own API; the official client asks it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from deployer.cli import main
from deployer.core.deployment import Deployment
from deployer.running.store import Store
from tests.doubles.aws import Double, document, serving
from tests.kits import docker_image
from tests.kits.docker_box import need_engine
from tests.kits.parts import need
from tests.kits.processes import free_port, until

NAME = "mine-serverless"
OUTPUTS = {
    "bedrock": {"model_arn": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc"},
    "sagemaker": {"endpoint_name": NAME, "inference_component": NAME},
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}
    ],
}
ASK: list[Any] = [{"role": "user", "content": "Say hello."}]
SECRET = "canary-of-the-account"


@pytest.fixture(params=OUTPUTS)
def written(request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """The folder that the command writes for a deployment, on a machine with a folder ~/.aws."""
    caller = tmp_path / "caller"
    (caller / ".aws").mkdir(parents=True)
    (caller / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"
    )
    (caller / ".aws" / "credentials").chmod(0o600)
    monkeypatch.setenv("HOME", str(caller))
    store = Store(home)
    store.save(
        Deployment(
            name=NAME,
            spec_name="mine",
            spec_digest="0" * 64,
            target="serverless",
            provider=request.param,
            engine="vllm",
            model="mine",
            started_at="2026-01-01T00:00:00+00:00",
            planned=[],
            outputs={**OUTPUTS[request.param], "region": "us-east-1"},
        )
    )
    assert main(["proxy", NAME, "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def test_neither_key_nor_credentials_get_into_the_image(written, home):
    key = Store(home).key(NAME)
    assert (written / "secrets" / "api_key").read_text() == key
    assert "secrets" in (written / ".dockerignore").read_text().split()
    for file in written.rglob("*"):
        if file.is_file() and file.parent.name != "secrets":
            text = file.read_text()
            assert key not in text, file
            assert SECRET not in text, file


def test_it_listens_on_this_machine_alone_and_may_do_nothing(written):
    (service,) = yaml.safe_load((written / "compose.yaml").read_text())["services"].values()
    assert [p["host_ip"] for p in service["ports"]] == ["127.0.0.1"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert [m["read_only"] for m in service["volumes"]] == [True]


def test_what_is_written_imports_nothing_that_is_not(written):
    """The sources alone, with no other copy of this tool at hand."""
    command = [
        "python3",
        "-S",
        "-c",
        "import deployer.running.gateway.backend, deployer.running.gateway.waking",
    ]
    done = subprocess.run(
        command, cwd=written, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_deployment_with_a_route_of_its_own_needs_no_container(written, home, tmp_path, capsys):
    store = Store(home)
    store.save(Deployment(**{**vars(store.get(NAME)), "endpoint": "https://x/v1"}))
    assert main(["proxy", NAME, "--out", str(tmp_path / "again")]) == 2
    assert "needs no proxy" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


@pytest.fixture
def double() -> Iterator[Double]:
    with serving() as made:
        made.answers = [document(ANSWER)]
        yield made


@pytest.fixture
def url(written: Path, double: Double) -> Iterator[str]:
    """The container, run as compose.yaml says, but in this machine's network: the double is on its loopback."""
    need("boto3", "part of the image")
    need_engine()
    told, port = json.loads((written / "config.json").read_text()), free_port()
    (written / "config.json").write_text(json.dumps({**told, "port": port}))
    tag = f"deployer-test/proxy:{os.getpid()}"
    _docker("build", "-q", f"--build-arg=BASE={docker_image.proxy_base()}", "-t", tag, str(written))
    (service,) = yaml.safe_load((written / "compose.yaml").read_text())["services"].values()
    name = f"deployer-test-proxy-{os.getpid()}"
    environment = {**os.environ, "AWS_ENDPOINT_URL": double.url}
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        environment.pop(variable, None)
    _docker(
        *("run", "--detach", "--name", name, "--network", "host", *_options(service, written)),
        tag,
        environment=environment,
    )
    try:
        until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _docker("rm", "--force", "--volumes", name)
        _docker("rmi", "--force", tag)


def _options(service: dict[str, Any], folder: Path) -> Iterator[str]:
    yield from ("--user", service["user"], "--read-only", "--init")
    yield from (f"--env={one}" for one in service["environment"])
    yield from (f"--tmpfs={one}" for one in service["tmpfs"])
    yield from (f"--cap-drop={one}" for one in service["cap_drop"])
    yield from (f"--security-opt={one}" for one in service["security_opt"])
    yield from (f"--volume={m['source']}:{m['target']}:ro" for m in service["volumes"])
    yield f"--volume={folder}/secrets/api_key:/run/secrets/api_key:ro"


def _docker(*words: str, environment: dict[str, str] | None = None) -> None:
    command = ["docker", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _answers(port: int) -> bool:
    try:
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="x", max_retries=0
        ).models.list()
    except openai.APIConnectionError:
        return False
    except openai.AuthenticationError:
        return True
    return True


def test_the_official_client_gets_an_answer_signed_with_the_callers_credentials(url, double, home):
    with openai.OpenAI(base_url=url, api_key=Store(home).key(NAME), max_retries=0) as client:
        said = client.chat.completions.create(model="mine", messages=ASK)
    assert said.choices[0].message.content == "Hello."
    assert "Credential=AKIDEXAMPLE/" in double.seen[-1]["headers"]["Authorization"]


def test_without_the_key_nobody_is_answered(url, double):
    with (
        openai.OpenAI(base_url=url, api_key="dk-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="mine", messages=ASK)
    assert double.seen == []
