"""How providers are found: by looking into `stacks/` and the folders of `DEPLOYER_STACKS`. Nothing else names one.

stacks/<target>/<name>/provider.py     holds PROVIDER (`deployer.providers.api.Provider`)
stacks/<target>/<name>/catalog/        what it sells and for how much (`deployer.planning.catalog.tables`), if it has any
stacks/<target>/<name>.py              a module of version 0.1: the same parts as attributes of the module
Here too is which engines one runs: those that it names, those that it can start (`RUNS`), and one that it brings itself.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from zlib import crc32

from deployer import engines
from deployer.core.domain import TARGETS
from deployer.core.errors import UsageError, quoted
from deployer.engines import Engine, container
from deployer.providers import module_form
from deployer.providers.api import Provider

if TYPE_CHECKING:
    from deployer.providers.cloud import Cloud

BUNDLED = "stacks"
"""The name that the package's own folder is imported by, wherever it lies."""
RECORD = "provider.py"


def folders() -> tuple[Path, ...]:
    """Where providers are looked for: the package's own folder (or the checkout's), then the user's."""
    more = os.environ.get("DEPLOYER_STACKS", "")
    return (_bundled(), *(Path(p) for p in more.split(os.pathsep) if p))


def providers(target: str) -> Mapping[str, Path]:
    """The providers of a target by name, with the file that holds each, without importing one."""
    found: dict[str, Path] = {}
    for root in folders():
        folder = root / target.replace("-", "_")
        for file in sorted((*folder.glob(f"*/{RECORD}"), *folder.glob("*.py"))):
            name = file.parent.name if file.parent != folder else file.stem
            if not name.startswith("_"):
                found[name] = file
    return dict(sorted(found.items()))


def every_provider() -> Iterator[tuple[str, str]]:
    """(target, provider) of all that can be found."""
    for target in TARGETS:
        for name in providers(target):
            yield target, name


def data_files(name: str) -> Mapping[str, Path]:
    """The files `stacks/<target>/<provider>/catalog/<name>` of all providers, by provider."""
    return _data_files(name, folders())


def provider(target: str, name: str, key: str | None = None) -> Provider:
    """Import one provider. `key` is the key of the spec that names it, where one does.

    Raises:
        UsageError: there is no such provider for the target, or its file holds none.
    """
    known = providers(target)
    if name not in known:
        from difflib import get_close_matches  # late: only a refusal needs it

        near = get_close_matches(name, tuple(known), n=1)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(
            f"no provider {quoted(name)} for {target}",
            hint=f"{meant}providers of {target}: {', '.join(known) or 'none'}",
            key=key,
        )
    return _loaded(known[name], target, name)


def clouds() -> tuple[Cloud, ...]:
    """The clouds of all providers that can be found, each once."""
    found = (provider(*one).cloud for one in every_provider())
    return tuple(make() for make in dict.fromkeys(found) if make is not None)


def with_prices() -> Mapping[str, Callable[[], Any]]:
    """The providers whose prices can be renewed, with what makes their `deployer.sources.prices.PriceSource`."""
    found = [provider(*one) for one in every_provider()]
    return {one.name: one.prices for one in found if one.prices is not None}


def sources(target: str, name: str) -> tuple[Path, ...]:
    """Return the files that a provider's program is made of: its own, and those that its target's providers share."""
    file = providers(target)[name]
    if file.name != RECORD:
        shared = sorted(file.parent.glob("_*.py"))
        return (file, *shared, *sorted((file.parent / f"_{file.stem}").rglob("*.py")))
    shared = sorted(file.parents[1].glob("_*.py"))
    return (*shared, *sorted((file.parent / "program").rglob("*.py")))


@cache
def _bundled() -> Path:
    package = Path(__file__).parents[1]
    installed = package / BUNDLED
    return installed if installed.is_dir() else package.parent / BUNDLED


def engines_of(where: Provider) -> tuple[str, ...]:
    """The engines that a provider can run: those that it names, most preferred first, then those that it can start."""
    runs = where.runs
    if runs is None:
        return where.engines
    started = engines.with_part("native" if runs == "native" else "container")
    more = (name for name in started if name not in where.engines)
    return (*where.engines, *(name for name in more if runs != "pulled" or container.pulled(name)))


def engine_by(where: Provider, name: str) -> Engine:
    """Return an engine that a provider runs: the one that it brings (`ENGINE`), or one of `deployer.engines`.

    Raises:
        UsageError: there is none of that name.
    """
    if where.engine is not None and where.engine.name == name:
        return where.engine
    return engines.engine(name)


def engine_of(target: str, by: str, name: str) -> Engine:
    """Return the engine of what a provider serves. Only for one that it brings itself is it imported.

    Raises:
        UsageError: there is no such engine.
    """
    if name in engines.names():
        return engines.engine(name)
    return engine_by(provider(target, by), name)


@cache
def _data_files(name: str, roots: tuple[Path, ...]) -> Mapping[str, Path]:
    return {
        file.parents[1].name: file
        for root in roots
        for target in TARGETS
        for file in sorted((root / target.replace("-", "_")).glob(f"*/catalog/{name}"))
    }


@cache
def _loaded(file: Path, target: str, name: str) -> Provider:
    in_folder = file.name == RECORD
    root = file.parents[2] if in_folder else file.parents[1]
    module = _module(root, f"{target.replace('-', '_')}.{name}{'.provider' if in_folder else ''}")
    if not in_folder:
        return module_form.provider(module)
    found = getattr(module, "PROVIDER", None)
    if not isinstance(found, Provider):
        raise UsageError(f"{file} does not define PROVIDER", hint="see docs/ADD_A_PROVIDER.md")
    return found


def _module(root: Path, name: str) -> ModuleType:
    """Import a module of a folder of stacks, under a name of the folder's own."""
    package = BUNDLED if root == _bundled() else f"{BUNDLED}_{crc32(str(root).encode()):08x}"
    known = sys.modules.get(package)
    if known is None or str(root) not in known.__path__:
        home = sys.modules[package] = ModuleType(package)
        home.__path__ = [str(root)]
    return importlib.import_module(f"{package}.{name}")
