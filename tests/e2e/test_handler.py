"""A handler and a fake vLLM behind the real command line: from up to down, with the official client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from deployer.running.native import process
from deployer.running.store import Store
from tests.kits.documents import read
from tests.kits.parts import need
from tests.kits.processes import PATIENCE_S, free_port, until

ROOT = Path(__file__).parents[2]
NAME = "handler-local"
VLLM = """
name: fake
model: {{source: hf:Qwen/Qwen3-8B, context: 2048}}
serve: {{engine: vllm}}
targets: {{local: {{provider: native, hardware: {{gpu: rtx-4090}}, port: {port}}}}}
"""


class Cli:
    """The command line as a process of its own, with a home of its own."""

    def __init__(self, home: Path, path: str = "") -> None:
        self.home = home
        path = f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]
        self.env = os.environ | {"DEPLOYER_HOME": str(home), "PATH": path}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "deployer", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.env, text=True, stdout=pipe, stderr=pipe)

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as cli:
            out, err = cli.communicate(timeout=120)
        return cli.returncode, out + err

    def json(self, *arguments: str, code: int = 0) -> Any:
        with self.start(*arguments, "--json") as cli:
            out, err = cli.communicate(timeout=120)
        assert cli.returncode == code, out + err
        return read(arguments[0], out, code)

    def up(self, spec: Path) -> None:
        code, said = self.run("up", "-f", str(spec), "--target", "local", "--yes", "--offline")
        assert code == 0, said

    def status(self, name: str = NAME) -> Any:
        return self.json("status", name)["deployments"][0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The example's handler, up."""
    need("fastapi", "the handler's server")
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples" / "handler", folder / "handler")
    example = (ROOT / "examples" / "handler.yaml").read_text()
    spec = folder / "handler.yaml"
    spec.write_text(f"{example}\ntargets: {{local: {{port: {free_port()}}}}}\n")
    cli = Cli(folder)
    cli.up(spec)
    yield cli
    cli.run("down", NAME)


def client_of(cli: Cli) -> Any:
    need("openai", "the official client")
    from openai import OpenAI

    env = cli.json("env", NAME)["env"]
    return OpenAI(base_url=env["OPENAI_BASE_URL"], api_key=env["OPENAI_API_KEY"])


def ask(client: Any, **more: Any) -> Any:
    question = [{"role": "user", "content": "Before?"}]
    return client.chat.completions.create(model="handler", messages=question, **more)


def test_the_official_client_gets_the_same_answer_at_once_and_in_pieces(served):
    with client_of(served) as client:
        whole = ask(client).choices[0].message.content
        pieces = [c.choices[0].delta.content for c in ask(client, stream=True)]
    assert whole.startswith("Before")
    assert len(pieces) > 4
    assert "".join(filter(None, pieces)) == whole


def test_status_counts_requests_and_tokens_and_knows_since_when_it_is_idle(served):
    before, began = served.status(), datetime.now(UTC) - timedelta(seconds=1)  # whole seconds
    with client_of(served) as client:
        used = ask(client).usage.completion_tokens
    after = served.status()
    assert after["requests"] == before["requests"] + 1
    assert after["output_tokens"] == before["output_tokens"] + used
    assert began <= datetime.fromisoformat(after["idle_since"]) <= datetime.now(UTC)
    assert after["uptime_seconds"] >= 0
    assert after["state"] == "healthy"


def test_the_key_is_in_no_argument_and_no_environment(served):
    store = Store(served.home)
    for one in process.find(store.folder(NAME)):
        assert store.key(NAME) not in " ".join([*one.cmdline(), *one.environ().values()])


@pytest.mark.parametrize("arguments", [(NAME, "-f"), ("-f", NAME), (NAME, "-F")])
def test_logs_f_follows_until_interrupted(served, arguments):
    with served.start("logs", *arguments, "--tail", "0") as follower:
        until(lambda: reads_the_log(follower))
        assert follower.poll() is None
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=120)
    assert follower.returncode == 130


def reads_the_log(follower: subprocess.Popen[str]) -> bool:
    opened = psutil.Process(follower.pid).open_files()
    return any(file.path.endswith(".log") for file in opened)


def test_logs_f_with_a_spec_and_a_target_still_names_the_deployment(served):
    spec = str(served.home / "handler.yaml")
    assert served.json("logs", "-f", spec, "--target", "local")["deployment"] == NAME


def test_following_is_no_single_document(served):
    document = served.json("logs", NAME, "-f", code=2)
    assert "--follow" in document["error"]["message"]


