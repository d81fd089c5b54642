"""What Pulumi would do, as priced changes: the plan's own pricing, run over Pulumi's preview. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from deployer.core.domain import Estimate, Resource

Action = Literal["create", "update", "replace", "delete", "same"]
Price = Callable[[Sequence[Resource]], Estimate]
"""Says what resources cost a month (`deployer.planning.cost.estimate` with this plan's prices and traffic)."""

KNOWN_LATER = "<known after apply>"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands in Pulumi's events for a value that only the cloud can say (pulumi.runtime.rpc.UNKNOWN)."""
ACTIONS: Mapping[str, Action] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "same": "same",
}
"""By Pulumi's name of a step; the steps that are not here (refresh, delete-replaced) are parts of others."""


@dataclass(frozen=True)
class Change:
    """One resource: what happens to it, which of its properties differ, and its monthly cost before and after.

    A cost is None where there is nothing to pay for or no price is known (`priced` tells which).
    """

    type: str
    name: str
    action: Action
    differs: tuple[str, ...] = ()
    before_usd: Decimal | None = None
    after_usd: Decimal | None = None
    priced: bool = True


@dataclass(frozen=True)
class Changes:
    """Everything that an operation would do."""

    every: tuple[Change, ...]
    before: Estimate
    after: Estimate

    @property
    def real(self) -> tuple[Change, ...]:
        """Those that do something."""
        return tuple(change for change in self.every if change.action != "same")

    @property
    def monthly_usd(self) -> Decimal | None:
        """What they change in the monthly cost; None when a price is missing."""
        if self.after.monthly_usd is None or (
            self.before.items and self.before.monthly_usd is None
        ):
            return None
        return self.after.monthly_usd - (self.before.monthly_usd or Decimal(0))


@dataclass(frozen=True)
class Step:
    """One step of Pulumi, in plain data."""

    op: str
    urn: str
    old: Mapping[str, Any] | None  # inputs
    new: Mapping[str, Any] | None
    differs: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The resource's type."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.split("::")[3]


class Collector:
    """Takes Pulumi's events and keeps its steps."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def __call__(self, event: Any) -> None:
        """Keep what one event says."""
        happened = event.resource_pre_event or event.res_outputs_event
        if happened is None:
            return
        step = step_of(happened.metadata)
        if step.op in ACTIONS and not step.type.startswith("pulumi:"):
            self.steps[step.urn] = step

    def changes(self, price: Price) -> Changes:
        """Return what was collected, priced."""
        return priced(list(self.steps.values()), price)


class Drift:
    """Takes the events of a refresh: what the state knew and is gone, and what is not as it was left."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.altered: list[str] = []

    def __call__(self, event: Any) -> None:
        """Keep what one event says."""
        if not event.res_outputs_event:
            return
        step = step_of(event.res_outputs_event.metadata)
        if step.op == "delete":
            self.gone.append(step.name)
        elif step.op == "update" and not step.type.startswith("pulumi:"):
            self.altered.append(step.name)


def step_of(metadata: Any) -> Step:
    """Read a step's metadata as Pulumi sends it."""
    return Step(
        op=getattr(metadata.op, "value", metadata.op),
        urn=metadata.urn,
        old=None if metadata.old is None else dict(metadata.old.inputs or {}),
        new=None if metadata.new is None else dict(metadata.new.inputs or {}),
        differs=tuple(metadata.diffs or metadata.keys or ()),
    )


def priced(steps: Iterable[Step], price: Price) -> Changes:
    """Price the steps: what exists before them, and what exists after."""
    found = list(steps)
    before = price([r for s in found if s.old is not None for r in [_resource(s, s.old)]])
    after = price([r for s in found if s.op != "delete" for r in [_resource(s, s.new or {})]])
    costs = (_by_name(before), _by_name(after))
    every = tuple(_change(step, *costs) for step in found)
    return Changes(tuple(sorted(every, key=_order)), before, after)


def _resource(step: Step, inputs: Mapping[str, Any]) -> Resource:
    return Resource(step.type, step.name, plain(inputs))


def plain(value: Any) -> Any:
    """Pulumi's inputs as the pricing rules know them: unknowns named, a provider's own notes left out."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items() if not str(k).startswith("__")}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return KNOWN_LATER if value == UNKNOWN else value


Costs = Mapping[str, tuple[Decimal, bool]]


def _by_name(estimate: Estimate) -> Costs:
    """The monthly cost of each resource that has a line in the bill, and whether all its lines have a price."""
    costs: dict[str, tuple[Decimal, bool]] = {}
    for item in estimate.items:
        sum_, whole = costs.get(item.resource, (Decimal(0), True))
        costs[item.resource] = (
            sum_ + (item.monthly_usd or 0),
            whole and item.monthly_usd is not None,
        )
    return costs


def _change(step: Step, before: Costs, after: Costs) -> Change:
    made = Change(step.type, step.name, ACTIONS[step.op], step.differs)
    was = before.get(step.name) if step.old is not None else None
    will = after.get(step.name) if step.op != "delete" else None
    return replace(
        made,
        before_usd=None if was is None else was[0],
        after_usd=None if will is None else will[0],
        priced=all(cost is None or cost[1] for cost in (was, will)),
    )


def _order(change: Change) -> tuple[int, str, str]:
    return (
        ("delete", "replace", "create", "update", "same").index(change.action),
        change.type,
        change.name,
    )
