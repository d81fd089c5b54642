"""The command line with a home, a spec and a deployment name of its own, for tests on a real Docker engine."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.core.clock import now
from deployer.core.domain import Plan
from deployer.core.errors import DeployerError
from deployer.providers.registry import provider
from deployer.running.containers import arguments, daemon
from deployer.workflows import plan as pipeline
from deployer.workflows import up as apply
from tests.kits.documents import read
from tests.kits.parts import missing, need
from tests.kits.processes import free_port

SPEC = """
name: {name}
model: {{source: {model}, context: 256}}
serve: {{concurrency: {concurrency}}}
targets: {{local: {{provider: docker, image: "{image}", port: {port}{more}}}}}
"""


def need_engine() -> None:
    """Skip the test without a Docker engine; with CI set, fail instead."""
    try:
        daemon.connect().close()
    except DeployerError as error:
        missing(f"{error.message}: containers are what is tested here")


@dataclass
class Box:
    """The command line with a home, a spec and a deployment name of its own."""

    folder: Path
    name: str
    model: Path
    image: str
    port: int

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def spec(self) -> Path:
        return self.folder / "deployer.yaml"

    @property
    def deployment(self) -> str:
        return f"{self.name}-local"

    def write(
        self, *, image: str = "", concurrency: int = 2, model: Any = None, more: str = ""
    ) -> None:
        self.spec.write_text(
            SPEC.format(
                name=self.name,
                model=model or self.model,
                image=image or self.image,
                concurrency=concurrency,
                port=self.port,
                more=more,
            )
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "deployer", *arguments],
            env=os.environ | {"DEPLOYER_HOME": str(self.home)} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def up(self, *more: str, **environment: str) -> tuple[int, str, str]:
        command = ("up", "-f", str(self.spec), "--target", "local", "--yes", *more)
        return self.run(*command, **environment)

    def refused(self, **environment: str) -> Any:
        code, out, err = self.up("--json", **environment)
        document = read("up", out, code)
        assert "error" in document, err
        return document["error"]

    def plan(self) -> Plan:
        setting = pipeline.Setting(self.home, offline=True)
        return pipeline.make_plans(self.spec, ["local"], setting)[0]

    def apply(self, plan: Plan, said: list[str]) -> None:
        docker = provider("local", "docker")
        apply.apply(plan, home=self.home, provider=docker, say=said.append, now=now, limit_s=3)

    def json(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, out + err
        return read(arguments[0], out)

    def state(self) -> str:
        return str(self.json("status", self.deployment)["deployments"][0]["state"])

    def inspect(self) -> Any:
        with closing(daemon.connect()) as client:
            return client.inspect_container(self.deployment)

    def containers(self) -> list[str]:
        label = f"{arguments.LABEL}={self.deployment}"
        with closing(daemon.connect()) as client:
            return [c["Id"] for c in client.containers(all=True, filters={"label": label})]

    def ask(self, key: str | None = None, **options: Any) -> Any:
        need("openai", "the official client")
        from openai import OpenAI

        env = self.json("env", self.deployment)["env"]
        url = env["OPENAI_BASE_URL"]
        question = [{"role": "user", "content": "Hello?"}]
        with OpenAI(base_url=url, api_key=key or env["OPENAI_API_KEY"], max_retries=0) as client:
            said: Any = client.chat.completions.create
            answer = said(model=self.name, messages=question, max_tokens=8, **options)
            return list(answer) if options.get("stream") else answer


def make(folder: Path, name: str, model: Path, image: str) -> Box:
    box = Box(folder, f"{name}-{os.getpid()}", model, image, free_port())
    box.write()
    return box
