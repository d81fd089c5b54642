"""What `render` writes of a stack with a program: a project that makes the same without this tool."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.domain import Resource
from deployer.providers.registry import every_provider, provider
from deployer.running.stack import mocks
from deployer.workflows import plan as pipeline

SPEC = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"
VARIANTS = {
    "one machine": "targets: {cloud-gpu: {instance: g5.xlarge}}\n",
    "a fleet that expires": "serve: {replicas: {min: 0, max: 3}}\npolicy: {expires: 7d}\n",
    "with a domain": "targets: {cloud-gpu: {domain: llm.example.com}}\n",
}
SECRETS = ("apiKey", "caCertificate", "caKey")


def rendered(folder: Path, text: str) -> tuple[Path, Any]:
    spec, out = folder / "s.yaml", folder / "out"
    spec.write_text(SPEC + text)
    asked = ["-f", str(spec), "--target", "cloud-gpu", "--offline"]
    assert main(["render", *asked, "--out", str(out)]) == 0
    setting = pipeline.Setting(folder / "home", offline=True)
    return out, pipeline.make_plans(spec, ["cloud-gpu"], setting)[0]


def told(resources: Iterable[Resource]) -> Iterator[Any]:
    """What is made; of a certificate without the chain, which a plan has not."""
    for one in resources:
        inputs = {k: v for k, v in one.inputs.items() if k != "certificateChain"}
        yield one.type, one.name, inputs


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a rendered project imports of its own stays."""
    for name in [n for n in sys.modules if n.partition(".")[0] in ("cloud_gpu", "serverless")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_project_makes_what_was_planned(variant, tmp_path, home, imported, monkeypatch):
    from pulumi.runtime.config import set_all_config

    out, plan = rendered(tmp_path, VARIANTS[variant])

    def program(_inputs: Any) -> None:
        keys = [f"deployer:{key}" for key in SECRETS]
        set_all_config(dict.fromkeys(keys, ""), keys)
        runpy.run_path(str(out))

    made = mocks.collect(program, {}, project="deployer", stack="plan")
    assert list(told(made)) == list(told(plan.resources))
    for name in [n for n in sys.modules if n.partition(".")[0] == "cloud_gpu"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_written_is_whole_and_has_no_secret_in_it(variant, tmp_path, home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf-canary-5e1f")
    out, plan = rendered(tmp_path, VARIANTS[variant])
    texts = {file.name: file.read_text() for file in out.rglob("*") if file.is_file()}
    assert not [name for name, text in texts.items() if "hf-canary-5e1f" in text]
    assert {"Pulumi.yaml", "requirements.txt", "README.md", "network.py"} <= set(texts)
    assert not [name for name, text in texts.items() if "import deployer" in text]
    assert json.loads(texts["inputs.json"])["deployment"] == plan.deployment
    where: Any = provider("cloud-gpu", "aws")
    for key in where.program.secrets:
        assert f"secret {key}" in texts["configure"]
        assert key in texts["README.md"]
    subprocess.run(["/bin/sh", "-n", str(out / "configure")], check=True)
    assert ("balancerKey" in texts["configure"]) == (variant == "a fleet that expires")
    assert ("expiresAt" in texts["configure"]) == (variant == "a fleet that expires")


def test_what_could_not_be_served_there_is_not_written(tmp_path, home, tiny_gguf, capsys):
    spec = tmp_path / "s.yaml"
    spec.write_text(f"name: bot\nmodel: {{source: {tiny_gguf}}}\n")
    asked = ["-f", str(spec), "--target", "cloud-gpu", "--offline", "--out", str(tmp_path / "o")]
    assert main(["render", *asked]) == 2
    assert "cannot be served on a rented machine" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_every_provider_can_be_rendered_or_it_is_said_that_it_cannot():
    ways = {f"{w}/{n}": provider(w, n) for w, n in every_provider()}
    assert [name for name, made in ways.items() if made.program]
    assert not [n for n, made in ways.items() if made.program and made.files]
