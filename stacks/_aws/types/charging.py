"""A pricing rule that several types share: so much for every hour that it exists. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Rule, Setting, When, line


def hourly(component: str, rate: str, when: When = "exists") -> Rule:
    """Return the rule of what is charged by the hour; `rate` names its price."""

    def rule(resource: Resource, at: Setting) -> Iterator[Item]:
        yield line(resource, component, Quantity(MONTH, "hour"), at.rate(rate), when)

    return rule
