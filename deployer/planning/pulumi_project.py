"""A plan's Pulumi program as a project of its own, that plain `pulumi up` runs without this tool. Pure: texts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deployer.core.domain import Plan
from deployer.core.templates import render
from deployer.providers.registry import sources

PROJECT = "deployer"
"""The name under which `deployer up` keeps its stacks: the state of one can be taken over by the other."""
PACKAGES = ("pulumi", "pulumi-aws")


def files(plan: Plan, provider: Any, source: Path) -> Mapping[str, str]:
    """Return the project's files by their paths.

    Args:
        plan: what is to be made; it can be applied.
        provider: the module with its program.
        source: the module's file.
    """
    package = plan.target.replace("-", "_")
    code = {
        f"{package}/{part.relative_to(source.parent)}": part.read_text(encoding="utf-8")
        for part in sources(source)
    }
    inputs = {key: value for key, value in plan.inputs.items() if key != "user_data"}
    user_data = plan.inputs.get("user_data")
    return {
        **_written(plan, provider, package),
        "inputs.json": json.dumps(inputs, indent=2) + "\n",
        **({"user-data.yaml": user_data} if user_data else {}),
        f"{package}/__init__.py": "",
        **code,
    }


def _written(plan: Plan, provider: Any, package: str) -> dict[str, str]:
    """What is rendered."""
    required = list(getattr(provider, "REQUIRED", ()))
    values = {
        "project": PROJECT,
        "deployment": plan.deployment,
        "description": f"{plan.spec_name}, served by {plan.provider}",
        "package": package,
        "module": provider.NAME,
        "required": required,
        "user_data": bool(plan.inputs.get("user_data")),
        "configure": bool(required),
        "balancer": _balancer(plan),
        "expires": int(plan.inputs.get("expires") or 0),
        "says": inspect.getdoc(provider) or "",
    }
    needed = getattr(provider, "PACKAGES", PACKAGES)
    made = {
        "Pulumi.yaml": render("standalone/Pulumi.yaml.j2", **values),
        "__main__.py": render("standalone/__main__.py.j2", **values),
        "README.md": render("standalone/README.md.j2", **values),
        "requirements.txt": "".join(f"{name}=={version(name)}\n" for name in needed),
    }
    if required:
        made["configure"] = render("standalone/configure.j2", **values)
    return made


def _balancer(plan: Plan) -> str | None:
    """The name that a fleet's own certificate is for; with a domain there is a public one."""
    inputs = plan.inputs
    if not inputs.get("fleet") or inputs.get("domain"):
        return None
    return f"*.{inputs['region']}.elb.amazonaws.com"
