"""See what there is now, and take it down. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.status import (
    DeploymentStatus,
    Existing,
    NotSeen,
    StatusDocument,
)
from deployer.core.domain import SECONDS_PER_HOUR, State
from deployer.core.errors import DeployerError, PrerequisiteError
from deployer.engines import Metrics
from deployer.providers import registry
from deployer.providers.managers import ChecksOwn, Manager, ReportsStatus, ReportsUsage
from deployer.running import health, openai_client
from deployer.running.lookup import located, manager_for
from deployer.running.store import Store


def status(home: Path, names: Sequence[str] | None, now: str) -> StatusDocument:
    """Return the status document: of the named deployments, or of all.

    Of all, one that cannot be looked at is a gap and hides no other.

    Raises:
        UsageError: there is no deployment of a name.
        DeployerError: a named one cannot be looked at.
    """
    store = Store(home)
    if names:
        return StatusDocument(
            deployments=tuple(_status(store.get(name), store, now) for name in names)
        )
    seen = [_looked_at(name, store, now) for name in store.names()]
    return StatusDocument(
        deployments=tuple(one for one in seen if isinstance(one, DeploymentStatus)),
        gaps=tuple(one for one in seen if isinstance(one, NotSeen)),
    )


def _looked_at(name: str, store: Store, now: str) -> DeploymentStatus | NotSeen | None:
    """Look at one deployment; None: it was removed meanwhile."""
    record = None
    try:
        record = store.load(name)
        return None if record is None else _status(record, store, now)
    except DeployerError as error:
        return NotSeen(
            deployment=name,
            target=record.target if record else None,
            provider=record.provider if record else None,
            error=error.message,
            hint=error.hint,
        )


@dataclass(frozen=True)
class _Use:
    """What was done with a deployment so far, and what that cost."""

    idle_since: str | None = None
    requests: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    expires_at: str | None = None


def _status(record: Deployment, store: Store, now: str) -> DeploymentStatus:
    manager = manager_for(record, store.home)
    record = located(record, store, manager)
    found = manager.found(record.name)
    state, awake = _state(record, store, manager, found)
    up = state in ("starting", "healthy", "unhealthy")
    memory = getattr(manager, "gpu_memory_mib", None)
    use = _use(record, store, manager, now, healthy=state == "healthy")
    return DeploymentStatus(
        name=record.name,
        target=record.target,
        provider=record.provider,
        state=state,
        awake=awake,
        endpoint=record.endpoint,
        started_at=record.started_at,
        uptime_seconds=int(_age(record, now)) if up else None,
        gpu_memory_mib=memory(record.name) if memory and up else None,
        idle_since=use.idle_since,
        requests=use.requests,
        output_tokens=use.output_tokens,
        usd_per_hour=None if record.usd_per_hour is None else Decimal(record.usd_per_hour),
        cost_so_far_usd=use.cost_usd,
        expires_at=use.expires_at,
        resources=tuple(Existing(type=r["type"], name=r["name"], id=r["id"]) for r in found),
        unkept=record.unkept,
    )


def _use(record: Deployment, store: Store, manager: Manager, now: str, *, healthy: bool) -> _Use:
    """What the engine says; of a rented machine its cloud knows better how long it ran and when it was last used."""
    told = isinstance(manager, ReportsStatus)
    served = registry.engine_of(record.target, record.provider, record.engine) if healthy else None
    names = served.metrics if served else None
    figures: Mapping[str, float] = {}
    if healthy and names and not told:
        figures = openai_client.metrics(health.endpoint_of(record, store))
    own = _Use(
        idle_since=_idle_since(figures, names) if names else None,
        requests=_whole(figures, names.requests) if names else None,
        output_tokens=_whole(figures, names.output_tokens) if names else None,
        cost_usd=None if told else _cost(record, now),
        expires_at=record.expires_at,
    )
    return _by_the_cloud(own, record, manager, now)


def _by_the_cloud(own: _Use, record: Deployment, manager: Manager, now: str) -> _Use:
    if not isinstance(manager, ReportsUsage):
        return own
    seen = manager.usage(record, datetime.fromisoformat(now).timestamp())
    return replace(
        own,
        idle_since=seen.idle_since,
        cost_usd=seen.cost_usd if record.launched else own.cost_usd,
        expires_at=seen.expires_at or own.expires_at,
    )


def _state(
    record: Deployment, store: Store, manager: Manager, found: Sequence[Mapping[str, str]]
) -> tuple[State, bool | None]:
    """Say how it is, and whether it is awake, which is told of what sleeps by itself alone.

    What should be there and is not has failed; what is there and rests is stopped. What sleeps by itself is not
    asked: that would wake it.
    """
    if isinstance(manager, ReportsStatus):
        return manager.told(record)
    if not manager.alive(record.name):
        return ("stopped" if found else "failed"), None
    if record.endpoint and health.healthy(record, store) and _is_own(record, manager):
        return "healthy", None
    return ("starting" if record.ready_at is None else "unhealthy"), None


def _is_own(record: Deployment, manager: Manager) -> bool:
    """Whether it is this deployment that answers, where that can be told."""
    try:
        if isinstance(manager, ChecksOwn):
            manager.check_own(record.name)
    except PrerequisiteError:
        return False
    return True


def _whole(figures: Mapping[str, float], name: str | None) -> int | None:
    figure = figures.get(name or "")
    return None if figure is None else int(figure)


def _idle_since(figures: Mapping[str, float], names: Metrics) -> str | None:
    """When the last request ended (or it was started), if none is being answered."""
    last = figures.get(names.last_request or "")
    running = [figures[name] for name in names.running if name in figures]
    if last is None or not running or any(running):
        return None
    return datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds")


def _age(record: Deployment, now: str) -> float:
    """Seconds since it was started."""
    age = datetime.fromisoformat(now) - datetime.fromisoformat(record.started_at)
    return age.total_seconds()


def _cost(record: Deployment, now: str) -> Decimal | None:
    """What it has cost since its start, at its price per hour while it runs."""
    if record.usd_per_hour is None:
        return None
    hours = Decimal(_age(record, now)) / SECONDS_PER_HOUR
    return hours * Decimal(record.usd_per_hour)
