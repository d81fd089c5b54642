"""See what there is now, and take it down. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer.core.deployment import Deployment
from deployer.engines.metrics import COUNTED, Counted
from deployer.providers.api import Manager, ReportsStatus, ReportsUsage
from deployer.running import health, openai_client
from deployer.running.lookup import located, manager_for
from deployer.running.store import Store

SECONDS_PER_HOUR = 3600


def status(home: Path, names: Sequence[str] | None, now: str) -> dict[str, Any]:
    """Return the status document: of the named deployments, or of all.

    Raises:
        UsageError: there is no deployment of a name.
    """
    store = Store(home)
    records = [store.get(name) for name in names or store.names()]
    return {"deployments": [_status(record, store, now) for record in records]}


def _status(record: Deployment, store: Store, now: str) -> dict[str, Any]:
    manager = manager_for(record, store.home)
    record = located(record, store, manager)
    found = manager.found(record.name)
    state, awake = _state(record, store, manager, found)
    up = state in ("starting", "healthy", "unhealthy")
    memory = getattr(manager, "gpu_memory_mib", None)
    return {
        "name": record.name,
        "target": record.target,
        "provider": record.provider,
        "state": state,
        "awake": awake,
        "endpoint": record.endpoint,
        "started_at": record.started_at,
        "uptime_seconds": int(_age(record, now)) if up else None,
        "gpu_memory_mib": memory(record.name) if memory and up else None,
        **_used(
            record, store, healthy=state == "healthy" and not isinstance(manager, ReportsStatus)
        ),
        "usd_per_hour": None if record.usd_per_hour is None else float(record.usd_per_hour),
        "cost_so_far_usd": None if isinstance(manager, ReportsStatus) else _cost(record, now),
        "expires_at": record.expires_at,
        **_told(manager, record, now),
        "resources": [dict(r) for r in found],
    }


def _told(manager: Manager, record: Deployment, now: str) -> dict[str, Any]:
    """What the cloud knows better than the record: how long its machines ran, when they were last used."""
    if not (record.launched and isinstance(manager, ReportsUsage)):
        return {}
    used = manager.usage(record, datetime.fromisoformat(now).timestamp())
    return {
        "idle_since": used.idle_since,
        "cost_so_far_usd": None if used.cost_usd is None else round(float(used.cost_usd), 6),
        "expires_at": used.expires_at or record.expires_at,
    }


def _state(
    record: Deployment, store: Store, manager: Manager, found: Sequence[Mapping[str, str]]
) -> tuple[str, bool | None]:
    """Say how it is, and whether it is awake, which is told of what sleeps by itself alone.

    What should be there and is not has failed; what is there and rests is stopped. What sleeps by itself is not
    asked: that would wake it.
    """
    if isinstance(manager, ReportsStatus):
        return manager.told(record)
    if not manager.alive(record.name):
        return ("stopped" if found else "failed"), None
    if record.endpoint and health.healthy(record, store):
        return "healthy", None
    return ("starting" if record.ready_at is None else "unhealthy"), None


def _used(record: Deployment, store: Store, *, healthy: bool) -> dict[str, Any]:
    """Ask the engine what it has done; what it does not count is None."""
    names = COUNTED.get(record.engine)
    figures: Mapping[str, float] = {}
    if healthy and names:
        figures = openai_client.metrics(health.endpoint_of(record, store))
    return {
        "idle_since": _idle_since(figures, names) if names else None,
        "requests": _whole(figures, names.requests) if names else None,
        "output_tokens": _whole(figures, names.output_tokens) if names else None,
    }


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


def _cost(record: Deployment, now: str) -> float | None:
    """What it has cost since its start, at its price per hour while it runs."""
    if record.usd_per_hour is None:
        return None
    hours = Decimal(_age(record, now)) / SECONDS_PER_HOUR
    return round(float(hours * Decimal(record.usd_per_hour)), 6)
