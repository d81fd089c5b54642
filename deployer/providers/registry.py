"""How providers are found: by looking into `stacks/` and the folders of `DEPLOYER_STACKS`. Nothing else names one.

Here too is which engines one runs: those that it names, those that it can start (`RUNS`), and one that it brings itself.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast
from zlib import crc32

from deployer import engines
from deployer.core.domain import TARGETS
from deployer.core.errors import UsageError, quoted
from deployer.engines import Engine, container
from deployer.providers.api import Provider


def folders() -> tuple[Path, ...]:
    """Where providers are looked for: the package's own folder (or the checkout's), then the user's."""
    package = Path(__file__).parents[1]
    bundled = package / "stacks"
    own = bundled if bundled.is_dir() else package.parent / "stacks"
    more = os.environ.get("DEPLOYER_STACKS", "")
    return (own, *(Path(p) for p in more.split(os.pathsep) if p))


def providers(target: str) -> Mapping[str, Path]:
    """The providers of a target by name, without importing one."""
    folder = target.replace("-", "_")
    files = (f for root in folders() for f in sorted((root / folder).glob("*.py")))
    return {f.stem: f for f in files if not f.stem.startswith("_")}


def every_provider() -> Iterator[tuple[str, str]]:
    """(target, provider) of all that can be found."""
    for target in TARGETS:
        for name in providers(target):
            yield target, name


def provider_file(target: str, name: str) -> Path:
    """Return the file of one provider."""
    return providers(target)[name]


def provider(target: str, name: str) -> Provider:
    """Import one provider.

    Raises:
        UsageError: there is no such provider for the target.
    """
    known = providers(target)
    if name not in known:
        have = ", ".join(known) or "none"
        raise UsageError(
            f"no provider {quoted(name)} for {target}",
            hint=f"providers of {target}: {have}",
        )
    return cast(Provider, _module(known[name], target.replace("-", "_")))


def engines_of(where: Provider) -> tuple[str, ...]:
    """The engines that a provider can run: those that it names, most preferred first, then those that it can start."""
    runs = getattr(where, "RUNS", None)
    if runs is None:
        return tuple(where.ENGINES)
    started = engines.with_part("native" if runs == "native" else "container")
    more = (name for name in started if name not in where.ENGINES)
    return (*where.ENGINES, *(name for name in more if runs != "pulled" or container.pulled(name)))


def engine_by(where: Provider, name: str) -> Engine:
    """Return an engine that a provider runs: the one that it brings (`ENGINE`), or one of `deployer.engines`.

    Raises:
        UsageError: there is none of that name.
    """
    own = getattr(where, "ENGINE", None)
    if isinstance(own, Engine) and own.name == name:
        return own
    return engines.engine(name)


def engine_of(target: str, by: str, name: str) -> Engine:
    """Return the engine of what a provider serves. Only for one that it brings itself is it imported.

    Raises:
        UsageError: there is no such engine.
    """
    if name in engines.names():
        return engines.engine(name)
    return engine_by(provider(target, by), name)


def sources(file: Path) -> tuple[Path, ...]:
    """Return a provider's file and its parts: all that its program is made of."""
    shared = sorted(file.parent.glob("_*.py"))
    return (file, *shared, *sorted((file.parent / f"_{file.stem}").rglob("*.py")))


@cache
def _module(path: Path, target: str) -> ModuleType:
    package = f"deployer_stacks_{target}_{crc32(str(path.parent).encode()):08x}"
    if package not in sys.modules:
        home = sys.modules[package] = ModuleType(package)
        home.__path__ = [str(path.parent)]
    name = f"{package}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # pragma: no cover - a .py file always has a loader
        raise UsageError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
