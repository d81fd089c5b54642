"""The other hardware that holds the model, priced as if it had been chosen: by the same program and rules. Pure.

The program is run for what differs in more than the name of the type and what no price depends on: with the same
disks the resources cost the same but for that name, which is put in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from deployer.core.domain import Alternative, Resource
from deployer.core.order import Order
from deployer.planning import cost, monthly_usage
from deployer.planning.choose import Candidate, Choice, with_speed
from deployer.providers.api import Provider

MOST = 10
"""How many are named, those whose hardware is cheapest."""
THE_TYPE = "\0type"
"""Stands for the name of the type; no name can hold it."""

Collect = Callable[[Provider, Mapping[str, Any]], Sequence[Resource]]
"""Says what a provider would make of its inputs (`deployer.running.stack.offline.resources_of`)."""
Ordered = Callable[[Candidate], Order]
"""Says what a provider is handed of a candidate (`deployer.planning.plan.order_of`)."""


@dataclass
class Programs:
    """What providers would make of orders, each program run once for what is the same but for the type's name."""

    collect: Collect
    known: dict[str, Sequence[Resource]] = field(default_factory=dict)

    def resources(
        self, provider: Provider, inputs: Mapping[str, Any], kind: str
    ) -> tuple[Resource, ...]:
        """Say what would exist; `kind` is the name of the type."""
        unpriced = provider.program.unpriced if provider.program else ()
        told = {name: value for name, value in inputs.items() if name not in unpriced}
        key = f"{provider.name} {_renamed(told, kind, THE_TYPE)}"
        if key not in self.known:
            made = self.collect(provider, inputs)
            self.known[key] = tuple(_with_type(one, kind, THE_TYPE) for one in made)
        return tuple(_with_type(one, THE_TYPE, kind) for one in self.known[key])


def unnamed(order: Order) -> Order:
    """Return an order without what no price depends on: specs that cost the same are run once."""
    nameless = {"deployment": "other", "spec_name": "other", "digest": "0" * 64, "files": {}}
    return cast("Order", {**order, **nameless})


def _with_type(one: Resource, before: str, after: str) -> Resource:
    return Resource(one.type, one.name, _renamed(one.inputs, before, after), one.action)


def _renamed(value: Any, before: str, after: str) -> Any:
    """The same plain data with one text in the place of another, wherever it stands alone."""
    if isinstance(value, Mapping):
        return {key: _renamed(held, before, after) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(held, before, after) for held in value]
    return after if value == before and isinstance(value, str) else value


def alternatives(
    choice: Choice, order: Ordered, collect: Collect, prices: cost.Rates, most: int = MOST
) -> tuple[Alternative, ...]:
    """The other offers that hold the model, cheapest first, each in its best format."""
    programs = Programs(collect)
    made = [_priced(choice, one, order, programs, prices) for one in _others(choice.ranked, most)]
    far = Decimal("Infinity")
    made.sort(key=lambda one: far if one.monthly_usd is None else one.monthly_usd)
    return tuple(made)


def _others(found: Sequence[Candidate], most: int) -> list[Candidate]:
    """One candidate of each other offer, those whose hardware is cheapest."""
    first: dict[tuple[str, str, str], Candidate] = {}
    for other in found:
        if other.holds and other.offer != found[0].offer:
            key = (other.offer.provider, other.offer.instance_type, other.offer.billing)
            first.setdefault(key, other)
    far = Decimal("Infinity")
    ranked = sorted(first.values(), key=lambda c: far if c.monthly_usd is None else c.monthly_usd)
    return ranked[:most]


def _priced(
    choice: Choice, slow: Candidate, order: Ordered, programs: Programs, prices: cost.Rates
) -> Alternative:
    other = with_speed(choice.question, slow)
    given: Order = {**order(other), "files": {}}
    inputs = other.provider.inputs(given)
    plain = other.provider.inputs(unnamed(given))
    resources = programs.resources(other.provider, plain, other.offer.instance_type)
    used, _ = monthly_usage.month_of(choice.question, other, inputs)
    bill = cost.estimate(
        resources,
        rates=prices,
        usage=used,
        region=other.offer.region,
        pricing=other.provider.pricing,
    )
    return Alternative(other.offer, other.sizing, bill.monthly_usd, given, inputs, resources)
