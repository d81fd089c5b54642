"""See what there is now, and take it down. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer import answering, openai_http, target
from deployer.apply import applied_by_engine, keeper_of
from deployer.errors import DeployerError, UsageError
from deployer.openai_http import Endpoint
from deployer.state import Deployment, Store
from deployer.target import Finder, Keeper, Rester, Say, Teller

SECONDS_PER_HOUR = 3600


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Counted:
    """The names of an engine's metrics, counted since its start; None: it does not count that."""

    output_tokens: str
    requests: str | None = None
    last_request: str | None = None  # seconds since 1970
    running: str | None = None


COUNTED = {
    "llama.cpp": Counted("llamacpp:tokens_predicted_total"),
    "vllm": Counted("vllm:generation_tokens_total", "vllm:request_success_total"),
    "sglang": Counted("sglang:generation_tokens_total", "sglang:num_requests_total"),
    "mlx": Counted(
        "mlx_completion_tokens_total",
        "mlx_request_success_total",
        "mlx_last_request_timestamp_seconds",
        "mlx_requests_running",
    ),
    "fastapi": Counted(
        "handler_completion_tokens_total",
        "handler_request_success_total",
        "handler_last_request_timestamp_seconds",
        "handler_requests_running",
    ),
}
"""By engine. Only what this tool serves itself (a handler, MLX) says when it was last asked."""


def status(home: Path, names: Sequence[str] | None, now: str) -> dict[str, Any]:
    """Return the status document: of the named deployments, or of all.

    Raises:
        UsageError: there is no deployment of a name.
    """
    store = Store(home)
    records = [store.get(name) for name in names or store.names()]
    return {"deployments": [_status(record, store, now) for record in records]}


def keeper_for(record: Deployment, home: Path, say: Say = _silent) -> Keeper:
    """Return what looks after a deployment.

    Raises:
        UsageError: the provider's file is gone.
    """
    return _keeper(record.target, record.provider, home, say)


def reached(record: Deployment, store: Store) -> Endpoint:
    """How a deployment is reached now: where its address may change, it is looked up, and remembered."""
    return answering.endpoint_of(_located(record, store, keeper_for(record, store.home)), store)


def _located(record: Deployment, store: Store, keeper: Keeper) -> Deployment:
    """The record with the address that it has now."""
    if not isinstance(keeper, Finder):
        return record
    now = replace(record, endpoint=keeper.endpoint(record))
    if now != record:
        store.save(now)
    return now


def down(home: Path, name: str, say: Say = _silent) -> dict[str, Any]:
    """Remove a deployment and everything that belongs to it; return what was removed and what is left.

    Nothing there is not an error. What is left keeps its record, so that it is not lost from sight.

    Raises:
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        removed: list[Mapping[str, str]] = []
        left: list[Mapping[str, str]] = []
        for keeper in _asked(list(_keepers_of(name, store, say)), name, say):
            removed += keeper.stop(name)
            left += [{**one, "why": _why(keeper, one)} for one in keeper.found(name)]
        if not left:
            store.forget(name)
    return {
        "deployment": name,
        "removed": [{"type": r["type"], "id": r["id"]} for r in removed],
        "remaining": [{"type": r["type"], "id": r["id"], "why": r["why"]} for r in left],
    }


def rest(home: Path, name: str) -> None:
    """Put a serverless deployment to rest, so that no call wakes it; `up` ends that.

    Raises:
        UsageError: it is not there, or cannot be paused.
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        keeper = keeper_for(store.get(name), home)
        if not isinstance(keeper, Rester):
            raise UsageError(
                f"{name} is not paused by name",
                hint=f"'deployer idle stop' stops machines that nobody uses; 'deployer down {name}' removes it",
            )
        keeper.rest(name)


