"""One row of the table: a plan, simulated and priced. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.domain import Estimate, Plan
from deployer.planning.compare import cells
from deployer.planning.compare.bill import owned
from deployer.planning.compare.options import Asked, Way
from deployer.planning.compare.result import Row
from deployer.planning.compare.week import typical
from deployer.planning.policy import judge
from deployer.planning.traffic.demand import Demand
from deployer.providers.regions import Region


def row(asked: Asked, way: Way, demand: Demand) -> Row:
    """Simulate and price one way to serve."""
    plan = way.plan
    how = way.serving(asked, demand)
    ran = how.run(demand) if how else None
    bill = way.price(asked, demand, ran) if ran else None
    broken = (*plan.reasons, *_over(asked, plan, bill))
    return Row(
        target=plan.target,
        provider=plan.provider,
        variant=way.variant,
        feasible=plan.feasible and not broken,
        reasons=broken,
        offer=way.offer,
        cells={
            **cells.hardware(way),
            **cells.costs(bill, plan, ran),
            **cells.capacity(way, asked, how, ran),
            **cells.words(asked, plan),
        },
        items=bill.items if bill else (),
        unpriced=bill.unpriced if bill else (),
        simulation=ran.slow if ran else None,
        week=typical(ran.slow) if ran else (),
        owned=any(map(owned, plan.resources)),
    )


def _over(asked: Asked, plan: Plan, bill: Estimate | None) -> Iterator[str]:
    """Say that the budget which one copy keeps is broken by the copies that the traffic asks for."""
    if bill is None or not plan.feasible:
        return
    place = Region(plan.offer.region) if plan.offer and plan.offer.region else None
    verdicts = judge(asked.spec.policy, plan.target, place, bill)
    yield from (v.detail for v in verdicts if v.rule == "budget" and not v.ok)
