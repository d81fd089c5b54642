"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.down import DownDocument, Kept, NotAsked, Remaining, Removed
from deployer.core.errors import DeployerError, UsageError
from deployer.core.owner import owner
from deployer.providers import registry
from deployer.providers.inventory import Found, LooksElsewhere, ours
from deployer.providers.managers import Manager, Say, SupportsLookup, SupportsPause
from deployer.running import ownership, places
from deployer.running.lookup import manager_for, manager_of, silent
from deployer.running.native import environments
from deployer.running.store import DamagedError, Store
from deployer.workflows.claims import Claim, check_owner, gathered, priced, strangers

Agree = Callable[[Sequence[Claim]], None]
"""Is shown what is to be removed; raises `DeclinedError` when it must not be."""


@dataclass(frozen=True)
class Request:
    """What a user says of a deployment that is to be removed, besides its name.

    `owner` is whose it is, where somebody else made it; `state` where its state lies, as its spec says.
    """

    owner: str | None = None
    state: str | None = None


@dataclass(frozen=True)
class _Holder:
    """Who may hold something of a deployment. `name` is TARGET/PROVIDER, or the place."""

    name: str
    manager: Manager


def down(
    home: Path,
    name: str,
    say: Say = silent,
    agree: Agree | None = None,
    asked: Request = Request(),
) -> DownDocument:
    """Remove a deployment and everything that belongs to it, in every place where it was ever made.

    What is left keeps its record, so that it is not lost from sight; nothing left of a known one is not an error.
    Without a readable record every provider that may hold it is asked; one that does not answer does not keep the
    others from being removed. What this home has no record of is listed first, with its owner, age and cost. `agree` is
    shown what is to be removed, and may refuse it by an error. What only carries the deployment's tag is kept.

    Returns:
        The document: what was removed, what is left or kept, and which providers could not be asked.

    Raises:
        UsageError: no deployment was ever known by that name, and none was found.
        PolicyError: somebody else made it, and `asked.owner` does not say so.
        StaleError: another process is working on it.
        DeployerError: who holds it does not answer.
    """
    store = Store(home)
    if not store.is_known(name):
        _check_exists(name, store, say, asked)
    with store.lock(name):
        record = _record(store, name)
        holders, not_asked = _holders(name, store, record, say, asked)
        there = gathered(name, [one.manager for one in holders], owner(store.home))
        made = ours(there)
        _check(name, made, _Asking(store, record, say, agree, asked.owner))
        holders = _by_their_state(holders, made)
        removed: list[Removed] = []
        left: list[Remaining] = []
        for holder in holders:
            removed += [Removed(type=r["type"], id=r["id"]) for r in holder.manager.stop(name)]
            left += [
                Remaining(type=one["type"], id=one["id"], why=_why(holder.manager, one))
                for one in holder.manager.found(name)
            ]
        known = record is not None
        if not known and store.is_gone(name):
            not_asked = {}  # it was removed as a whole: whoever is silent holds nothing of it
        if not left and not (known and not_asked):
            store.forget(name)
            environments.sweep(store)
            if not not_asked:
                store.mark_gone(name)
    return DownDocument(
        deployment=name,
        removed=tuple(removed),
        remaining=tuple(left),
        not_asked=tuple(
            NotAsked(provider=p, why=e.message, known=known) for p, e in not_asked.items()
        ),
        kept=_kept([one for one in there if not one.ours], store.home),
    )


@dataclass(frozen=True)
class _Asking:
    store: Store
    record: Deployment | None
    say: Say
    agree: Agree | None
    owner: str | None


def _check(name: str, made: Sequence[Found], by: _Asking) -> None:
    """List what this home has no record of; refuse somebody else's; ask."""
    if not made:
        return
    own = ownership.own_names(by.store.home, by.record)
    listed: list[Claim] = []

    def shown() -> Sequence[Claim]:
        if not listed:
            listed.extend(priced(made, by.store.home))
            by.say(f"found of {name}:")
            for one in listed:
                by.say(f"  {one.line(time.time())}")
        return listed

    others = strangers(made, own, by.record)
    check_owner(name, others, by.owner, shown)
    if by.record is None or others:
        shown()
    if by.agree is not None:
        by.agree(listed or [Claim(one) for one in made])


def _by_their_state(holders: Sequence[_Holder], made: Sequence[Found]) -> list[_Holder]:
    """Let each go by the state that what was found names: others may be at work by it."""
    named = next((one.state for one in made if one.state), None)
    if named is None:
        return list(holders)
    return [replace(one, manager=_by_state(one.manager, named)) for one in holders]


def _by_state(manager: Manager, state: str | None) -> Manager:
    return manager.elsewhere(state=state) if isinstance(manager, LooksElsewhere) else manager


def _kept(strange: Sequence[Found], home: Path) -> tuple[Kept, ...]:
    claims = priced(strange, home) if strange else []
    return tuple(
        Kept(
            type=one.found.type,
            id=one.found.id,
            region=one.found.region,
            monthly_usd=one.monthly_usd,
        )
        for one in claims
    )


def _record(store: Store, name: str) -> Deployment | None:
    try:
        return store.load(name)
    except DamagedError:
        return None


def _check_exists(name: str, store: Store, say: Say, asked: Request) -> None:
    """See that a name which is not known here belongs to something all the same."""
    unknown = store.unknown(name)
    try:
        holders, not_asked = _holders(name, store, None, say, asked)
    except DeployerError as error:
        unknown.hint = f"{unknown.hint}; nobody was asked: {error.message}"
        raise (unknown if store.nearest(name) else error) from None
    if any(holder.manager.found(name) for holder in holders):
        return
    silent_ones = "; ".join(f"{where} was not asked: {e.message}" for where, e in not_asked.items())
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


def _holders(
    name: str, store: Store, record: Deployment | None, say: Say, asked: Request
) -> tuple[list[_Holder], dict[str, DeployerError]]:
    """Return who is to be asked, and who did not answer.

    Raises:
        DeployerError: everyone that is known to hold it, or every cloud that may, refuses to answer.
    """
    if record is not None:
        return _known_holders(record, store, say)
    holders = [
        replace(one, manager=_by_state(one.manager, asked.state))
        for one in _possible_holders(name, store, say)
    ]
    refused = dict(_refusals(holders, name))
    clouds = [one.name for one in holders if isinstance(one.manager, SupportsLookup)]
    if clouds and refused.keys() >= set(clouds):
        raise refused[clouds[0]]
    return [one for one in holders if one.name not in refused], refused


def _known_holders(
    record: Deployment, store: Store, say: Say
) -> tuple[list[_Holder], dict[str, DeployerError]]:
    """Return who looks after a deployment in each place that its record names, and where nobody answers."""
    holders: list[_Holder] = []
    refused: dict[str, DeployerError] = {}
    newest = manager_for(record, store.home, say)
    for place, manager in places.managers(record, store.home, say, newest):
        holder = _Holder(f"{record.target}/{place}", manager)
        try:
            places.check_account(place, record.name, manager)
            manager.found(record.name)
        except DeployerError as error:
            refused[holder.name] = error
        else:
            holders.append(holder)
    if refused and not holders:
        raise next(iter(refused.values()))
    return holders, refused


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
