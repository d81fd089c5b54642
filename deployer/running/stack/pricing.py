"""The plan's own pricing, for what an engine would change and for what is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.domain import Plan

if TYPE_CHECKING:
    from deployer.running.stack.changes import Price


def price_of(plan: Plan, home: Path, provider: Any) -> Price:
    """Return what prices resources as the plan did. The plan must be feasible."""
    from deployer.planning import catalog, cost

    rates = catalog.load(home / "catalog")
    pricing = provider.pricing
    assert plan.usage is not None  # noqa: S101 - a feasible plan is priced
    usage, region = plan.usage, plan.inputs["region"]
    return lambda resources: cost.estimate(
        resources, rates=rates, usage=usage, region=region, pricing=pricing
    )
