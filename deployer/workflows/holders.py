"""Who may hold something of a deployment: each place that its record names, or, without one, every provider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError
from deployer.providers import registry
from deployer.providers.inventory import Found, LooksElsewhere
from deployer.providers.managers import Manager, Say, SupportsLookup
from deployer.running import places
from deployer.running.lookup import manager_for, manager_of
from deployer.running.store import DamagedError, Store


@dataclass(frozen=True)
class Holder:
    """Who may hold something of a deployment. `name` is TARGET/PROVIDER, or the place."""

    name: str
    manager: Manager

    @property
    def is_cloud(self) -> bool:
        """Whether what it holds is billed while nobody here looks at it."""
        return isinstance(self.manager, SupportsLookup)


@dataclass(frozen=True)
class Silent:
    """One that did not answer, with why."""

    holder: Holder
    error: DeployerError


@dataclass(frozen=True)
class Holders:
    """Who answers and who does not; `record` is None where there is none that can be read."""

    record: Deployment | None
    answering: Sequence[Holder]
    silent: Sequence[Silent]


def holders_of(name: str, store: Store, say: Say, state: str | None) -> Holders:
    """Return who is to be asked; `state` is where the spec says that Pulumi's state lies.

    Raises:
        DeployerError: everyone that is known to hold it, or every cloud that may, refuses to answer.
    """
    try:
        record, damaged = store.load(name), False
    except DamagedError:
        record, damaged = None, True
    if record is not None:
        return _known(record, store, say)
    every = [
        replace(one, manager=by_state(one.manager, state)) for one in _possible(name, store, say)
    ]
    silent = list(_silent(every, name))
    clouds = [one.error for one in silent if one.holder.is_cloud]
    answers = len(clouds) < sum(one.is_cloud for one in every)
    if clouds and not (answers or damaged or store.is_gone(name)):
        raise clouds[0]
    quiet = [one.holder for one in silent]
    return Holders(None, [one for one in every if one not in quiet], silent)


def by_their_state(holders: Sequence[Holder], made: Sequence[Found]) -> list[Holder]:
    """Let each go by the state that what was found names: others may be at work by it."""
    named = next((one.state for one in made if one.state), None)
    if named is None:
        return list(holders)
    return [replace(one, manager=by_state(one.manager, named)) for one in holders]


def by_state(manager: Manager, state: str | None) -> Manager:
    """Return a manager that goes by another state, where it can."""
    return manager.elsewhere(state=state) if isinstance(manager, LooksElsewhere) else manager


def _known(record: Deployment, store: Store, say: Say) -> Holders:
    holders: list[Holder] = []
    silent: list[Silent] = []
    newest = manager_for(record, store.home, say)
    for place, manager in places.managers(record, store.home, say, newest):
        holder = Holder(f"{record.target}/{place}", manager)
        try:
            places.check_account(place, record.name, manager)
            manager.found(record.name)
        except DeployerError as error:
            silent.append(Silent(holder, error))
        else:
            holders.append(holder)
    if silent and not holders:
        raise silent[0].error
    return Holders(record, holders, silent)


def _silent(holders: Sequence[Holder], name: str) -> Iterator[Silent]:
    for holder in holders:
        try:
            holder.manager.found(name)
        except DeployerError as error:
            yield Silent(holder, error)


def _possible(name: str, store: Store, say: Say) -> Iterator[Holder]:
    for where, provider in registry.every_provider():
        found = registry.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = found.applied_by_pulumi and name.endswith(f"-{where}")
        if named or found.runner is not None:
            yield Holder(f"{where}/{provider}", manager_of(found, store.home, say))
