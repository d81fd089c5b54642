"""The double of Lambda asked without a network, and without processes for machines: for tests of single parts."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doubles import openapi
from tests.doubles.lambda_cloud import Lambda

PACKAGE = "stacks.cloud_gpu.lambda"
"""`lambda` is a word of Python's own, so it is imported by its name."""


def part(name: str) -> Any:
    """Import a module of the provider."""
    return importlib.import_module(f"{PACKAGE}.{name}")


@dataclass(frozen=True)
class Heard:
    """What httpx would answer."""

    status_code: int
    told: Any

    def json(self) -> Any:
        """The body."""
        if isinstance(self.told, str):
            raise ValueError("it is a page")  # noqa: TRY004 - as httpx does
        return self.told


class Still(Lambda):
    """An account whose machines run nowhere."""

    def __init__(self) -> None:
        described = openapi.published("lambda-openapi.json")
        super().__init__(Path("nowhere"), described=described)
        self.boots_s = 0.0
        self.slept: list[float] = []

    def _start(self, id_: str, address: str) -> None:
        """Start nothing."""

    def _stopped(self, id_: str) -> None:
        """There is nothing to stop."""

    def send(self, method: str, url: str, key: str, body: Any) -> Heard:
        """Answer as the network would."""
        answer = self.answer(method, url.partition("/api/v1/")[2], body, key)
        if answer is None:
            rest = part("program.dynamic.rest")
            raise rest.NotAllowedError("Lambda cannot be reached: cut", mend="check the network")
        return Heard(*answer)

    def api(self) -> Any:
        """What the provider asks it with; it does not sleep."""
        return part("program.dynamic.rest").Api(self.send, self.slept.append)
