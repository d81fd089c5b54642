"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.core.errors import DeployerError, UsageError
from deployer.providers import registry
from deployer.providers.api import Manager, Say, SupportsLookup, SupportsPause
from deployer.running.lookup import manager_for, manager_of, silent
from deployer.running.store import Store


def down(home: Path, name: str, say: Say = silent) -> dict[str, Any]:
    """Remove a deployment and everything that belongs to it; return what was removed and what is left.

    Nothing there is not an error. What is left keeps its record, so that it is not lost from sight.

    Raises:
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        removed: list[Mapping[str, str]] = []
        left: list[Mapping[str, str]] = []
        for manager in _asked(list(_managers_of(name, store, say)), name, say):
            removed += manager.stop(name)
            left += [{**one, "why": _why(manager, one)} for one in manager.found(name)]
        if not left:
            store.forget(name)
    return {
        "deployment": name,
        "removed": [{"type": r["type"], "id": r["id"]} for r in removed],
        "remaining": [{"type": r["type"], "id": r["id"], "why": r["why"]} for r in left],
    }


def rest(home: Path, name: str) -> None:
    """Put a serverless deployment to rest, so that no call wakes it; `up` ends that.

    Raises:
        UsageError: it is not there, or cannot be paused.
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        manager = manager_for(store.get(name), home)
        if not isinstance(manager, SupportsPause):
            raise UsageError(
                f"{name} is not paused by name",
                hint=f"'deployer idle stop' stops machines that nobody uses; 'deployer down {name}' removes it",
            )
        manager.rest(name)


def _asked(managers: Sequence[Manager], name: str, say: Say) -> Iterator[Manager]:
    """Those that can be asked. Where several clouds may have it, one that does not answer is said, no error."""
    clouds = [manager for manager in managers if isinstance(manager, SupportsLookup)]
    refused = dict(_refusals(clouds, name)) if len(clouds) > 1 else {}
    if refused and len(refused) == len(clouds):
        raise next(iter(refused.values()))
    for refusal in refused.values():
        say(f"not looked at: {refusal.message}")
    yield from (manager for manager in managers if id(manager) not in refused)


def _refusals(managers: Sequence[Manager], name: str) -> Iterator[tuple[int, DeployerError]]:
    for manager in managers:
        try:
            manager.found(name)
        except DeployerError as error:
            yield id(manager), error


def _why(manager: Manager, one: Mapping[str, str]) -> str:
    why = manager.why(one["type"], one["id"]) if isinstance(manager, SupportsLookup) else None
    return why or "it did not end when it was told to"


def _managers_of(name: str, store: Store, say: Say) -> Iterator[Manager]:
    """What the record names; without a readable record, all that may have made something of that name."""
    try:
        record = store.load(name)
    except DeployerError:
        record = None
    if record is not None:
        yield manager_for(record, store.home, say)
        return
    for where, provider in registry.every_provider():
        found = registry.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = found.applied_by_pulumi and name.endswith(f"-{where}")
        if named or hasattr(found, "runner"):
            yield manager_of(found, store.home, say)
