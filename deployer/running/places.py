"""Every place where something of a deployment was ever made: what was made there is removed there, wherever it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError, StaleError
from deployer.providers import registry
from deployer.providers.inventory import KnowsOwners, LooksElsewhere
from deployer.providers.managers import Manager, Say


@dataclass(frozen=True)
class Place:
    """A provider, and its region and account where it has such: None where there is but one place to look."""

    provider: str
    region: str | None = None
    account: str | None = None

    @property
    def plain(self) -> dict[str, str]:
        """As the record keeps it."""
        told = {"provider": self.provider, "region": self.region, "account": self.account}
        return {key: value for key, value in told.items() if value is not None}

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.region} ({self.provider})" if self.region else self.provider


def known(record: Deployment) -> list[Place]:
    """Return every place that a record names, the newest last."""
    named = [_read(one) for one in record.places]
    return list(dict.fromkeys(named)) or [Place(record.provider, record.region)]


def _read(one: Mapping[str, str]) -> Place:
    return Place(one.get("provider", ""), one.get("region"), one.get("account"))


def remembered(record: Deployment | None, now: Place) -> list[Mapping[str, str]]:
    """Return what a record keeps of its places, this one the last."""
    earlier = [] if record is None else list(others(record, now))
    return [one.plain for one in (*earlier, now)]


def others(record: Deployment, now: Place) -> Iterator[Place]:
    """Yield the places of a record besides one. What looks everywhere at once is not in another region."""
    for one in known(record):
        where = None if now.region is None and one.provider == now.provider else one.region
        same = one.account is None or now.account is None or one.account == now.account
        if (one.provider, where, same) != (now.provider, now.region, True):
            yield one


def managers(
    record: Deployment, home: Path, say: Say, manager: Manager
) -> Iterator[tuple[Place, Manager]]:
    """Yield who looks after a deployment in each of its places; `manager` does where the record says that it is."""
    *earlier, newest = known(record)
    for one in earlier:
        yield one, _manager(one, record, home, say)
    yield newest, manager


def _manager(place: Place, record: Deployment, home: Path, say: Say) -> Manager:
    found = registry.provider(record.target, place.provider)
    made: Manager
    if found.manager is not None:
        made = found.manager(home, say)
    elif found.runner is not None:
        made = found.runner(home)
    else:
        raise PrerequisiteError(
            f"nothing here looks after {record.name} in {place}",
            hint=f"remove by hand what is left of it with {place.provider}",
        )
    return made.elsewhere(region=place.region) if isinstance(made, LooksElsewhere) else made


def held_in(place: Place, record: Deployment, home: Path, say: Say) -> Sequence[Mapping[str, str]]:
    """Return what lives of a deployment in a place.

    Raises:
        DeployerError: that cannot be learnt.
    """
    manager = _manager(place, record, home, say)
    check_account(place, record.name, manager)
    return manager.found(record.name)


def check_account(place: Place, deployment: str, manager: Manager) -> None:
    """See that the credentials at hand are those of the account that a place is in.

    Raises:
        PrerequisiteError: they are of another.
        DeployerError: that cannot be learnt.
    """
    if place.account is None or not isinstance(manager, KnowsOwners):
        return
    now = manager.account_of(deployment)
    if now is not None and now != place.account:
        raise PrerequisiteError(
            f"{deployment} was made in the account {place.account}, and the credentials at hand are of {now}",
            hint=f"log in to the account {place.account}, then run the same command again",
        )


def lives_elsewhere(deployment: str, place: Place, count: int) -> StaleError:
    """Return the error of a deployment that would be made in another place while it lives in this one."""
    things = f"{count} resource{'s' if count > 1 else ''}"
    return StaleError(
        f"{deployment} still has {things} in {place}, which would be left there and billed",
        hint=f"run 'deployer down {deployment}' first, or leave it in {place}; it looks in every place",
    )
