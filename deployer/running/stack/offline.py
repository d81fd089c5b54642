"""What a provider would make of its inputs: its own program, run offline, and the answer kept.

Nothing here imports Pulumi unless a program has to be run: a plan of the same stack code, inputs and
Pulumi versions is answered from the cache.
"""

from __future__ import annotations

import gc
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deployer.core import installation
from deployer.core.domain import Resource
from deployer.core.errors import DeployerError, PrerequisiteError, RemoteError
from deployer.providers.api import Provider
from deployer.providers.registry import sources

PROJECT = "deployer"
STACK = "plan"


def resources_of(
    provider: Provider, inputs: Mapping[str, Any], cache: Path | None
) -> tuple[Resource, ...]:
    """Say what a provider would make: by its `resources`, or else by running its `program` offline.

    Raises:
        RemoteError: the program failed, or registered something that cannot be told apart.
        PrerequisiteError: it needs a package that is not installed.
    """
    if provider.resources is None:
        if provider.program is None:
            raise RemoteError(f"provider {provider.name} does not say what it makes")
        code = sources(provider.target, provider.name)
        return collected(provider.program.run, code, inputs, cache)
    return tuple(_resource(given) for given in provider.resources(inputs))


def collected(
    program: Callable[[Mapping[str, Any]], object],
    code: Sequence[Path],
    inputs: Mapping[str, Any],
    cache: Path | None,
) -> tuple[Resource, ...]:
    """Return what a program registers for the inputs, from `cache` if it is known there; `code` is all that it is made of.

    An unreadable cache file is written anew; a cache that cannot be written is done without.

    Raises:
        RemoteError: the program failed.
        PrerequisiteError: it needs a package that is not installed.
    """
    kept = None if cache is None else cache / f"{_key(code, inputs)}.json"
    known = _read(kept) if kept else None
    if known is not None:
        return known
    found = collect(program, inputs, project=PROJECT, stack=STACK)
    if kept:
        _write(kept, found)
    return found


def collect(
    program: Callable[[Mapping[str, Any]], object],
    inputs: Mapping[str, Any],
    *,
    project: str,
    stack: str,
) -> tuple[Resource, ...]:
    """Run a Pulumi program under Pulumi's mocks: no engine, no network, no credentials.

    Raises:
        RemoteError: the program failed.
        PrerequisiteError: it needs a package that is not installed.
    """
    try:
        with warnings.catch_warnings(), _no_collection():
            warnings.simplefilter("ignore")  # Pulumi's packages deprecate their own parts on import
            from deployer.running.stack import mocks

            return mocks.collect(program, inputs, project=project, stack=stack)
    except DeployerError:
        raise
    except ModuleNotFoundError as error:
        raise PrerequisiteError(
            f"the stack needs the package '{error.name}', which is not installed",
            hint=installation.this().add_package(
                (error.name or "").split(".")[0].replace("_", "-")
            ),
        ) from error
    except Exception as error:
        raise RemoteError(f"the stack's program failed: {type(error).__name__}: {error}") from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the garbage collector: it walks Pulumi's 100,000 new classes and functions in vain for 0.3 s."""
    held = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held:
            gc.enable()


def _resource(given: Any) -> Resource:
    if isinstance(given, Resource):
        return given
    return Resource(given["type"], given["name"], given["inputs"])


def _key(parts: Sequence[Path], inputs: Mapping[str, Any]) -> str:
    asked = json.dumps([inputs, _versions()], sort_keys=True, default=str)
    code = b"\0".join(part.read_bytes() for part in parts)
    return sha256(code + b"\0" + asked.encode()).hexdigest()


def _versions() -> Sequence[str]:
    """The installed Pulumi packages with their versions, found without importing one."""
    spec = find_spec("pulumi")
    if spec is None or spec.origin is None:
        return ()
    packages = Path(spec.origin).parent.parent
    return sorted(name for name in os.listdir(packages) if _is_pulumi(name))  # noqa: PTH208 - no paths needed


def _is_pulumi(name: str) -> bool:
    return name.startswith("pulumi") and name.endswith(".dist-info")


def _read(file: Path) -> tuple[Resource, ...] | None:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple(Resource(row["type"], row["name"], dict(row["inputs"])) for row in rows)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(file: Path, found: Sequence[Resource]) -> None:
    rows = [{"type": r.type, "name": r.name, "inputs": r.inputs} for r in found]
    half = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        half.replace(file)
    except OSError:
        with suppress(OSError):
            half.unlink()
