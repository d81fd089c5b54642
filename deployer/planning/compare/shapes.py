"""What a plan's program makes of one copy, and of a fleet of two: what several copies are priced from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from deployer.core.domain import Plan, Resource
from deployer.core.order import Order
from deployer.planning.alternatives import Collect, unnamed
from deployer.planning.compare.bill import Ran, Shape
from deployer.providers.registry import provider

TWO = {"min": 2, "max": 2}
ONE = {"min": 1, "max": 1}


@dataclass
class Shapes:
    """Runs each program at most once for each piece of hardware; without `collect` one copy stands for all.

    What a plan that is a fleet itself has besides (what scales it by load) stays as the plan has it.
    """

    collect: Collect | None = None
    known: dict[tuple[str, ...], Sequence[Resource] | None] = field(default_factory=dict)

    def of(self, plan: Plan, ran: Ran, *, gone: bool = False) -> Shape:
        """Return the shape for the copies that ran."""
        allowed: Mapping[str, Any] = plan.order.get("replicas") or ONE
        if ran.sleeps or (ran.copies[1] == 1 and allowed["max"] == 1):
            return Shape(plan.resources, gone=gone)
        fleet = self._fleet(plan)
        return Shape(plan.resources, gone=gone) if fleet is None else Shape(fleet, 2, gone)

    def _fleet(self, plan: Plan) -> Sequence[Resource] | None:
        """The resources of two copies; None where the program makes one, however many are asked for."""
        if self.collect is None or plan.target == "local" or not plan.order or plan.offer is None:
            return None
        key = (plan.target, plan.provider, plan.offer.instance_type, plan.offer.billing)
        if key not in self.known:
            where = provider(plan.target, plan.provider)
            several, alone = (
                where.inputs(unnamed(cast("Order", {**plan.order, "replicas": count})))
                for count in (TWO, ONE)
            )
            fleet = where.program is not None and several != alone
            self.known[key] = self.collect(where, several) if fleet else None
        made = self.known[key]
        if made is None or plan.order["replicas"]["max"] == 1:
            return made
        known = {(one.type, one.name) for one in made}
        return [*made, *(one for one in plan.resources if (one.type, one.name) not in known)]
