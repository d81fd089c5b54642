"""A plan as the JSON document that scripts rely on (`deployer plan --json`). Pure.

Money and sizes are JSON numbers; what is not known is null, never 0. No secret is in a plan to begin with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from deployer.core.domain import HOURS_PER_MONTH, Alternative, Estimate, Item, Offer, Plan, Sizing

RUNNING_KINDS = {"running": "fixed", "exists": "fixed", "used": "usage"}


def document(plans: Sequence[Plan], generated_at: str) -> dict[str, Any]:
    """Return the document of one or more plans of one spec."""
    first = plans[0]
    return {
        "spec": {"name": first.spec_name, "digest": first.spec_digest},
        "generated_at": generated_at,
        "plans": [_plan(plan) for plan in plans],
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "deployment": plan.deployment,
        "target": plan.target,
        "provider": plan.provider,
        "feasible": plan.feasible,
        "reasons": list(plan.reasons),
        "model": number(asdict(plan.model)),
        "sizing": _sizing(plan.sizing) if plan.sizing else None,
        "offer": offer_document(plan.offer) if plan.offer else None,
        "alternatives": [_alternative(a) for a in plan.alternatives],
        "resources": [
            {"type": r.type, "name": r.name, "action": r.action, "inputs": r.inputs}
            for r in plan.resources
        ],
        "deployed": plan.deployed,
        "files": [{"path": path, "sha256": sha} for path, sha in plan.files],
        "cost": _cost(plan.cost) if plan.cost else None,
        "policy": [asdict(verdict) for verdict in plan.policy],
        "warnings": list(plan.warnings),
        "defaults": dict(plan.defaults),
    }


def _sizing(sizing: Sizing) -> dict[str, Any]:
    return {key: number(value) for key, value in asdict(sizing).items()}


def offer_document(offer: Offer) -> dict[str, Any]:
    """Return an offer as part of a document."""
    return {key: number(value) for key, value in asdict(offer).items()}


def _alternative(other: Alternative) -> dict[str, Any]:
    return offer_document(other.offer) | {
        "fit": other.sizing.fit,
        "quantization": other.sizing.quantization,
        "monthly_usd": _money(other.monthly_usd),
    }


def _cost(cost: Estimate) -> dict[str, Any]:
    return {
        "currency": "USD",
        "hours_per_month": HOURS_PER_MONTH,
        "hourly_usd": _money(cost.hourly_usd),
        "monthly_usd": _money(cost.monthly_usd),
        "monthly_usd_range": _pair(cost.monthly_range),
        "idle_hourly_usd": _money(cost.idle_hourly_usd),
        "usd_per_1m_tokens": _pair(cost.usd_per_1m_tokens),
        "items": [item_document(item) for item in cost.items],
        "unpriced": list(cost.unpriced),
    }


def item_document(item: Item) -> dict[str, Any]:
    """Return one line of a bill as part of a document."""
    return {
        "resource": item.resource,
        "component": item.component,
        "quantity": number(item.quantity),
        "unit": item.unit,
        "unit_price_usd": number(item.unit_price_usd),
        "monthly_usd": _money(item.monthly_usd),
        "monthly_usd_range": _pair(item.monthly_range),
        "kind": RUNNING_KINDS[item.when],
        "when": item.when,
        "basis": item.basis,
        "source": item.source,
        "as_of": item.as_of,
    }


def _pair(pair: tuple[Decimal, Decimal] | None) -> list[float | None] | None:
    return None if pair is None else [_money(pair[0]), _money(pair[1])]


def _money(amount: Decimal | None) -> float | None:
    """Round to a millionth of a dollar: what an hour of a disk costs is still seen."""
    return None if amount is None else round(float(amount), 6)


def number(value: Any) -> Any:
    """Return figures as JSON has them, rounded to a millionth; lists and mappings likewise."""
    if isinstance(value, Decimal | float):
        return round(float(value), 6)
    if isinstance(value, tuple | list):
        return [number(v) for v in value]
    return {k: number(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def moved(saved: Mapping[str, Any], plan: Plan) -> tuple[str, ...]:
    """Name what differs between a saved document and the plan as it is made now; nothing: the same.

    `saved` may hold anything: what is no plan of this spec and target differs in everything.
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
        return (f"the target (it has no plan for {plan.target})",)
    current = _settled(json.loads(json.dumps(_plan(plan))))  # as a file would give it back
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
