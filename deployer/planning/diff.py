"""A plan beside what is deployed: what it would change, and whether that has moved since. Pure.

What is deployed is what the record of the last `up` that came to its end says: no engine and no cloud is asked.
What really exists is told by `deployer.workflows.drift`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any, Literal

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan, Resource

MAKING = ("create", "replace", "delete")
"""What must be in a plan before it is done: an update of what stays is shown when it is made."""


def fingerprint(record: Deployment | None) -> str | None:
    """Return what stands for a deployment's state in a plan: another one after each `up`; None: not deployed."""
    if record is None:
        return None
    told = asdict(record)
    parts = ("spec_digest", "started_at", "planned", "region")
    made = sorted((one["type"], one["id"]) for one in record.resources)
    text = json.dumps([*(told[part] for part in parts), made], sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()


def beside(plan: Plan, record: Deployment, replaced_for: Mapping[str, Iterable[str]]) -> Plan:
    """Return the plan with what it would do to each resource of a record, and to those it no longer has.

    Args:
        plan: what would exist.
        record: what is deployed.
        replaced_for: by resource type, the properties for which a resource is made anew.
    """
    before = {(one["type"], one["name"]): one["inputs"] for one in record.planned}
    moved = plan.offer is not None and record.region != plan.offer.region
    mine = [
        replace(one, action=_action(one, before.pop((one.type, one.name), None), replaced_for))
        for one in plan.resources
    ]
    if moved:
        mine = [replace(one, action="replace") for one in mine]
    gone = (Resource(kind, name, inputs, "delete") for (kind, name), inputs in before.items())
    return replace(plan, resources=(*mine, *gone))


Action = Literal["create", "update", "replace", "delete", "same"]


def _action(
    one: Resource, before: Mapping[str, Any] | None, replaced_for: Mapping[str, Iterable[str]]
) -> Action:
    if before is None:
        return "create"
    now = json.loads(json.dumps(one.inputs))  # as the record gives it back
    differs = {key for key in {*now, *before} if now.get(key) != before.get(key)}
    if not differs:
        return "same"
    return "replace" if differs & set(replaced_for.get(one.type, ())) else "update"


def unforeseen(
    saved: Mapping[str, Any], target: str, doing: Iterable[tuple[str, str, str]]
) -> Sequence[str]:
    """Name what would be done and a saved plan's document does not say: it was made for another state.

    `doing` is type, name and action of each change.
    """
    said = {
        (one["type"], one["name"]): one["action"]
        for plan in saved["plans"]
        if plan["target"] == target
        for one in plan["resources"]
    }
    return list(_others(said, doing))


def _others(
    said: Mapping[tuple[str, str], str], doing: Iterable[tuple[str, str, str]]
) -> Iterator[str]:
    for kind, name, action in doing:
        foreseen = said.get((kind, name))
        if action in MAKING and action != foreseen:
            yield f"{action} {name}"
