"""The ways to serve a spec that are compared: each target's own plan, and the best alternatives. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from deployer.core.domain import Alternative, Estimate, Offer, Plan, Sizing
from deployer.core.records import dataclass
from deployer.planning.capacity import allowed
from deployer.planning.compare.bill import Pricing, Ran, estimate
from deployer.planning.compare.service_rate import Measured, Serving, serving
from deployer.planning.compare.shapes import Shapes
from deployer.planning.traffic.demand import Demand
from deployer.providers.registry import provider
from deployer.spec import Spec

OTHERS = 2
"""How many alternatives of each target are compared."""


@dataclass(frozen=True)
class Asked:
    """All that a comparison depends on.

    `as_planned`: the demand is the spec's own, which the plans were priced for, so that a plan's bill is the answer
    where its copies carry the demand.
    """

    spec: Spec
    plans: tuple[Plan, ...]
    demand: Demand
    pricing: Mapping[str, Pricing]  # by target
    privacy: Mapping[str, str]  # by target: where the data goes, in the provider's own words
    shapes: Shapes = field(default_factory=Shapes)
    as_planned: bool = False


@dataclass(frozen=True)
class Way:
    """One way to serve: a plan, or a plan with other hardware in it, or one that stops when idle.

    `gone`: while nobody uses it the machine does not exist.
    """

    plan: Plan
    variant: str = ""
    sizing: Sizing | None = None
    offer: Offer | None = None
    stops: bool = False
    gone: bool = False

    @property
    def measured(self) -> Measured | None:
        """What was measured of its speed; None where that is estimated or unknown."""
        return Measured.of(self.sizing)

    def serving(self, asked: Asked, demand: Demand) -> Serving | None:
        """Return how it serves a demand; None where there is no plan."""
        if self.sizing is None or self.plan.cost is None:
            return None
        return serving(asked.spec, self.plan, self.sizing, demand, stops=self.stops)

    def price(self, asked: Asked, demand: Demand, ran: Ran) -> Estimate:
        """Price what a simulation ran: the plan's own bill where that is what it was made for.

        Of a fleet that follows the traffic the plan has a range, from the fewest machines to the most; here those that ran.
        """
        plan = self.plan
        planned = asked.as_planned and not self.variant and demand is asked.demand
        most = allowed(asked.spec, plan.target)
        follows = most > max(1, asked.spec.serve.replicas.min) and not ran.sleeps
        if planned and plan.cost and not follows and ran.copies[1] <= most:
            return plan.cost
        shape = asked.shapes.of(plan, ran, gone=self.gone)
        return estimate(plan, demand, ran, self._pricing(asked), shape)[0]

    def _pricing(self, asked: Asked) -> Pricing:
        pricing = asked.pricing[self.plan.target]
        if not self.variant:
            return pricing
        return Pricing(pricing.rates, provider(self.plan.target, self.plan.provider).pricing)


def own_way(plan: Plan) -> Way:
    """Return a plan as it is."""
    return Way(plan, "", plan.sizing, plan.offer)


def other_ways(asked: Asked, plan: Plan) -> Iterator[Way]:
    """The best alternatives of a plan: stopped when idle, and other hardware."""
    own = own_way(plan)
    if plan.cost is None:
        return
    idle = asked.spec.policy.idle
    if plan.target == "cloud-gpu" and idle.action != "none":
        done = {"stop": "stopped", "destroy": "destroyed"}[idle.action]
        after = f"{done} after {idle.after / 60:g} min idle; 'deployer up' starts it again"
        yield replace(own, variant=after, stops=True, gone=idle.action == "destroy")
    priced = [a for a in plan.alternatives if a.monthly_usd is not None]
    yield from (_other(own, a) for a in priced[:OTHERS])


def _other(own: Way, other: Alternative) -> Way:
    name = f"{other.offer.instance_type} as {other.sizing.quantization}"
    plan = replace(
        own.plan,
        provider=other.offer.provider,
        sizing=other.sizing,
        offer=other.offer,
        order=other.order,
        inputs=other.inputs,
        resources=other.resources,
    )
    return Way(plan, name, other.sizing, other.offer)
