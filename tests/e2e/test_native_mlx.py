"""What mlx_lm.server does by itself, and does not do here: load what a request names, serve without a key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployer.engines.launch import Job, Machine, launch
from deployer.planning.model_facts import describe
from deployer.running.native import process
from deployer.running.store import Store
from deployer.sources import installed
from tests.e2e.test_native import NAME, Cli, ask, client_of
from tests.kits import hub_files, tiny_mlx
from tests.kits.parts import need
from tests.kits.processes import free_port

QUESTION = [{"role": "user", "content": "Hello?"}]
LINK = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}}]


@pytest.fixture(scope="module", autouse=True)
def _mlx() -> None:
    need("mlx_lm", "the engine that is served with")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """A command line with a spec of the tiny model, whose deployment is gone when the test is over."""
    one = Cli(tmp_path)
    one.write(tiny_mlx.make(tmp_path / "model"), free_port(), "mlx")
    yield one
    process.stop(Store(one.home).folder(NAME))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The tiny model up, with a Hugging Face cache of its own."""
    one = Cli(tmp_path_factory.mktemp("mlx"))
    one.write(tiny_mlx.make(one.folder / "model"), free_port(), "mlx")
    code, out, err = one.up(before=f"export HF_HOME={one.folder}/hub")
    assert code == 0, out + err
    yield one
    one.run("down", NAME)


def called(cli: Cli, method: str, path: str, key: str | None, **more: Any) -> httpx.Response:
    """Call without a client that knows better."""
    root = cli.json("env", NAME)["env"]["OPENAI_BASE_URL"].removesuffix("/v1")
    headers = {} if key is None else {b"Authorization": f"Bearer {key}".encode()}
    return httpx.request(method, root + path, headers=headers, timeout=60, **more)


def key_of(cli: Cli) -> str:
    return Store(cli.home).key(NAME)


def test_the_whole_answer_is_the_models_own(served):
    with client_of(served) as client:
        said = client.chat.completions.create(model="tiny", messages=QUESTION)
    assert said.choices[0].message.content == tiny_mlx.ANSWER
    assert (said.model, said.choices[0].finish_reason) == ("tiny", "stop")


def test_completions_are_answered_too(served):
    with client_of(served) as client:
        said = client.completions.create(model="tiny", prompt="Hello?", max_tokens=3)
    assert said.choices[0].text.split() == tiny_mlx.WORDS[:3]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"model": "mlx-community/Qwen3-0.6B-4bit"}, 404),
        ({"model": "default_model"}, 404),
        ({"model": "../model"}, 404),
        ({"model": 7}, 404),
        ({"adapters": "me/lora"}, 400),
        ({"draft_model": "me/draft"}, 400),
        ({"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, 400),
        ({"messages": [{"role": "user", "content": LINK}]}, 400),
        ({"messages": [{"role": "user", "content": "a " * 300}]}, 400),
        ({"messages": None}, 400),
        ({"max_tokens": "many"}, 400),
    ],
    ids=str,
)
def test_a_request_cannot_have_anything_else_loaded_or_fetched(served, changed, status):
    asked = {"model": "tiny", "messages": QUESTION} | changed
    said = called(served, "POST", "/v1/chat/completions", key_of(served), json=asked)
    assert (said.status_code, bool(said.json()["error"])) == (status, True)
    assert not (served.folder / "hub").exists()
    with client_of(served) as client:
        assert ask(client).choices


@pytest.mark.parametrize("key", [None, "wrong", "ключ"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("GET", "/health/"),
        ("OPTIONS", "/v1/chat/completions"),
        ("PUT", "/health"),
    ],
)
def test_nothing_but_the_health_check_is_answered_without_the_key(served, method, path, key):
    body = json.dumps({"model": "tiny", "messages": QUESTION * 1000})
    said = called(served, method, path, key, content=body if method == "POST" else None)
    assert said.status_code == 401
    assert said.json()["error"]["code"] == "invalid_api_key"
    assert called(served, "GET", "/health", None).status_code == 200


def test_only_the_deployed_model_is_listed(served):
    with client_of(served) as client:
        assert [one.id for one in client.models.list()] == ["tiny"]
        assert client.models.retrieve("tiny").id == "tiny"


