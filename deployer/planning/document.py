"""Plans as the document that scripts rely on (`deployer plan --json`), and a saved one held against a new plan. Pure.

No secret is in a plan to begin with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from deployer.core.documents.base import FileDigest, SpecIdentity, Verbatim, plain
from deployer.core.documents.bill import BillItem
from deployer.core.documents.plan import (
    Alternative,
    Cost,
    PlanDocument,
    PlannedResource,
    TargetPlan,
)
from deployer.core.domain import Alternative as Weighed
from deployer.core.domain import Estimate, Plan, Resource


def document(plans: Sequence[Plan], generated_at: str) -> PlanDocument:
    """Return the document of one or more plans of one spec."""
    first = plans[0]
    return PlanDocument(
        spec=SpecIdentity(name=first.spec_name, digest=first.spec_digest),
        generated_at=generated_at,
        plans=tuple(map(_plan, plans)),
    )


def _plan(plan: Plan) -> TargetPlan:
    return TargetPlan(
        deployment=plan.deployment,
        target=plan.target,
        provider=plan.provider,
        feasible=plan.feasible,
        reasons=plan.reasons,
        model=plan.model,
        sizing=plan.sizing,
        offer=plan.offer,
        alternatives=tuple(map(_alternative, plan.alternatives)),
        resources=tuple(map(_resource, plan.resources)),
        deployed=plan.deployed,
        files=tuple(FileDigest(path, sha256) for path, sha256 in plan.files),
        cost=_cost(plan.cost) if plan.cost else None,
        policy=plan.policy,
        warnings=plan.warnings,
        defaults=Verbatim(plan.defaults),
    )


def _alternative(other: Weighed) -> Alternative:
    offer = {field.name: getattr(other.offer, field.name) for field in fields(other.offer)}
    return Alternative(
        **offer,
        fit=other.sizing.fit,
        quantization=other.sizing.quantization,
        monthly_usd=other.monthly_usd,
    )


def _resource(one: Resource) -> PlannedResource:
    return PlannedResource(
        type=one.type, name=one.name, action=one.action, inputs=Verbatim(one.inputs)
    )


def _cost(cost: Estimate) -> Cost:
    return Cost(
        hourly_usd=cost.hourly_usd,
        monthly_usd=cost.monthly_usd,
        monthly_usd_range=cost.monthly_range,
        idle_hourly_usd=cost.idle_hourly_usd,
        usd_per_1m_tokens=cost.usd_per_1m_tokens,
        items=tuple(map(BillItem.of, cost.items)),
        unpriced=cost.unpriced,
    )


def moved(saved: Any, plan: Plan) -> tuple[str, ...]:
    """Name what differs between a saved document and the plan as it is made now; nothing: the same.

    `saved` is what a file of the user's holds: what is not a plan of this spec and target differs in everything.
    """
    if not isinstance(saved, Mapping) or not isinstance(saved.get("plans"), list):
        return ("the document itself",)
    if saved.get("spec") != {"name": plan.spec_name, "digest": plan.spec_digest}:
        return ("the spec",)
    mine = next(
        (p for p in saved["plans"] if isinstance(p, Mapping) and p.get("target") == plan.target),
        None,
    )
    if mine is None:
        return (f"the target (the file has no plan for {plan.target})",)
    current = _settled(json.loads(json.dumps(plain(_plan(plan)))))  # as a file would give it back
    mine = _settled(mine)
    # warnings only talk, and of the age of prices they talk differently every day
    return tuple(key for key in current if key != "warnings" and current[key] != mine.get(key))


def _settled(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plan without what would be done to each resource: `deployed` stands for what that depends on."""
    rows = plan.get("resources")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return plan
    kept = [row for row in rows if row.get("action") != "delete"]
    return {**plan, "resources": [{**row, "action": ""} for row in kept]}
