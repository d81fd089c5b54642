"""`deployer render` for Lambda: a project that Pulumi runs without this tool."""

from __future__ import annotations

import subprocess
import sys

from tests.kits.documents import printed

SPEC = """
name: try
model: {source: hf:Qwen/Qwen3-8B}
policy: {idle: {action: destroy}}
targets: {cloud-gpu: {provider: lambda}}
"""
RUN = """
import json, runpy, sys
import pulumi
from pulumi.runtime.config import set_all_config

made = []


class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        made.append(args.typ)
        return args.name, {**args.inputs, "ip": "203.0.113.7"}

    def call(self, args):
        return {}


keys = ("apiKey", "caCertificate", "caKey")
set_all_config({f"deployer:{key}": "x" for key in keys}, [f"deployer:{key}" for key in keys])
pulumi.runtime.set_mocks(Mocks(), project="deployer", stack="try-cloud-gpu")


@pulumi.runtime.test
def run():
    sys.path.insert(0, ".")
    runpy.run_path("__main__.py")


run()
print(json.dumps(sorted(made)))
"""


def test_plain_pulumi_runs_the_rendered_project(tmp_path, home, capsys):
    spec, out = tmp_path / "deployer.yaml", tmp_path / "out"
    spec.write_text(SPEC)
    asked = ("render", "-f", spec, "--target", "cloud-gpu", "--offline", "--out", out)
    code, document, err = printed(capsys, *asked)
    assert code == 0, err
    assert "user-data.yaml" in {file["path"] for file in document["files"]}
    assert "deployer" not in {file.name for file in out.iterdir()}
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN], cwd=out, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for kind in ("LambdaKey", "LambdaMachine", "LambdaRuleset"):
        assert f"pulumi-python:dynamic/deployer:{kind}" in done.stdout
