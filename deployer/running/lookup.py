"""Who looks after a deployment, and where it answers now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError
from deployer.providers import registry
from deployer.providers.api import Provider
from deployer.providers.managers import ChecksOwn, Manager, Runner, Say, SupportsLookup
from deployer.running import health
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store


def silent(_line: str) -> None:
    """Say nothing."""


def provider_of(record: Deployment) -> Provider:
    """Return the provider of a deployment.

    Raises:
        UsageError: the provider's file is gone.
    """
    return registry.provider(record.target, record.provider)


def manager_for(record: Deployment, home: Path, say: Say = silent) -> Manager:
    """Return what looks after a deployment.

    Raises:
        UsageError: the provider's file is gone.
    """
    return manager_of(provider_of(record), home, say)


def reached(record: Deployment, store: Store) -> Endpoint:
    """How a deployment is reached now: where its address may change, it is looked up, and remembered.

    Raises:
        PrerequisiteError: somebody else listens where it should, and would be sent its key.
    """
    manager = manager_for(record, store.home)
    if isinstance(manager, ChecksOwn):
        manager.check_own(record.name)
    return health.endpoint_of(located(record, store, manager), store)


def located(record: Deployment, store: Store, manager: Manager) -> Deployment:
    """The record with the address that it has now."""
    if not isinstance(manager, SupportsLookup):
        return record
    now = replace(record, endpoint=manager.endpoint(record))
    if now != record:
        store.save(now)
    return now


def manager_of(provider: Provider, home: Path, say: Say) -> Manager:
    """Return what looks after a provider's deployments.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    if provider.manager is not None:
        return provider.manager(home, say)
    return runner_of(provider, home)


def runner_of(provider: Provider, home: Path) -> Runner:
    """Return what runs a provider's resources.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    if provider.runner is None:
        raise PrerequisiteError(
            f"applying {provider.target} with {provider.name} is not supported in this version",
            hint="'deployer plan' shows what it would cost",
        )
    return provider.runner(home)
