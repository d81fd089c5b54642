"""The record of a plan that is about to be applied. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.planning.measured import Served


def planned(plan: Plan) -> list[Mapping[str, Any]]:
    """A plan's resources as plain data, as the record keeps them; what it removes is none."""
    kept = (asdict(r) for r in plan.resources if r.action != "delete")
    plain = [{k: v for k, v in r.items() if k != "action"} for r in kept]
    read_back: list[Mapping[str, Any]] = json.loads(json.dumps(plain))
    return read_back


def new_record(plan: Plan, started_at: str) -> Deployment:
    """The record of a plan that is about to be applied."""
    hourly = plan.cost.hourly_usd if plan.cost else None
    resting = plan.cost.idle_hourly_usd if plan.cost else None
    return Deployment(
        name=plan.deployment,
        spec_name=plan.spec_name,
        spec_digest=plan.spec_digest,
        target=plan.target,
        provider=plan.provider,
        engine=plan.sizing.engine if plan.sizing else "unknown",
        model=plan.spec_name,
        started_at=started_at,
        planned=planned(plan),
        usd_per_hour=None if hourly is None else str(hourly),
        usd_per_hour_idle=None if resting is None else str(resting),
        region=plan.offer.region if plan.offer else None,
        state=plan.options.get("state"),
        served=_served(plan),
        unkept=plan.unkept,
    )


def _served(plan: Plan) -> dict[str, Any]:
    """What measurements of it will be of, and the load that is asked of it."""
    if plan.sizing is None or plan.offer is None:
        return {}
    sizing = plan.sizing
    return asdict(Served.by(plan.model, sizing, plan.offer)) | {
        "context": sizing.context,
        "concurrency": sizing.concurrency,
        "input_tokens": sizing.input_tokens,
        "output_tokens": sizing.output_tokens,
    }