PATIENT: Any = {"timeout": PATIENCE_S, "trust_env": False}
GATED = """
import pathlib, time
HERE = pathlib.Path(__file__).parent
def load(): return None
def predict(model, request):
    (HERE / "asked").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return {"said": request["say"]}
"""
PREDICT = """
name: handler
model: {{source: ./mine}}
serve: {{engine: fastapi, handler: {{route: predict}}}}
targets: {{local: {{port: {port}}}}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cli]:
    """A handler with /predict that answers when it is let go, up."""
    need("fastapi", "the handler's server")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "handler.py").write_text(GATED)
    (tmp_path / "deployer.yaml").write_text(PREDICT.format(port=free_port()))
    cli = Cli(tmp_path / "home")
    cli.up(tmp_path / "deployer.yaml")
    yield cli
    cli.run("down", NAME)


def test_what_is_being_answered_when_it_is_stopped_is_answered_to_its_end(own, tmp_path):
    env = own.json("env", NAME)["env"]
    url = env["OPENAI_BASE_URL"].replace("/v1", "/predict")
    key = {"Authorization": f"Bearer {env['OPENAI_API_KEY']}"}
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx.post, url, json={"say": "yes"}, headers=key, **PATIENT)
        until((tmp_path / "mine" / "asked").exists)
        with own.start("down", NAME) as down:
            until(lambda: not listens(url))
            (tmp_path / "mine" / "go").touch()
            down.communicate(timeout=120)
        assert asked.result().json() == {"said": "yes"}
    assert process.find(Store(own.home).folder(NAME)) == []


def listens(url: str) -> bool:
    at = urlsplit(url)
    try:
        socket.create_connection((at.hostname or "", at.port or 0)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_changed_code_is_a_changed_deployment(own, tmp_path):
    before = process.find(Store(own.home).folder(NAME))
    own.up(tmp_path / "deployer.yaml")
    assert process.find(Store(own.home).folder(NAME)) == before
    (tmp_path / "mine" / "handler.py").write_text(GATED.replace("said", "meant"))
    own.up(tmp_path / "deployer.yaml")
    assert not set(before) & set(process.find(Store(own.home).folder(NAME)))


def test_chat_with_what_is_no_chat_names_the_route_and_how_to_call_it(own):
    code, said = own.run("chat", NAME, "Hello?")
    assert code == 2
    assert "/predict" in said
    mend = said.partition("hint: ")[2].strip()
    mend = mend.replace('{"your": "request"}', '{"say": "yes"}')
    asked = f'deployer() {{ {sys.executable} -m deployer "$@"; }}; {mend} -fsS -m {PATIENCE_S:.0f}'
    (own.home.parent / "mine" / "go").touch()
    done = subprocess.run(
        ["/bin/sh", "-c", asked], env=own.env, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"said": "yes"}


def test_a_handler_that_cannot_be_loaded_shows_why(tmp_path):
    need("fastapi", "the handler's server")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "handler.py").write_text(
        "def load(): return 1 / 0\ndef predict(m, r): ..."
    )
    (tmp_path / "deployer.yaml").write_text(PREDICT.format(port=free_port()))
    cli = Cli(tmp_path / "home")
    spec = str(tmp_path / "deployer.yaml")
    code, said = cli.run("up", "-f", spec, "--target", "local", "--yes")
    assert code == 1
    assert "ZeroDivisionError" in said


def test_vllm_on_path_is_started_asked_counted_and_stopped(tmp_path):
    (tmp_path / "bin").mkdir()
    vllm = tmp_path / "bin" / "vllm"
    shutil.copy(ROOT / "tests" / "doubles" / "fake_vllm.py", vllm)
    vllm.chmod(0o755)
    spec = tmp_path / "deployer.yaml"
    spec.write_text(VLLM.format(port=free_port()))
    cli = Cli(tmp_path / "home", str(vllm.parent))
    store = Store(cli.home)
    try:
        cli.up(spec)
        shown = cli.status("fake-local")
        assert (shown["state"], shown["requests"], shown["output_tokens"]) == ("healthy", 3, 7)
        for one in process.find(store.folder("fake-local")):
            assert store.key("fake-local") not in " ".join(one.cmdline())
        assert store.key("fake-local") not in (store.folder("fake-local") / "run.json").read_text()
    finally:
        assert cli.json("down", "fake-local")["remaining"] == []
    assert process.find(store.folder("fake-local")) == []
