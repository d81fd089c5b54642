"""What a rented machine starts from: complete, valid, deterministic, small enough, and without a secret."""

from __future__ import annotations

import ast
import gzip
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.engines import container as images
from deployer.engines import names
from deployer.planning import cloud_init
from deployer.providers import registry
from deployer.sources.cloud_init_cache import cached
from tests.kits.parts import need

AWS = registry.provider("cloud-gpu", "aws")
assert AWS.boot is not None
BOOT = AWS.boot
HOSTILE = 'x\'; touch /tmp/owned; echo "$(id)" `id` {{ 7*7 }} %n \\ #\n- run: [reboot]'


def order(**changes: Any) -> Any:
    made: dict[str, Any] = {
        "deployment": "bot-cloud-gpu",
        "spec_name": "bot",
        "digest": "0" * 64,
        "model": {"source": "hf:Qwen/Qwen3-8B@main", "name": "x", "path": None, "adapter": None},
        "engine": "vllm",
        "quantization": "bf16",
        "context": 8192,
        "concurrency": 8,
        "replicas": {"min": 1, "max": 1},
        "gpus": 1,
        "offer": {"region": "us-east-1", "billing": "on-demand"},
        "options": {"expose": "my-ip"},
        "policy": {"idle": {"after": 1800, "action": "stop"}},
    }
    return made | changes


def model(source: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "name": "x", "path": None, "adapter": None, **more}


ORDERS = {
    "vllm": order(),
    "sglang": order(engine="sglang"),
    "gguf-of-the-hub": order(engine="llama.cpp", quantization="q4_k_m"),
    "gguf-in-a-bucket": order(engine="llama.cpp", model=model("s3://models/tiny")),
    "one-gguf-in-a-bucket": order(engine="llama.cpp", model=model("s3://models/a/m.gguf")),
    "folder-in-a-bucket": order(model=model("s3://models/qwen/8b")),
    "spot": order(offer={"region": "eu-west-1", "billing": "spot"}),
    "hostile": order(spec_name=HOSTILE, model=model(f"s3://models/{HOSTILE}")),
}


@pytest.fixture(params=ORDERS)
def case(request: pytest.FixtureRequest) -> Any:
    return ORDERS[str(request.param)]


def text_of(made: Any) -> str:
    return cloud_init.files(made, AWS)[cloud_init.USER_DATA]


def written(made: Any) -> dict[str, str]:
    return {f["path"]: f["content"] for f in yaml.safe_load(text_of(made))["write_files"]}


def test_the_same_order_gives_the_same_text(case):
    assert text_of(case) == text_of(case)


def test_it_fits_into_what_the_cloud_takes(case):
    assert len(gzip.compress(text_of(case).encode())) < BOOT.most_bytes


def test_every_file_arrives_as_it_was_written(case):
    assert written(case) == {file.path: file.text for file in cloud_init.written(case, BOOT)}


