"""What every engine promises, and a new one made by following docs/ADD_AN_ENGINE.md to the letter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer import engines
from deployer.cli import main
from deployer.core.errors import PrerequisiteError
from deployer.engines import Engine, Metrics, container
from deployer.engines.launch import Job, Launch, Machine, installed, launch
from deployer.engines.recipe import Recipe
from deployer.planning import cloud_init
from deployer.planning.catalog import models
from deployer.providers import registry
from deployer.providers.api import Provider
from deployer.providers.boot import BootDialect
from deployer.running.native import process
from deployer.running.store import Store
from tests.kits import guides
from tests.kits.documents import read
from tests.kits.processes import free_port

ROOT = Path(__file__).parents[2]
GUIDE = "ADD_AN_ENGINE.md"
NAME = "dummy"
NOTHING = Machine(lambda _: None, lambda _: False)


@pytest.mark.parametrize("name", engines.names())
def test_it_says_what_it_serves_and_what_it_costs(name):
    found, info = engines.engine(name), models.model("Qwen/Qwen3-8B")
    assert info
    assert found.name == name
    assert found.families
    assert found.vendors
    assert set(found.by_name) <= set(found.vendors)
    assert bool(found.formats) != found.runs_handlers
    assert 0 < found.memory_fraction <= 1
    assert set(found.speed) <= set(found.vendors)
    for count in (1, 4):
        low, high = found.overhead_gib(info, count, 80.0)
        assert 0 < low < high


@pytest.mark.parametrize("name", engines.names())
def test_the_shares_of_its_speed_are_shares(name):
    for speed in engines.engine(name).speed.values():
        shares = (speed.memory_gddr, speed.memory_hbm, speed.memory_unified, speed.kv, speed.decode)
        assert all(0 < share <= 1 for share in shares)
        assert 0 < speed.prefill <= 1
        assert 0 < speed.band < 1


@pytest.mark.parametrize("name", engines.choices())
def test_what_can_be_named_in_a_spec_says_whether_it_is_used(name):
    found = engines.engine(name).metrics
    assert found
    assert found.running
    assert found.finished


@pytest.mark.parametrize("name", engines.with_part("container"))
def test_its_image_is_pinned_and_its_key_is_not_in_its_arguments(name):
    found = container.recipe(name)
    assert found
    assert re.fullmatch(r"[\w./-]+(:[\w.-]+)?:(?!latest)[\w.-]+", found.image)
    assert 0 < found.port < 2**16
    if found.build is None:
        said = found.arguments(order(name), "org/model")
        assert all(isinstance(word, str) for word in said)
        assert str(found.port) in said


@pytest.mark.parametrize("name", engines.with_part("native"))
def test_where_it_is_not_installed_the_next_step_is_named(name):
    with pytest.raises(PrerequisiteError) as caught:
        installed(name, NOTHING)
    assert caught.value.hint


def order(name: str, **more: Any) -> Any:
    """An order of a model of the hub, as a provider gets it."""
    return {
        "deployment": "try-cloud-gpu",
        "spec_name": "try",
        "digest": "0" * 64,
        "model": {"source": "hf:org/model", "name": "x", "path": None, "adapter": None},
        "engine": name,
        "quantization": "bf16",
        "context": 2048,
        "concurrency": 4,
        "gpus": 1,
        "offer": {"region": "us-east-1", "billing": "on-demand"},
        "options": {},
        "policy": {"idle": {"after": 1800, "action": "stop"}},
        **more,
    }


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """A folder with the files of the guide, and nothing else; it returns the spec."""
    folder = tmp_path / "mine"
    assert {str(path.relative_to(folder)) for path in guides.written(GUIDE, folder)} == {
        *(f"{NAME}/{part}.py" for part in ("__init__", "container", "native")),
        "deployer.yaml",
    }
    monkeypatch.setenv("DEPLOYER_ENGINES", str(folder))
    return folder / "deployer.yaml"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    if arguments[0] == "schema":
        assert main(list(arguments)) == code
        return json.loads(capsys.readouterr().out)
    assert main([*arguments, "--json"]) == code
    return read(arguments[0], capsys.readouterr().out)


def planned(capsys: pytest.CaptureFixture[str], spec: Path, target: str) -> Any:
    arguments = ("plan", "-f", str(spec), "--target", target, "--offline")
    return said(capsys, *arguments)["plans"][0]


def changed(spec: Path, local: dict[str, Any]) -> Path:
    told = yaml.safe_load(spec.read_text())
    told["targets"]["local"] |= local
    spec.write_text(yaml.safe_dump(told))
    return spec


def test_the_schema_offers_it_and_so_does_a_mistake(guide, capsys):
    schema = said(capsys, "schema")["$defs"]["Serve"]["properties"]["engine"]
    assert schema["enum"] == ["auto", *engines.choices()]
    assert NAME in schema["enum"]
    guide.write_text(guide.read_text().replace("engine: dummy", "engine: dumy"))
    error = said(capsys, "plan", "-f", str(guide), code=2)["error"]
    assert "not a known engine" in error["message"]
    assert NAME in error["message"]


def test_what_it_does_not_serve_is_refused_in_its_own_words(guide, capsys):
    guide.write_text(guide.read_text().replace("Qwen3-8B,", "Qwen3-8B, quantization: q4_k_m,"))
    error = said(capsys, "plan", "-f", str(guide), code=2)["error"]
    assert "q4_k_m is a GGUF format, and dummy serves safetensors formats" in error["message"]
    assert error["hint"] == "use awq, or serve.engine: llama.cpp"


@pytest.mark.parametrize("target", ["local", "cloud-gpu"])
def test_it_is_sized_and_priced(guide, capsys, target):
    made = planned(capsys, guide, target)
    assert made["feasible"]
    assert made["sizing"]["engine"] == NAME
    assert made["sizing"]["fit"] == "fits"
    assert made["sizing"]["overhead_gib"] == [0.5, 1.5]
    assert 0 < made["sizing"]["decode_tok_s"][0] < made["sizing"]["decode_tok_s"][1]
    if target == "cloud-gpu":
        assert made["cost"]["monthly_usd"] > 0
        assert not any("cannot serve" in warning for warning in made["warnings"])


def test_without_its_folder_the_same_spec_is_refused_though_it_was_read_before(
    guide, capsys, monkeypatch
):
    planned(capsys, guide, "local")
    monkeypatch.delenv("DEPLOYER_ENGINES")
    arguments = ("plan", "-f", str(guide), "--offline")
    assert "dummy" in said(capsys, *arguments, code=2)["error"]["message"]


def test_its_container_is_described(guide, capsys):
    made = planned(capsys, changed(guide, {"provider": "docker"}), "local")
    (run,) = (r["inputs"] for r in made["resources"] if r["type"] == "local:index:Container")
    assert run["image"] == "example.com/dummy/server:v1.0.0"
    assert "DUMMY_API_KEY" in run["entrypoint"][2]
    assert run["command"][:5] == ["Qwen/Qwen3-8B", "--host", "0.0.0.0", "--port", "8000"]  # noqa: S104
    assert run["secrets"] == ["api_key", "hf_token"]


def test_its_process_is_described(guide):
    wanted = {
        "engine": NAME,
        "model": None,
        "source": "hf:org/model",
        "model_name": "try",
        "context": 2048,
        "concurrency": 4,
        "replicas": 1,
    }
    machine = Machine(lambda name: f"/bin/{name}", lambda _: True)
    made = launch(Job(wanted, 8081, Path("/state")), machine)
    assert made.command[:3] == ("/bin/dummy", "serve", "org/model")
    assert made.secrets == {"DUMMY_API_KEY": Path("/state/key")}


def machines() -> Provider:
    """A provider whose machines start from the texts."""
    return registry.provider("cloud-gpu", "aws")


def dialect() -> BootDialect:
    found = machines().boot
    assert found is not None
    return found


def test_a_rented_machine_runs_it_and_its_watchdog_knows_its_figures(guide):
    files = {file.path: file.text for file in cloud_init.written(order(NAME), dialect())}
    assert "example.com/dummy/server:v1.0.0" in files["/opt/deployer/engine"]
    assert json.loads(files["/etc/deployer/watchdog.json"])["metrics"] == {
        "running": ["dummy:num_requests_running"],
        "finished": ["dummy:request_success_total", "dummy:generation_tokens_total"],
    }


def test_an_engine_whose_use_nobody_sees_is_not_left_alone_on_a_rented_machine(guide):
    record = guide.parent / NAME / "__init__.py"
    text = record.read_text()
    start = text.index("    metrics=")
    record.write_text(f"{text[:start]})\n")
    assert "no metrics" in str(cloud_init.unservable(order(NAME), machines()))


def test_doctor_looks_for_it_with_and_without_a_spec(guide, capsys, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{guide.parent}/none.sock")
    main(["doctor", "--json", "--offline"])
    checks = {c["name"]: c for c in read("doctor", capsys.readouterr().out)["checks"]}
    assert checks["engine dummy"]["detail"] == "dummy is not on PATH"
    assert not checks["engine dummy"]["needed"]
    found = said(capsys, "doctor", "-f", str(guide), "--offline", code=6)["checks"]
    (missing,) = (c for c in found if c["name"] == "engine")
    assert missing["next_step"] == "install it from its makers' page"


@pytest.fixture
def served(guide: Path, home: Path) -> Iterator[Path]:
    """The guide's spec, with a stand-in for the program on PATH; what runs of it is gone afterwards."""
    program = guide.parent / "bin" / NAME
    program.parent.mkdir()
    shutil.copy(ROOT / "tests" / "doubles" / "fake_vllm.py", program)
    program.chmod(0o755)
    yield changed(guide, {"port": free_port()})
    process.stop(Store(home).folder("try-local"))


