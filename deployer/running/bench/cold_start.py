"""A cold start: stop a deployment, start it as it was planned, and wait for its first answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.bench import ColdStart
from deployer.core.errors import RemoteError, UsageError
from deployer.providers import registry
from deployer.providers.managers import Runner, Say
from deployer.running import lookup, openai_client
from deployer.running.bench.endpoints import Subject, of_deployment
from deployer.running.bench.probe import failure
from deployer.running.bench.samples import Sample
from deployer.running.bench.sse_client import ask, body_of, client_of
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store

LOOK_S = 0.05
"""Between two looks at its health: what a measured start is too long by, at most."""


def start_cold(
    home: Path, name: str, say: Say, now: Callable[[], str], limit_s: float
) -> tuple[ColdStart, Subject]:
    """Stop a deployment and start it again; return how long that took, and it as a subject.

    Requests that it is answering are lost. Files that the system has read before may still be in memory.

    Raises:
        RemoteError: it did not come back; what was started of it stays, for its log to be read.
        StaleError: another process is working on it.
        UsageError: it does not run on this machine.
    """
    store = Store(home)
    of_deployment(store, name)
    with store.lock(name):
        record = store.get(name)
        runner = _runner(record, home)
        say(f"{name}: stopping it, then starting it again")
        runner.stop(name)
        began, started_at = time.monotonic(), now()
        store.save(replace(record, started_at=started_at, ready_at=None, resources=()))
        url = runner.start(name, record.planned, say)
        record = replace(record, endpoint=url, started_at=started_at, ready_at=None)
        store.save(record)
        _await(record, runner, Endpoint(url, store.key(name)), began + limit_s)
        subject = of_deployment(store, name)
        took = asyncio.run(_first_answer(subject, limit_s)) - began
        found = tuple(runner.found(name))
        store.save(replace(record, ready_at=now(), resources=found))
    return ColdStart(name, took), subject


def _runner(record: Deployment, home: Path) -> Runner:
    where = registry.provider(record.target, record.provider)
    if where.applied_by_pulumi:
        raise UsageError(
            f"--cold restarts deployments on this machine; {record.name} runs elsewhere",
            hint="leave out --cold, or measure its start with 'deployer up'",
        )
    return lookup.runner_of(where, home)


def _await(record: Deployment, runner: Runner, endpoint: Endpoint, until: float) -> None:
    path = registry.engine_of(record.target, record.provider, record.engine).health_path
    while not openai_client.healthy(endpoint, path):
        if not runner.alive(record.name) or time.monotonic() > until:
            raise RemoteError(
                f"{record.name} did not come back after it was stopped",
                hint=f"see 'deployer logs {record.name}', then run 'deployer up' again",
            )
        time.sleep(LOOK_S)


async def _first_answer(subject: Subject, limit_s: float) -> float:
    """Return when the first piece of an answer came, by the monotonic clock."""
    body = body_of(subject.model, "Say hello.", usage=False, extra={"max_tokens": 1})
    async with client_of(subject.endpoint, limit_s) as client:
        sample: Sample = await ask(client, subject.endpoint, body)
    if sample.error and sample.error != "empty answer":
        raise failure(subject, sample)
    took = sample.ended if sample.first is None else sample.first
    return time.monotonic() - (time.perf_counter() - took)
