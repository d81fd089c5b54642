"""Ask Pulumi, without changing anything, what `up` would do now: to what really exists, not to what was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployer.core.domain import Plan
from deployer.providers.managers import Say
from deployer.running.stack import recovery
from deployer.running.stack.driver import driver_of
from deployer.running.stack.pricing import price_of
from deployer.running.stack.request import ApplyRequest
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.changes import Changes
    from deployer.running.stack.engine import Engine


def look(plan: Plan, store: Store, provider: Any, say: Say) -> Changes:
    """Preview a deployed plan with what exists in the cloud.

    Raises:
        PrerequisiteError: engine, credentials, permission or network are missing.
        RemoteError: Pulumi failed.
    """
    from deployer.running.stack.changes import Collector
    from deployer.running.stack.progress import Progress

    engine = _opened(plan, store, provider, say)
    seen, told = Collector(), Progress(lambda _: None, provider.program)

    def every(event: Any) -> None:
        seen(event)
        told(event)

    recovery.guarded(
        plan.deployment,
        lambda: engine.preview(every, refresh=True),
        told.errors,
        provider.explain,
    )
    return seen.changes(price_of(plan, store.home, provider))


def _opened(plan: Plan, store: Store, provider: Any, say: Say) -> Engine:
    from deployer.running.stack import engine, pulumi_cli, stamps
    from deployer.running.stack.config import program_of

    driver = driver_of(ApplyRequest(plan, store, provider, say))
    config = driver.preflight()
    record = store.load(plan.deployment)
    at = stamps.at(store, plan.deployment, plan.options.get("state"), record)
    config.plain |= stamps.stamps(at, store, record.owner if record else None)
    opened = engine.opened(pulumi_cli.find(say), at, program_of(provider, plan.inputs, config), say)
    driver.select_zone(opened.state(), config)
    return opened
