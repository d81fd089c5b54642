"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.documents.down import DownDocument, NotAsked, Remaining, Removed
from deployer.core.errors import DeployerError, UsageError
from deployer.providers import registry
from deployer.providers.managers import Manager, Say, SupportsLookup, SupportsPause
from deployer.running.lookup import manager_for, manager_of, silent
from deployer.running.native import environments
from deployer.running.store import Store


@dataclass(frozen=True)
class _Holder:
    """Who may hold something of a deployment. `name` is TARGET/PROVIDER."""

    name: str
    manager: Manager


def down(home: Path, name: str, say: Say = silent) -> DownDocument:
    """Remove a deployment and everything that belongs to it.

    Nothing there is not an error. What is left keeps its record, so that it is not lost from sight. Without
    a readable record every provider that may hold it is asked; one that does not answer does not keep the
    others from being removed.

    Returns:
        The document: what was removed, what is left, and which providers could not be asked.

    Raises:
        StaleError: another process is working on it.
        DeployerError: who holds it does not answer, or nobody who answers holds it and another may.
    """
    store = Store(home)
    with store.lock(name):
        holders, not_asked = _holders(name, store, say)
        removed: list[Removed] = []
        left: list[Remaining] = []
        for holder in holders:
            removed += [Removed(type=r["type"], id=r["id"]) for r in holder.manager.stop(name)]
            left += [
                Remaining(type=one["type"], id=one["id"], why=_why(holder.manager, one))
                for one in holder.manager.found(name)
            ]
        if not_asked and not removed and not left and name in store.names():
            raise next(iter(not_asked.values()))
        if not left:
            store.forget(name)
            environments.sweep(store)
    return DownDocument(
        deployment=name,
        removed=tuple(removed),
        remaining=tuple(left),
        not_asked=tuple(NotAsked(provider=p, why=e.message) for p, e in not_asked.items()),
    )


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
                f"{name} cannot be paused by name",
                hint=f"'deployer idle stop' stops machines that nobody uses; 'deployer down {name}' removes it",
            )
        manager.rest(name)


def _why(manager: Manager, one: Mapping[str, str]) -> str:
    why = manager.why(one["type"], one["id"]) if isinstance(manager, SupportsLookup) else None
    return why or "it did not end when asked to"


def _holders(name: str, store: Store, say: Say) -> tuple[list[_Holder], dict[str, DeployerError]]:
    """Return who is to be asked, and who did not answer.

    Raises:
        DeployerError: every cloud that may hold it refuses to answer.
    """
    try:
        record = store.load(name)
    except DeployerError:
        record = None
    if record is not None:
        holder = f"{record.target}/{record.provider}"
        return [_Holder(holder, manager_for(record, store.home, say))], {}
    holders = list(_possible_holders(name, store, say))
    refused = dict(_refusals(holders, name))
    clouds = [one.name for one in holders if isinstance(one.manager, SupportsLookup)]
    if clouds and refused.keys() >= set(clouds):
        raise refused[clouds[0]]
    return [one for one in holders if one.name not in refused], refused


def _refusals(holders: Sequence[_Holder], name: str) -> Iterator[tuple[str, DeployerError]]:
    for holder in holders:
        try:
            holder.manager.found(name)
        except DeployerError as error:
            yield holder.name, error


def _possible_holders(name: str, store: Store, say: Say) -> Iterator[_Holder]:
    for where, provider in registry.every_provider():
        found = registry.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = found.applied_by_pulumi and name.endswith(f"-{where}")
        if named or found.runner is not None:
            yield _Holder(f"{where}/{provider}", manager_of(found, store.home, say))
