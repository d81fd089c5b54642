"""What each engine serves, needs and costs in memory and time. One folder per engine.

    record.py              the record `Engine`, with its `Speed` and `Metrics`   <engine>/__init__.py: ENGINE
    recipe.py              the record `Recipe`: how it runs in a container       <engine>/container.py: RECIPE
    launch.py              how it runs without one                               <engine>/native.py: installed, launch
    container.py           an order as the container of its engine's recipe

An engine is found by looking: a folder here, or in a folder that `DEPLOYER_ENGINES` lists, where one of the same name
takes the place of the one here. Nothing else names it. `docs/ADD_AN_ENGINE.md` shows how to write one.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Literal
from zlib import crc32

from deployer.core.errors import UsageError
from deployer.engines.record import (
    AdapterCheck,
    Engine,
    Metrics,
    Overhead,
    ReadStart,
    Refusal,
    Speed,
)

__all__ = [
    "AdapterCheck",
    "Engine",
    "Metrics",
    "Overhead",
    "ReadStart",
    "Refusal",
    "Speed",
    "choices",
    "engine",
    "folder",
    "names",
    "part",
    "with_part",
]

OWN = Path(__file__).parent
FOLDERS = "DEPLOYER_ENGINES"
"""The environment variable that lists further folders with engines, separated as those of PATH."""
Part = Literal["container", "native"]
"""What an engine's folder may hold besides the record: how it is started in a container, and without one."""


def names() -> tuple[str, ...]:
    """Every engine that is there, without importing one."""
    return tuple(_found(_further()))


def with_part(what: Part) -> tuple[str, ...]:
    """The engines that can be started in one way, without importing one."""
    return _with_part(what, _further())


def choices() -> tuple[str, ...]:
    """What `serve.engine` may name: the engines that can be started. The others a provider alone runs."""
    startable = {*with_part("container"), *with_part("native")}
    return tuple(name for name in names() if name in startable)


def folder(name: str) -> Path | None:
    """The folder of one engine; None where there is none of that name."""
    return _found(_further()).get(name)


def engine(name: str) -> Engine:
    """Return one engine.

    Raises:
        UsageError: there is none of that name, or its folder holds no record of it.
    """
    return _engine(name, _further())


def part(name: str, what: Part) -> ModuleType | None:
    """Import how an engine is started in one way; None where it cannot be."""
    return _part(name, what, _further())


def _further() -> str:
    return os.environ.get(FOLDERS, "")


@cache
def _found(further: str) -> Mapping[str, Path]:
    """Every engine's folder by the engine's name. A folder's name cannot hold a dot: `_` stands for it there."""
    roots = (OWN, *(Path(root).absolute() for root in further.split(os.pathsep) if root))
    folders = (file.parent for root in roots for file in root.glob("[!_]*/__init__.py"))
    found = {one.name.replace("_", "."): one for one in folders if one.name.isidentifier()}
    return dict(sorted(found.items()))


@cache
def _with_part(what: Part, further: str) -> tuple[str, ...]:
    found = _found(further).items()
    return tuple(name for name, where in found if (where / f"{what}.py").is_file())


@cache
def _part(name: str, what: Part, further: str) -> ModuleType | None:
    if name not in _with_part(what, further):
        return None
    return importlib.import_module(f"{_module(_found(further)[name])}.{what}")


@cache
def _engine(name: str, further: str) -> Engine:
    where = _found(further).get(name)
    if where is None:
        raise UsageError(f"no engine named '{name}'", hint=f"engines: {', '.join(_found(further))}")
    found = getattr(importlib.import_module(_module(where)), "ENGINE", None)
    if isinstance(found, Engine) and found.name == name:
        return found
    raise UsageError(
        f"{where} does not describe engine '{name}'",
        hint=f"its __init__.py must hold ENGINE = Engine(name='{name}', ...)",
    )


def _module(where: Path) -> str:
    """The name that an engine's folder is imported by; a further folder becomes a package of its own."""
    if where.parent == OWN:
        return f"{__name__}.{where.name}"
    package = f"deployer_engines_{crc32(str(where.parent).encode()):08x}"
    if package not in sys.modules:
        root = sys.modules[package] = ModuleType(package)
        root.__path__ = [str(where.parent)]
    return f"{package}.{where.name}"
