"""What the resources of a plan cost: one pricing function, keyed by resource type. Pure.

Whether the resources come from a program run offline or from a live preview makes no difference. Every type
is priced by a rule, declared free with the reason, or named as unpriced; a missing price is never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache

from deployer.core.domain import Estimate, Item, Resource, Usage
from deployer.planning.cost.rule import MONTH, Rates, Rule, Setting
from deployer.providers import registry
from deployer.providers.api import Pricing

__all__ = ["Rates", "Rule", "Setting", "estimate", "every_pricing", "total"]

ESSENTIAL = frozenset({"instance", "endpoint", "hardware"})
"""Components without whose price a total would mislead: with one unpriced there is no total."""
MILLION = Decimal(1_000_000)


def estimate(
    resources: Sequence[Resource],
    *,
    rates: Rates,
    usage: Usage,
    region: str | None,
    pricing: Pricing | None = None,
) -> Estimate:
    """Price what will exist.

    Args:
        resources: what will exist; one that is to be deleted costs nothing.
        rates: where prices come from.
        usage: the month's traffic, for what is paid by use.
        region: where it will be.
        pricing: the rules of the provider that makes them; None: those of every provider.

    The totals add up what has a price; `unpriced` names what has none. There is no total when the price of
    the machine, the endpoint or the hardware itself is not known.
    """
    known = _known(pricing)
    living = [r for r in resources if r.action != "delete"]
    setting = Setting(rates, usage, region, living)
    items = tuple(item for r in living for item in _items(r, known.rules, setting))
    return total(items, tuple(_unpriced(living, items, known)), usage)


@cache
def every_pricing() -> Pricing:
    """The rules of every provider that can be found, and the types that cost nothing there."""
    found = [registry.provider(*one).pricing for one in registry.every_provider()]
    priced = [one for one in found if one is not None]
    return Pricing(
        {kind: rule for one in priced for kind, rule in one.rules.items()},
        {kind: why for one in priced for kind, why in one.free.items()},
    )


def _known(given: Pricing | None) -> Pricing:
    if given is not None and given.alone:
        return given
    every = every_pricing()
    return Pricing({**every.rules, **given.rules}, {**every.free, **given.free}) if given else every


def total(items: tuple[Item, ...], unpriced: tuple[str, ...], usage: Usage) -> Estimate:
    """Add up the lines of a bill. What an hour costs and what a token costs follow from them."""
    within = None if _misleading(items) else _range(items)
    monthly = None if within is None else _sum(item.monthly_usd for item in items)
    return Estimate(
        items=items,
        unpriced=unpriced,
        hourly_usd=None if within is None else _sum(_hourly(item) for item in items),
        monthly_usd=monthly,
        monthly_range=within if any(item.monthly_range for item in items) else None,
        idle_hourly_usd=_idle(items),
        usd_per_1m_tokens=_per_million(within, usage),
    )


def _items(resource: Resource, rules: Mapping[str, Rule], setting: Setting) -> Iterable[Item]:
    rule = rules.get(resource.type)
    return () if rule is None else rule(resource, setting)


def _unpriced(
    resources: Sequence[Resource], items: Sequence[Item], known: Pricing
) -> Iterable[str]:
    for resource in resources:
        if resource.type not in known.rules and resource.type not in known.free:
            yield f"{resource.name}: no price is known for {resource.type}"
    for item in items:
        if item.monthly_usd is None:
            yield f"{item.resource}: {item.component}"


def _misleading(items: Sequence[Item]) -> bool:
    missing = any(i.monthly_usd is None and i.component in ESSENTIAL for i in items)
    return missing or all(i.monthly_usd is None for i in items)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def _range(items: Sequence[Item]) -> tuple[Decimal, Decimal]:
    lows = (i.monthly_range[0] if i.monthly_range else i.monthly_usd for i in items)
    highs = (i.monthly_range[1] if i.monthly_range else i.monthly_usd for i in items)
    return _sum(lows), _sum(highs)


def _hourly(item: Item) -> Decimal | None:
    """What an hour of it costs while all is running; what follows the traffic is left out."""
    if item.monthly_usd is None or item.when == "used":
        return None
    if item.unit != "hour" or item.when == "exists":
        return item.monthly_usd / MONTH
    at_once = max(Decimal(1), (item.quantity or Decimal(0)) / MONTH)
    return (item.unit_price_usd or Decimal(0)) * at_once


def _idle(items: Sequence[Item]) -> Decimal | None:
    """What an hour costs while it is stopped, or scaled to zero; None when part of it is unpriced."""
    kept = [item.monthly_usd for item in items if item.when == "exists"]
    if not items or any(amount is None for amount in kept):
        return None
    return _sum(kept) / MONTH


def _per_million(
    within: tuple[Decimal, Decimal] | None, usage: Usage
) -> tuple[Decimal, Decimal] | None:
    tokens = usage.input_tokens + usage.output_tokens
    if within is None or not tokens:
        return None
    return within[0] / tokens * MILLION, within[1] / tokens * MILLION