def cli(spec: Path, *arguments: str) -> Any:
    path = f"{spec.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "deployer", *arguments, "--json"],
        env=os.environ | {"PATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return read(arguments[0], done.stdout)


def test_it_is_served_asked_counted_and_stopped(served):
    cli(served, "up", "-f", str(served), "--target", "local", "--yes", "--offline")
    shown = cli(served, "status", "try-local")["deployments"][0]
    assert (shown["state"], shown["requests"], shown["output_tokens"]) == ("healthy", 3, 7)
    assert cli(served, "down", "try-local")["remaining"] == []


def test_the_suite_above_runs_over_it_without_another_edit(guide):
    suite = [sys.executable, "-m", "pytest", __file__, "-vv", "-k", NAME]
    done = subprocess.run(
        [*suite, "-p", "no:cacheprovider"],
        env=os.environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(f"[{NAME}] PASSED") == 5


@pytest.mark.parametrize("record", [Engine, Metrics, Recipe, Launch])
def test_the_guide_explains_every_field(record):
    named = guides.explained(GUIDE, record.__name__)
    assert named == sorted(field.name for field in fields(record))


@pytest.mark.parametrize(
    "text", ["", "ENGINE = 1", "from deployer.engines.vllm import ENGINE"], ids=repr
)
def test_a_folder_that_describes_no_engine_of_its_name_is_refused_by_its_path(guide, capsys, text):
    (guide.parent / NAME / "__init__.py").write_text(text)
    error = said(capsys, "plan", "-f", str(guide), code=2)["error"]
    assert str(guide.parent / NAME) in error["message"]
    assert "ENGINE = Engine(name='dummy'" in error["hint"]


def test_a_folder_of_the_users_takes_the_place_of_a_bundled_one(guide, monkeypatch):
    mine = guide.parent / "vllm"
    shutil.copytree(guide.parent / NAME, mine)
    record = mine / "__init__.py"
    record.write_text(record.read_text().replace('name="dummy"', 'name="vllm"'))
    found = container.recipe("vllm")
    assert found
    assert found.image == "example.com/dummy/server:v1.0.0"
    monkeypatch.delenv("DEPLOYER_ENGINES")
    assert "dummy" not in engines.names()


BRINGS = """
from dataclasses import replace
from deployer.core.domain import Offer
from deployer.engines import vllm

TARGET, NAME, ENGINES, PRIVACY = "local", "own", ("theirs",), "nowhere"
ENGINE = replace(vllm.ENGINE, name="theirs", metrics=None)

def offers(want, prices):
    return [Offer(NAME, None, "box", "H100 80GB", 1, 81559, None, "owned", "the box itself", None)]

def inputs(order):
    return {"deployment": order["deployment"]}

def resources(inputs):
    return [{"type": "local:index:Process", "name": inputs["deployment"], "inputs": {"a": 1}}]
"""


def test_a_provider_may_bring_an_engine_of_its_own_that_no_spec_names(
    tmp_path, monkeypatch, home, capsys
):
    (tmp_path / "stacks" / "local").mkdir(parents=True)
    (tmp_path / "stacks" / "local" / "own.py").write_text(BRINGS)
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path / "stacks"))
    spec = tmp_path / "deployer.yaml"
    spec.write_text(
        "name: a\nmodel: {source: hf:Qwen/Qwen3-8B}\ntargets: {local: {provider: own}}\n"
    )
    made = planned(capsys, spec, "local")
    assert (made["provider"], made["sizing"]["engine"]) == ("own", "theirs")
    assert "theirs" not in engines.choices()
