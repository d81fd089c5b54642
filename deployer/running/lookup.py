"""Who looks after a deployment, and where it answers now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError
from deployer.providers import registry
from deployer.providers.api import Finder, Keeper, Provider, Runner, Say
from deployer.running import health
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store


def silent(_line: str) -> None:
    """Say nothing."""


def keeper_for(record: Deployment, home: Path, say: Say = silent) -> Keeper:
    """Return what looks after a deployment.

    Raises:
        UsageError: the provider's file is gone.
    """
    return keeper_of(registry.provider(record.target, record.provider), home, say)


def reached(record: Deployment, store: Store) -> Endpoint:
    """How a deployment is reached now: where its address may change, it is looked up, and remembered."""
    return health.endpoint_of(located(record, store, keeper_for(record, store.home)), store)


def located(record: Deployment, store: Store, keeper: Keeper) -> Deployment:
    """The record with the address that it has now."""
    if not isinstance(keeper, Finder):
        return record
    now = replace(record, endpoint=keeper.endpoint(record))
    if now != record:
        store.save(now)
    return now


def applied_by_engine(provider: Provider) -> bool:
    """Whether it is applied by the Pulumi engine, which says itself what would change."""
    return hasattr(provider, "program")


def keeper_of(provider: Provider, home: Path, say: Say) -> Keeper:
    """Return what looks after a provider's deployments.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    if applied_by_engine(provider):
        from deployer.running.stack.sites import keeper_of as keeper_by_engine

        return keeper_by_engine(provider, home, say)
    return runner_of(provider, home)


def runner_of(provider: Provider, home: Path) -> Runner:
    """Return what runs a provider's resources.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    make = getattr(provider, "runner", None)
    if make is None:
        raise PrerequisiteError(
            f"applying {provider.TARGET} with {provider.NAME} is not part of this version yet",
            hint="'deployer plan' shows what it would cost",
        )
    runner: Runner = make(home)
    return runner
