"""`deployer up --target serverless` by the real command line, for the tests that run it with the real Pulumi engine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from tests.kits.cloud import Cloud

NAME = "bot-serverless"
ENGINE = shutil.which("pulumi") and shutil.which("pulumi-resource-pulumi-python")
UP = ("up", "--target", "serverless", "--offline", "--yes")


@dataclass
class World:
    """A service, and a home of one test's own."""

    cloud: Cloud
    model: str
    provider: str

    def up(self, more: str = "", code: int = 0) -> str:
        """Bring it up, whole: waited for and asked."""
        file = self.cloud.home.parent / "deployer.yaml"
        text = f"name: bot\nmodel: {{source: {self.model}}}\n{more}"
        file.write_text(f"{text}targets: {{serverless: {{provider: {self.provider}}}}}\n")
        return self.cloud.run(*UP, "-f", file, code=code)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run any other command on it."""
        return self.cloud.run(*arguments, code=code)

    def status(self) -> dict[str, Any]:
        """Its row of the document."""
        found: dict[str, Any] = self.cloud.json("status", NAME)["deployments"][0]
        return found

    def down(self) -> dict[str, Any]:
        """Remove it."""
        found: dict[str, Any] = self.cloud.json("down", NAME)
        return found


def changes(said: str) -> list[str]:
    """What `up` said that it would do, the lines under "what changes"."""
    lines = said.partition("what changes")[2].splitlines()
    words = (line.split() for line in lines)
    return [w[0] for w in words if w and w[0] in ("create", "update", "replace", "delete")]
