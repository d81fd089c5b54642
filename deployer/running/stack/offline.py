"""What a provider would make of its inputs: its own program, run offline, and the answer kept.

Nothing here imports Pulumi unless a program has to be run: a plan of the same stack code, inputs and
Pulumi versions is answered from the cache.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deployer.core.cache import Cache, digest
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
            raise RemoteError(f"provider {provider.name} does not declare its resources")
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
    kept = Cache(cache, _kept)
    key = digest([inputs, _versions()], code) if cache else ""
    known = kept.get(key)
    if known is not None:
        return known
    found = collect(program, inputs, project=PROJECT, stack=STACK)
    kept.put(key, [{"type": r.type, "name": r.name, "inputs": r.inputs} for r in found])
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
        from deployer.core import installation

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


def _versions() -> Sequence[str]:
    """The installed Pulumi packages with their versions, found without importing one."""
    spec = find_spec("pulumi")
    if spec is None or spec.origin is None:
        return ()
    packages = Path(spec.origin).parent.parent
    names = os.listdir(packages)  # noqa: PTH208 - no paths needed
    return sorted(n for n in names if n.startswith("pulumi") and n.endswith(".dist-info"))


def _kept(rows: Any) -> tuple[Resource, ...]:
    return tuple(Resource(row["type"], row["name"], dict(row["inputs"])) for row in rows)
