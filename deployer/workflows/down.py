"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.documents.down import DownDocument, NotAsked, Remaining, Removed
from deployer.core.errors import DeployerError, UsageError
from deployer.providers import registry
from deployer.providers.managers import Drains, Manager, Say, SupportsLookup, SupportsPause
from deployer.running.lookup import manager_for, manager_of, silent
from deployer.running.native import environments
from deployer.running.store import DamagedError, Store

Agree = Callable[[Sequence[Mapping[str, str]]], None]
"""Is shown what is to be removed; raises `DeclinedError` when it must not be."""


@dataclass(frozen=True)
class _Holder:
    """Who may hold something of a deployment. `name` is TARGET/PROVIDER."""

    name: str
    manager: Manager


DRAIN_S = 60.0
"""How long answers that are being given have to end, unless it is said otherwise."""


def down(
    home: Path,
    name: str,
    say: Say = silent,
    agree: Agree | None = None,
    drain_s: float = DRAIN_S,
) -> DownDocument:
    """Remove a deployment and everything that belongs to it, once what it is answering has ended, or after `drain_s`.

    What is left keeps its record, so that it is not lost from sight; nothing left of a known one is not an error.
    Without a readable record every provider that may hold it is asked; one that does not answer does not keep the
    others from being removed. A damaged record stays where nothing was found and a cloud did not answer: what it
    is of may be billed. `agree` is shown what is to be removed, and may refuse it by an error.

    Returns:
        The document: what was removed, what is left, and which providers could not be asked.

    Raises:
        UsageError: no deployment was ever known by that name, and none was found.
        StaleError: another process is working on it.
        DeployerError: who holds it does not answer.
    """
    store = Store(home)
    if not store.is_known(name):
        _check_exists(name, store, say)
    with store.lock(name):
        holders, not_asked = _holders(name, store, say)
        if agree is not None:
            there = [one for holder in holders for one in holder.manager.found(name)]
            if there:
                agree(there)
        removed: list[Removed] = []
        left: list[Remaining] = []
        cut = 0
        for holder in holders:
            cut += _drained(holder.manager, name, drain_s, say)
            removed += [Removed(type=r["type"], id=r["id"]) for r in holder.manager.stop(name)]
            left += [
                Remaining(type=one["type"], id=one["id"], why=_why(holder.manager, one))
                for one in holder.manager.found(name)
            ]
        if store.is_gone(name):
            not_asked = []  # it was removed as a whole: whoever is silent holds nothing of it
        kept = not removed and any(_is_cloud(one) for one, _ in not_asked)
        if not left and not kept:
            store.forget(name)
            environments.sweep(store)
            if not not_asked:
                store.mark_gone(name)
    return DownDocument(
        deployment=name,
        removed=tuple(removed),
        remaining=tuple(left),
        not_asked=tuple(NotAsked(provider=one.name, why=e.message) for one, e in not_asked),
        kept=str(store.folder(name)) if kept and store.folder(name).exists() else None,
        answers_cut=cut,
    )


def _drained(manager: Manager, name: str, limit_s: float, say: Say) -> int:
    """Let what is being answered end; return how many answers are cut off now."""
    return manager.drain(name, limit_s, say) if isinstance(manager, Drains) else 0


def _check_exists(name: str, store: Store, say: Say) -> None:
    """See that a name which is not known here belongs to something all the same."""
    unknown = store.unknown(name)
    try:
        holders, not_asked = _holders(name, store, say)
    except DeployerError as error:
        unknown.hint = f"{unknown.hint}; nobody was asked: {error.message}"
        raise (unknown if store.nearest(name) else error) from None
    if any(holder.manager.found(name) for holder in holders):
        return
    silent_ones = "; ".join(f"{one.name} was not asked: {e.message}" for one, e in not_asked)
    unknown.hint = "; ".join(filter(None, (unknown.hint, silent_ones)))
    raise unknown


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


_Silent = list[tuple[_Holder, DeployerError]]
"""Who may hold something and did not answer, with why."""


def _holders(name: str, store: Store, say: Say) -> tuple[list[_Holder], _Silent]:
    """Return who is to be asked, and who did not answer.

    Raises:
        DeployerError: there is no record, and every cloud that may hold it refuses to answer.
    """
    record, damaged = None, False
    try:
        record = store.load(name)
    except DamagedError:
        damaged = True
    if record is not None:
        holder = f"{record.target}/{record.provider}"
        return [_Holder(holder, manager_for(record, store.home, say))], []
    holders = list(_possible_holders(name, store, say))
    refused = list(_refusals(holders, name))
    silent_clouds = [error for one, error in refused if _is_cloud(one)]
    answers = len(silent_clouds) < len(list(filter(_is_cloud, holders)))
    if silent_clouds and not (answers or damaged or store.is_gone(name)):
        raise silent_clouds[0]
    return [one for one in holders if one not in [silent for silent, _ in refused]], refused


def _is_cloud(holder: _Holder) -> bool:
    return isinstance(holder.manager, SupportsLookup)


def _refusals(holders: Sequence[_Holder], name: str) -> Iterator[tuple[_Holder, DeployerError]]:
    for holder in holders:
        try:
            holder.manager.found(name)
        except DeployerError as error:
            yield holder, error


def _possible_holders(name: str, store: Store, say: Say) -> Iterator[_Holder]:
    for where, provider in registry.every_provider():
        found = registry.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = found.applied_by_pulumi and name.endswith(f"-{where}")
        if named or found.runner is not None:
            yield _Holder(f"{where}/{provider}", manager_of(found, store.home, say))
