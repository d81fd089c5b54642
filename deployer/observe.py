"""See what there is now, and take it down. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer import openai_http, target
from deployer.engines import engine
from deployer.errors import DeployerError
from deployer.openai_http import Endpoint
from deployer.state import Deployment, Store
from deployer.target import Runner

SECONDS_PER_HOUR = 3600
OUTPUT_TOKENS = {"llama.cpp": "llamacpp:tokens_predicted_total"}
"""The metric that counts output tokens since the engine's start, by engine. llama.cpp counts no requests."""


def status(home: Path, names: Sequence[str] | None, now: str) -> dict[str, Any]:
    """Return the status document: of the named deployments, or of all.

    Raises:
        UsageError: there is no deployment of a name.
    """
    store = Store(home)
    records = [store.get(name) for name in names or store.names()]
    return {"deployments": [_status(record, store, now) for record in records]}


def runner_for(record: Deployment, home: Path) -> Runner:
    """Return the runner of a deployment's provider.

    Raises:
        UsageError: the provider's file is gone.
    """
    return _runner(record.target, record.provider, home)


def down(home: Path, name: str) -> dict[str, Any]:
    """Remove a deployment and everything that belongs to it; return what was removed and what is left.

    Nothing there is not an error. What is left keeps its record, so that it is not lost from sight.

    Raises:
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        removed: list[Mapping[str, str]] = []
        left: list[Mapping[str, str]] = []
        for runner in _runners_of(name, store):
            removed += runner.stop(name)
            left += runner.found(name)
        if not left:
            store.forget(name)
    return {
        "deployment": name,
        "removed": [{"type": r["type"], "id": r["id"]} for r in removed],
        "remaining": [
            {"type": r["type"], "id": r["id"], "why": "it did not end when it was told to"}
            for r in left
        ],
    }


def _runners_of(name: str, store: Store) -> Iterator[Runner]:
    """The runner that the record names; without a readable record, every runner there is."""
    try:
        record = store.load(name)
    except DeployerError:
        record = None
    if record is not None:
        yield runner_for(record, store.home)
        return
    for where, provider in target.every_provider():
        if hasattr(target.provider(where, provider), "runner"):
            yield _runner(where, provider, store.home)


def _runner(where: str, provider: str, home: Path) -> Runner:
    runner: Runner = target.provider(where, provider).runner(home)  # type: ignore[attr-defined]
    return runner


def _status(record: Deployment, store: Store, now: str) -> dict[str, Any]:
    runner = runner_for(record, store.home)
    found = runner.found(record.name)
    state = _state(record, runner, found)
    tokens = _output_tokens(record, store) if state == "healthy" else None
    return {
        "name": record.name,
        "target": record.target,
        "provider": record.provider,
        "state": state,
        "endpoint": record.endpoint,
        "started_at": record.started_at,
        "idle_since": None,
        "requests": None,
        "output_tokens": tokens,
        "usd_per_hour": None if record.usd_per_hour is None else float(record.usd_per_hour),
        "cost_so_far_usd": _cost(record, now),
        "expires_at": record.expires_at,
        "resources": [dict(r) for r in found],
    }


def _state(record: Deployment, runner: Runner, found: Sequence[Mapping[str, str]]) -> str:
    """Say how it is. What should be there and is not has failed; what is there and rests is stopped."""
    if not runner.alive(record.name):
        return "stopped" if found else "failed"
    if record.endpoint and openai_http.healthy(
        Endpoint(record.endpoint, ""), engine(record.engine).health_path
    ):
        return "healthy"
    return "starting" if record.ready_at is None else "unhealthy"


def _output_tokens(record: Deployment, store: Store) -> int | None:
    metric = OUTPUT_TOKENS.get(record.engine, "")
    counted = openai_http.metrics(Endpoint(record.endpoint or "", store.key(record.name)))
    return int(counted[metric]) if metric in counted else None


def _cost(record: Deployment, now: str) -> float | None:
    """What it has cost since its start, at its price per hour while it runs."""
    if record.usd_per_hour is None:
        return None
    age = datetime.fromisoformat(now) - datetime.fromisoformat(record.started_at)
    hours = Decimal(age.total_seconds()) / SECONDS_PER_HOUR
    return round(float(hours * Decimal(record.usd_per_hour)), 6)
