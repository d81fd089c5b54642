"""A plan's Pulumi program as a project of its own, that plain `pulumi up` runs without this tool. Pure: texts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from deployer.core.domain import Plan
from deployer.core.templates import render
from deployer.providers.api import Provider
from deployer.providers.registry import sources

PROJECT = "deployer"
"""The name under which `deployer up` keeps its stacks: the state of one can be taken over by the other."""


def files(plan: Plan, provider: Provider) -> Mapping[str, str]:
    """Return the project's files by their paths.

    Args:
        plan: what is to be made; it can be applied.
        provider: the provider that has the program.
    """
    package = plan.target.replace("-", "_")
    parts = sources(provider.target, provider.name)
    root = next(folder for folder in parts[-1].parents if folder.name == package)
    code = {
        f"{package}/{part.relative_to(root)}": part.read_text(encoding="utf-8") for part in parts
    }
    inputs = {key: value for key, value in plan.inputs.items() if key != "user_data"}
    user_data = plan.inputs.get("user_data")
    return {
        **_written(plan, provider, _module(package, parts[-1])),
        "inputs.json": json.dumps(inputs, indent=2) + "\n",
        **({"user-data.yaml": user_data} if user_data else {}),
        f"{package}/__init__.py": "",
        **code,
    }


def _module(package: str, part: Path) -> str:
    """The module that holds `program`: a file of version 0.1, or a folder's `program`."""
    folder = next((p for p in part.parents if p.name == "program"), None)
    return f"{package}.{folder.parent.name}.program" if folder else f"{package}.{part.stem}"


def _written(plan: Plan, provider: Provider, module: str) -> dict[str, str]:
    """What is rendered."""
    program = provider.program
    assert program is not None  # noqa: S101 - only what has a program is written out
    required = list(program.secrets)
    values = {
        "project": PROJECT,
        "deployment": plan.deployment,
        "description": f"{plan.spec_name}, served by {plan.provider}",
        "module": module,
        "required": required,
        "user_data": bool(plan.inputs.get("user_data")),
        "configure": bool(required),
        "balancer": program.balancer(plan.inputs),
        "expires": int(plan.inputs.get("expires") or 0),
        "says": inspect.cleandoc(program.documentation()),
    }
    needed = program.packages
    made = {
        "Pulumi.yaml": render("standalone/Pulumi.yaml.j2", **values),
        "__main__.py": render("standalone/__main__.py.j2", **values),
        "README.md": render("standalone/README.md.j2", **values),
        "requirements.txt": "".join(f"{name}=={version(name)}\n" for name in needed),
    }
    if required:
        made["configure"] = render("standalone/configure.j2", **values)
    return made
