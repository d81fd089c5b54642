"""A published description of an API (OpenAPI 3.1), against which a double holds every request and every answer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Description:
    """One description; `prefix` stands before every path of a call."""

    told: Mapping[str, Any]
    prefix: str = "/api/v1/"

    def request(self, method: str, path: str, body: Any) -> str | None:
        """Say what is wrong with the body of a request; None: nothing."""
        schema = self._operation(method, path).get("requestBody")
        if body is None or schema is None:
            return None if schema is None else f"request {method} {path} has no body"
        return self._wrong(schema, body, f"request {method} {path}")

    def answer(self, method: str, path: str, status: int, body: Any) -> str | None:
        """Say what is wrong with an answer; None: nothing."""
        schema = self._operation(method, path)["responses"][str(status)]
        return self._wrong(schema, body, f"answer {status} to {method} {path}")

    def _operation(self, method: str, path: str) -> Mapping[str, Any]:
        for template, operations in self.told["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if method.lower() in operations and re.fullmatch(pattern, self.prefix + path):
                found: Mapping[str, Any] = operations[method.lower()]
                return found
        raise AssertionError(f"there is no {method} {path}")

    def _wrong(self, part: Mapping[str, Any], body: Any, what: str) -> str | None:
        schema = part["content"]["application/json"]["schema"]
        whole = {**schema, "components": self.told["components"]}
        error = next(jsonschema.Draft202012Validator(whole).iter_errors(body), None)
        return None if error is None else f"{what}: {error.message[:300]}"


def published(name: str) -> Description | None:
    """Return the description of that name in the test kit, or None where there is no kit."""
    kit = Path(os.environ.get("DEPLOYER_TEST_KIT", ROOT.parent / "shared"))
    file = kit / "api" / name
    return Description(json.loads(file.read_text())) if file.exists() else None