def _asked(keepers: Sequence[Keeper], name: str, say: Say) -> Iterator[Keeper]:
    """Those that can be asked. Where several clouds may have it, one that does not answer is said, no error."""
    clouds = [keeper for keeper in keepers if isinstance(keeper, Finder)]
    refused = dict(_refusals(clouds, name)) if len(clouds) > 1 else {}
    if refused and len(refused) == len(clouds):
        raise next(iter(refused.values()))
    for refusal in refused.values():
        say(f"not looked at: {refusal.message}")
    yield from (keeper for keeper in keepers if id(keeper) not in refused)


def _refusals(keepers: Sequence[Keeper], name: str) -> Iterator[tuple[int, DeployerError]]:
    for keeper in keepers:
        try:
            keeper.found(name)
        except DeployerError as error:
            yield id(keeper), error


def _why(keeper: Keeper, one: Mapping[str, str]) -> str:
    why = keeper.why(one["type"], one["id"]) if isinstance(keeper, Finder) else None
    return why or "it did not end when it was told to"


def _keepers_of(name: str, store: Store, say: Say) -> Iterator[Keeper]:
    """What the record names; without a readable record, all that may have made something of that name."""
    try:
        record = store.load(name)
    except DeployerError:
        record = None
    if record is not None:
        yield keeper_for(record, store.home, say)
        return
    for where, provider in target.every_provider():
        found = target.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = applied_by_engine(found) and name.endswith(f"-{where}")
        if named or hasattr(found, "runner"):
            yield keeper_of(found, store.home, say)


def _keeper(where: str, provider: str, home: Path, say: Say) -> Keeper:
    return keeper_of(target.provider(where, provider), home, say)


def _status(record: Deployment, store: Store, now: str) -> dict[str, Any]:
    keeper = keeper_for(record, store.home)
    record = _located(record, store, keeper)
    found = keeper.found(record.name)
    state, awake = _state(record, store, keeper, found)
    up = state in ("starting", "healthy", "unhealthy")
    memory = getattr(keeper, "gpu_memory_mib", None)
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
        **_used(record, store, healthy=state == "healthy" and not isinstance(keeper, Teller)),
        "usd_per_hour": None if record.usd_per_hour is None else float(record.usd_per_hour),
        "cost_so_far_usd": None if isinstance(keeper, Teller) else _cost(record, now),
        "expires_at": record.expires_at,
        **_told(keeper, record, now),
        "resources": [dict(r) for r in found],
    }


def _told(keeper: Keeper, record: Deployment, now: str) -> dict[str, Any]:
    """What the cloud knows better than the record: how long its machines ran, when they were last used."""
    if not record.launched:
        return {}
    from deployer.cloud.runner import CloudKeeper
    from deployer.reaper import lifetime

    if not isinstance(keeper, CloudKeeper):
        return {}

    clients, at = keeper.clients(record.name), datetime.fromisoformat(now).timestamp()
    told = lifetime.glance(clients, record, keeper.things(record.name).found(), at)
    return {
        "idle_since": told.idle_since,
        "cost_so_far_usd": None if told.cost_usd is None else round(float(told.cost_usd), 6),
        "expires_at": told.expires_at or record.expires_at,
    }


def _state(
    record: Deployment, store: Store, keeper: Keeper, found: Sequence[Mapping[str, str]]
) -> tuple[str, bool | None]:
    """Say how it is, and whether it is awake, which is told of what sleeps by itself alone.

    What should be there and is not has failed; what is there and rests is stopped. What sleeps by itself is not
    asked: that would wake it.
    """
    if isinstance(keeper, Teller):
        return keeper.told(record)
    if not keeper.alive(record.name):
        return ("stopped" if found else "failed"), None
    if record.endpoint and answering.healthy(record, store):
        return "healthy", None
    return ("starting" if record.ready_at is None else "unhealthy"), None


def _used(record: Deployment, store: Store, *, healthy: bool) -> dict[str, Any]:
    """Ask the engine what it has done; what it does not count is None."""
    names = COUNTED.get(record.engine)
    figures: Mapping[str, float] = {}
    if healthy and names:
        figures = openai_http.metrics(answering.endpoint_of(record, store))
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