def test_cloud_init_finds_it_valid(case, tmp_path):
    need("cloud-init", "it checks its own schema")
    file = tmp_path / "user-data"
    file.write_text(text_of(case))
    command = ["cloud-init", "schema", "--config-file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Valid" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_systemd_finds_its_units_valid(tmp_path):
    need("systemd-analyze", "it verifies units")
    units = {p: t for p, t in written(ORDERS["vllm"]).items() if p.startswith("/etc/systemd/")}
    assert len(units) >= 8
    for path, text in units.items():
        runnable = text.replace("Start=/opt/", "Start=/bin/true /opt/")
        (tmp_path / Path(path).name).write_text(runnable)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [
        line for line in done.stderr.splitlines() if "deployer" in line and "docker" not in line
    ]
    assert ours == []


def test_every_script_is_a_valid_one(case):
    for path, text in written(case).items():
        if text.startswith("#!/bin/bash") or path.endswith((".sh", "settings")):
            checked = subprocess.run(["/bin/bash", "-n"], input=text, text=True, check=False)
            assert checked.returncode == 0, path


def test_what_a_script_runs_is_there(case):
    files = written(case)
    named = {w for t in files.values() for w in t.split() if w.startswith("/opt/deployer/")}
    for word in named:
        path = word.partition(":")[0].rstrip(";")
        assert path in files or path == "/opt/deployer/lib", word


def test_hostile_text_ends_as_data():
    files = written(ORDERS["hostile"])
    echo = files["/etc/deployer/settings"] + '\nprintf %s "$weights"'
    told = subprocess.run(["/bin/bash", "-c", echo], capture_output=True, text=True, check=True)
    assert told.stdout == f"s3://models/{HOSTILE}"
    assert HOSTILE in engine_arguments(files["/opt/deployer/engine"])
    assert not Path("/tmp/owned").exists()  # noqa: S108 - what the hostile text would make


def engine_arguments(script: str) -> list[str]:
    """The arguments that a shell would hand to Docker."""
    _, _, command = script.partition("exec docker run")
    return shlex.split(command)


def test_the_engine_has_no_capability_and_its_port_is_this_machines_alone(case):
    arguments = engine_arguments(written(case)["/opt/deployer/engine"])
    assert "--cap-drop=ALL" in arguments
    assert "--security-opt=no-new-privileges:true" in arguments
    recipe = images.recipe(case["engine"])
    assert recipe
    port = recipe.port
    assert [a for a in arguments if a.startswith("--publish")] == [
        f"--publish=127.0.0.1:{port}:{port}"
    ]
    assert "--network" not in arguments


def test_secrets_are_named_but_not_there(case):
    text = text_of(case)
    assert "BEGIN" not in text
    assert "/run/deployer/secrets" in text
    for line in written(case)["/opt/deployer/engine"].splitlines():
        assert "API_KEY=" not in line or "$(cat /run/secrets/api_key)" in line


def test_what_runs_on_the_machine_is_python_3_10(case):
    for path, text in written(case).items():
        if path.endswith(".py"):
            ast.parse(text, feature_version=(3, 10))


def test_the_watchdogs_modules_import_nothing_but_python_and_each_other():
    for path, text in written(ORDERS["vllm"]).items():
        if path.endswith(".py"):
            found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
            ours = {n.module for n in found if (n.module or "").startswith("deployer")}
            assert ours <= {"deployer.agents.idle"}


def test_no_program_of_the_machine_asks_a_clock_that_jumps():
    for path, text in written(ORDERS["vllm"]).items():
        if path.endswith(".py"):
            calls = {
                ast.unparse(n.func) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)
            }
            assert not calls & {"time.time", "datetime.now", "datetime.datetime.now"}


@pytest.mark.parametrize(
    ("changes", "action", "fleet"),
    [
        ({}, "stop", False),
        ({"policy": {"idle": {"after": 60, "action": "destroy"}}}, "destroy", False),
        ({"offer": {"region": "us-east-1", "billing": "spot"}}, "destroy", True),
        ({"replicas": {"min": 1, "max": 3}}, "stop", True),
        ({"options": {"domain": "llm.example.com"}}, "stop", True),
    ],
)
def test_the_watchdog_is_told_the_policy(changes, action, fleet):
    told = json.loads(written(order(**changes))["/etc/deployer/watchdog.json"])
    assert (told["action"], told["fleet"]) == (action, fleet)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": model("./m.gguf", path="/home/me/m.gguf")}, "copy it to a bucket"),
        ({"engine": "fastapi"}, "no container image"),
        (
            {"model": model("hf:a/b", adapter="./lora")},
            "adapters are served with llama.cpp and vllm and from the model hub",
        ),
    ],
)
def test_what_cannot_be_served_there_is_said_and_not_written(changes, reason):
    assert reason in str(cloud_init.unservable(order(**changes), AWS))
    assert cloud_init.files(order(**changes), AWS) == {}


def test_every_engine_is_either_servable_or_said_not_to_be():
    for engine in names():
        assert bool(cloud_init.files(order(engine=engine), AWS)) != bool(
            cloud_init.unservable(order(engine=engine), AWS)
        )


def test_texts_are_kept_and_anew_when_the_order_is_another_or_the_file_is_broken(tmp_path):
    write = cached(tmp_path / "files")
    first = write(order(), AWS)
    (kept,) = (tmp_path / "files").iterdir()
    kept.write_text(json.dumps({"user-data": "kept"}))
    assert write(order(), AWS) == {"user-data": "kept"}
    kept.write_text("{")
    assert write(order(), AWS) == first
    assert write(order(context=4096), AWS) != first
