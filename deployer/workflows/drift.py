"""What became of a deployment since its last `up`: asked of Pulumi, which asks the cloud. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.domain import Plan, Resource
from deployer.providers.managers import Say
from deployer.providers.registry import provider
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.changes import Changes


def refreshed(plan: Plan, home: Path, say: Say) -> Plan:
    """Return a plan with what `up` would do now, and with notes of what is not as the last `up` left it.

    A plan of what is not deployed, or is not applied by an engine, comes back as it is.

    Raises:
        PrerequisiteError: engine, credentials, permission or network are missing.
        RemoteError: Pulumi failed.
    """
    from deployer.running.stack.preview import look

    store, where = Store(home), provider(plan.target, plan.provider)
    if plan.deployed is None or not plan.feasible or not where.applied_by_pulumi:
        return plan
    changes = look(plan, store, where, say)
    return replace(
        plan,
        resources=tuple(_with_actions(plan, changes)),
        warnings=(*plan.warnings, *_notes(plan, changes)),
    )


def _with_actions(plan: Plan, changes: Changes) -> Iterator[Resource]:
    actions = {(one.type, one.name): one.action for one in changes.every}
    for one in plan.resources:
        action = actions.pop((one.type, one.name), None)
        if one.action != "delete" or action is not None:
            yield replace(one, action=action or "same")
    for (kind, name), action in actions.items():
        yield Resource(kind, name, {}, action)


def _notes(plan: Plan, changes: Changes) -> Iterator[str]:
    """What is to be done to what the plan leaves as it was made: somebody else has been there."""
    kept = {(one.type, one.name) for one in plan.resources if one.action == "same"}
    for one in changes.real:
        if (one.type, one.name) in kept:
            what = "removed" if one.action == "create" else "changed"
            yield f"{one.name} was {what} by somebody since the last 'up'"
