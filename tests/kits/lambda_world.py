"""Lambda on this machine: the double of its API, machines that are processes, the real Pulumi, and `deployer` itself."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import lambda_server
from tests.doubles.lambda_cloud import Lambda
from tests.kits.cloud import environ_of
from tests.kits.documents import read
from tests.kits.dummy_cloud import World
from tests.kits.parts import missing

ENGINE = shutil.which("pulumi") and shutil.which("pulumi-resource-pulumi-python")
PATIENCE_S = 900.0
SPEC = """
name: try
model: {{source: hf:Qwen/Qwen3-8B, context: 2048}}
policy: {{idle: {{action: destroy}}, expires: 7d}}
targets:
  cloud-gpu: {{provider: lambda, instance: gpu_1x_a10, region: {region}}}
"""


@dataclass
class LambdaWorld(World):
    """An account of the double, with a home of a test's own."""

    account: Lambda | None = None

    @property
    def cloud(self) -> Lambda:
        """The account."""
        assert self.account is not None
        return self.account

    def json(self, *arguments: str, code: int = 0) -> Any:
        """See `World`: Pulumi takes its time."""
        with self.begin(*arguments, "--json") as command:
            out, err = command.communicate(timeout=PATIENCE_S)
        assert command.returncode == code, out + err
        return read(arguments[0], out, code)

    def wrote(self, text: str, by: str) -> None:
        """Change the spec."""
        told = self.spec.read_text()
        assert text in told
        self.spec.write_text(told.replace(text, by))

    def idle(self) -> Any:
        """Return the document of `idle`."""
        return self.json("idle")

    def idle_with_gaps(self) -> Any:
        """Return the document of an `idle` that could not see everything."""
        return self.json("idle", code=1)

    def end(self, verb: str) -> Any:
        """End what is idle, and return what became of each machine."""
        return self.json("idle", verb, "--yes")["acted"]

    def machine(self) -> dict[str, Any]:
        """The one machine that there must be."""
        (one,) = self.cloud.living
        return one

    def has_come(self, moment: str, said: str) -> bool:
        """See `World`: a call that was made, or what was said."""
        return moment in self.cloud.calls or super().has_come(moment, said)


@contextmanager
def world(folder: Path, region: str = "us-east-1") -> Iterator[LambdaWorld]:
    """Make one; skip where a part of it is not here."""
    if ENGINE is None:
        pytest.skip("the Pulumi CLI is not on PATH; no package registry carries it")
    _may_listen()
    with lambda_server.serving(folder / "machines") as account:
        given = environ_of("", folder / "home", folder / "pulumi")
        environ = {k: v for k, v in given.items() if not k.startswith(("AWS_", "HF_"))} | {
            "LAMBDA_API_KEY": account.key,
            "LAMBDA_API_URL": account.url,
        }
        made = LambdaWorld(folder, "cloud-gpu", environ, account)
        made.spec.write_text(SPEC.format(region=region))
        yield made


def _may_listen() -> None:
    with socket.socket() as line:
        try:
            line.bind(("127.77.0.1", 443))
        except OSError as error:
            missing(f"a machine's port 443 cannot be listened on here: {error} ({os.name})")
