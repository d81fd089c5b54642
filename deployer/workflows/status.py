"""See what there is now, and take it down. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.status import DeploymentStatus, Existing, StatusDocument
from deployer.core.domain import State
from deployer.engines.metrics import COUNTED, Counted
from deployer.providers.api import Keeper, Teller
from deployer.running import health, openai_client
from deployer.running.lookup import keeper_for, located
from deployer.running.store import Store

SECONDS_PER_HOUR = 3600


def status(home: Path, names: Sequence[str] | None, now: str) -> StatusDocument:
    """Return the status document: of the named deployments, or of all.

    Raises:
        UsageError: there is no deployment of a name.
    """
    store = Store(home)
    records = [store.get(name) for name in names or store.names()]
    return StatusDocument(deployments=tuple(_status(record, store, now) for record in records))


@dataclass(frozen=True)
class _Use:
    """What was done with a deployment so far, and what that cost."""

    idle_since: str | None = None
    requests: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    expires_at: str | None = None


def _status(record: Deployment, store: Store, now: str) -> DeploymentStatus:
    keeper = keeper_for(record, store.home)
    record = located(record, store, keeper)
    found = keeper.found(record.name)
    state, awake = _state(record, store, keeper, found)
    up = state in ("starting", "healthy", "unhealthy")
    memory = getattr(keeper, "gpu_memory_mib", None)
    use = _use(record, store, keeper, now, healthy=state == "healthy")
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
    )


def _use(record: Deployment, store: Store, keeper: Keeper, now: str, *, healthy: bool) -> _Use:
    """What the engine says; of a rented machine its cloud knows better how long it ran and when it was last used."""
    told = isinstance(keeper, Teller)
    names = COUNTED.get(record.engine)
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
    return _by_the_cloud(own, record, keeper, now)


def _by_the_cloud(own: _Use, record: Deployment, keeper: Keeper, now: str) -> _Use:
    if not record.launched:
        return own
    from deployer.running.aws.manager import CloudKeeper
    from deployer.running.reaper import lifetime

    if not isinstance(keeper, CloudKeeper):
        return own
    clients, at = keeper.clients(record.name), datetime.fromisoformat(now).timestamp()
    seen = lifetime.glance(clients, record, keeper.things(record.name).found(), at)
    return replace(
        own,
        idle_since=seen.idle_since,
        cost_usd=seen.cost_usd,
        expires_at=seen.expires_at or own.expires_at,
    )


def _state(
    record: Deployment, store: Store, keeper: Keeper, found: Sequence[Mapping[str, str]]
) -> tuple[State, bool | None]:
    """Say how it is, and whether it is awake, which is told of what sleeps by itself alone.

    What should be there and is not has failed; what is there and rests is stopped. What sleeps by itself is not
    asked: that would wake it.
    """
    if isinstance(keeper, Teller):
        return keeper.told(record)
    if not keeper.alive(record.name):
        return ("stopped" if found else "failed"), None
    if record.endpoint and health.healthy(record, store):
        return "healthy", None
    return ("starting" if record.ready_at is None else "unhealthy"), None


def _whole(figures: Mapping[str, float], name: str | None) -> int | None:
    figure = figures.get(name or "")
    return None if figure is None else int(figure)


def _idle_since(figures: Mapping[str, float], names: Counted) -> str | None:
    """When the last request ended (or it was started), if none is being answered."""
    last, running = figures.get(names.last_request or ""), figures.get(names.running or "")
    if last is None or running != 0:
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
