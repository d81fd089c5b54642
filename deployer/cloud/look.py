"""Ask the engine, without changing anything, what `up` would do now: to what really exists, not to what was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployer.cloud import preflight, recovery
from deployer.cloud.pricing import price_of
from deployer.cloud.runner import CloudKeeper
from deployer.cloud.stack_state import zones_to_try
from deployer.state import Store
from deployer.target import Say
from deployer.words import Plan

if TYPE_CHECKING:
    from deployer.cloud.changes import Changes
    from deployer.cloud.engine import Engine


def look(plan: Plan, store: Store, provider: Any, say: Say) -> Changes:
    """Preview a deployed plan with what exists in the cloud.

    Raises:
        PrerequisiteError: engine, credentials, permission or network are missing.
        EngineError: the engine failed.
    """
    from deployer.cloud.changes import Collector
    from deployer.cloud.progress import Progress

    engine = _opened(plan, store, provider, say)
    seen, told = Collector(), Progress(lambda _: None)

    def every(event: Any) -> None:
        seen(event)
        told(event)

    recovery.guarded(plan.deployment, lambda: engine.preview(every, refresh=True), told.errors)
    return seen.changes(price_of(plan, store.home, provider))


def _opened(plan: Plan, store: Store, provider: Any, say: Say) -> Engine:
    from deployer.cloud import engine, pulumi_cli, settings
    from deployer.cloud.config import config_of, program_of

    at = settings.settings(store.home, plan.deployment, plan.options.get("state"))
    clients = CloudKeeper(provider, store.home, say).clients(plan.deployment, plan.inputs["region"])
    _, owner = preflight.identity(clients)
    config = config_of(plan, store, owner)
    opened = engine.opened(pulumi_cli.find(say), at, program_of(provider, plan.inputs, config), say)
    zones = preflight.zones_of(clients, plan.inputs["instance_type"])
    config.plain["zones"] = ",".join(zones)
    config.plain["zone"] = zones_to_try(opened.state(), zones)[0]
    return opened
