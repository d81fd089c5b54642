"""What whoever reads a plan should know before it is applied. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.core.domain import Plan
from deployer.core.order import Order
from deployer.planning import cloud_init
from deployer.planning.catalog.age import stale
from deployer.planning.choose import Candidate

PRICED_ONLY = "priced, but 'deployer up' cannot serve it there"
"""How a caution begins of what has a plan and a price, and cannot be applied."""


def ages(made: Plan, today: str) -> Iterator[str]:
    """Warn of prices that are old or undated; what the spec itself says has no age."""
    items = made.cost.items if made.cost else ()
    old = stale(
        [i for i in items if i.unit_price_usd and not i.source.startswith("the spec")], today
    )
    if old:
        yield f"{old}: 'deployer prices refresh' renews those that are published"


def of_candidate(best: Candidate, order: Order, inputs: Mapping[str, Any]) -> Iterator[str]:
    """What should be known before it is applied: that it cannot be, where data goes, what the provider says."""
    reason = cloud_init.unservable(order, best.provider) if best.provider.boot else None
    if reason:
        yield f"{PRICED_ONLY}: {reason}"
    said = best.provider.warnings
    if said is not None:
        yield f"where the data goes: {best.provider.privacy}"
        yield from said(inputs, best.offer)