def test_web_pages_of_others_are_not_let_in(served):
    asked = {"method": "OPTIONS", "path": "/v1/chat/completions", "key": key_of(served)}
    said = called(served, **asked)
    assert "access-control-allow-origin" not in said.headers


def test_an_answer_ends_where_the_context_ends(served):
    nearly = [{"role": "user", "content": "a " * 244}]
    with client_of(served) as client:
        said = client.chat.completions.create(model="tiny", messages=nearly)
    assert said.usage.total_tokens == 256
    assert said.choices[0].finish_reason == "length"


def test_status_counts_requests_and_says_since_when_it_is_idle(served):
    (before,) = served.json("status", NAME)["deployments"]
    with client_of(served) as client:
        ask(client)
        list(ask(client, stream=True))
    (shown,) = served.json("status", NAME)["deployments"]
    assert shown["requests"] == before["requests"] + 2
    assert shown["output_tokens"] == before["output_tokens"] + 16
    assert shown["idle_since"] >= shown["started_at"]


def test_what_mlx_has_quantized_is_counted_as_such_and_served(cli):
    made = cli.folder / "model-4bit"
    told = ("--hf-path", str(cli.folder / "model"), "--mlx-path", str(made), "-q", "--q-bits", "4")
    command = [sys.executable, "-m", "mlx_lm", "convert", *told]
    subprocess.run(command, check=True, capture_output=True, text=True)
    cli.write(made, free_port(), "mlx")
    (plan,) = cli.json("plan", "-f", str(cli.spec), "--target", "local")["plans"]
    assert plan["sizing"]["quantization"] == "mlx_4bit"
    whole, packed = (
        describe(str(f), base=f, catalog=lambda _: None) for f in (cli.folder / "model", made)
    )
    assert packed.params_total == whole.params_total
    code, out, err = cli.up()
    assert code == 0, out + err
    with client_of(cli) as client:
        assert ask(client).choices[0].message.content


def test_a_repository_of_the_hub_is_downloaded_and_then_no_other(cli):
    from openai import NotFoundError

    with hub_files.serving("me/tiny", cli.folder / "model") as hub:
        cli.write(Path("hf:me/tiny"), free_port(), "mlx")
        there = f"export HF_ENDPOINT={hub.url} HF_HOME={cli.folder}/hub"
        code, out, err = cli.up(before=there)
        assert code == 0, out + err
        assert any(path.endswith("/model.safetensors") for path in hub.asked)
        before = len(hub.asked)
        with client_of(cli) as client, pytest.raises(NotFoundError):
            client.chat.completions.create(model="me/other", messages=QUESTION)
        with client_of(cli) as client:
            assert ask(client).choices
        assert len(hub.asked) == before


def test_an_mlx_of_another_python_is_found_by_its_command(cli):
    """As pipx, uv and Homebrew install it: a script whose first line is that Python."""
    script = cli.folder / "mlx_lm.server"
    script.write_text(f"#!{sys.executable}\n")
    machine = Machine({script.name: str(script)}.get, lambda _: False, installed.here().said)
    wanted = {
        "engine": "mlx",
        "source": "./model",
        "model": str(cli.folder / "model"),
        "adapter": None,
    }
    sizes = {"model_name": "tiny", "context": 256, "concurrency": 2, "replicas": 1}
    made = launch(Job(wanted | sizes, 0, cli.folder), machine)
    assert made.command[0] == sys.executable
    assert "mlx_lm 0." in made.what


def test_a_model_that_cannot_be_loaded_ends_the_engine_with_its_reasons(cli):
    config = cli.folder / "model" / "config.json"
    config.write_text(config.read_text().replace('"model_type": "llama"', '"model_type": "odd"'))
    error = cli.up_json(code=1)["error"]
    assert "odd" in Path(error["where"]).read_text()
    assert cli.processes == []


def test_doctor_says_which_mlx_there_is(cli):
    checks = cli.json("doctor", "-f", str(cli.spec))["checks"]
    (engine,) = (check for check in checks if check["name"] == "engine")
    assert engine["ok"] is True
    assert "mlx_lm 0." in engine["detail"]
