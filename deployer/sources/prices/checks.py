"""Whether what was read may take the place of the old prices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from deployer.core.errors import RemoteError
from deployer.planning.catalog import Catalog
from deployer.sources.prices import PriceList, Row

JUMP = Decimal(2)
"""A price that is this many times the old one, or this part of it, is not believed at once."""
MISSING_SHARE, MISSING_LEAST = 0.1, 2
"""More missing types than a tenth (and than two) look like a file that is not whole."""


@dataclass(frozen=True)
class Change:
    """A price that moved."""

    name: str
    old: Decimal
    new: Decimal
    said: str

    @property
    def jumped(self) -> bool:
        """Whether it doubled or halved."""
        return self.new >= self.old * JUMP or self.new * JUMP <= self.old


@dataclass(frozen=True)
class News:
    """What a region's files hold, against what was known."""

    instances: Mapping[str, Row]
    components: Mapping[str, Row]
    changes: Sequence[Change]
    missing: Sequence[str]  # types that had a price and have none now
    doubts: Sequence[str] = field(default=())  # why it must not be used without being asked for
    faults: Sequence[str] = field(default=())  # why it must not be used at all


def believe(
    news: News, *, accept_changes: bool, hint: str, where: str, of: str = "", what: str = "listing"
) -> None:
    """Refuse prices that cannot be believed: `of` names whose they are, `what` the list, `hint` where to check them.

    Raises:
        RemoteError: they must not be used at all, or not without being asked for.
    """
    why = [*news.faults, *(() if accept_changes else news.doubts)]
    if why:
        raise RemoteError(
            f"the old prices{of} are kept, because the new {what} is implausible: {'; '.join(why)}",
            hint=None if news.faults else hint,
            where=where,
        )


def compare(
    old: Catalog,
    provider: str,
    region: str,
    files: Sequence[PriceList],
    wanted: Mapping[str, str | None],
) -> News:
    """Set what was read against the prices in use.

    `wanted` are the components by name; one without which the list cannot be whole has the reason to be missed.
    """
    instances = {name: row for found in files for name, row in found.instances.items()}
    components = {name: row for found in files for name, row in found.components.items()}
    before = _on_demand(old, provider, region)
    missing = sorted(name for name in before if name not in instances)
    changes = [
        *_changes(before, instances),
        *_changes(_rates(old, region, wanted), components),
    ]
    return News(
        instances,
        components,
        changes,
        missing,
        tuple(_doubts(changes, missing, len(before))),
        tuple(_faults(instances, components, wanted)),
    )


def against(before: Mapping[str, Decimal], found: PriceList) -> News:
    """Set a listing that has machines alone against the prices in use."""
    missing = sorted(name for name in before if name not in found.instances)
    changes = [*_changes(before, found.instances)]
    none = () if found.instances else ("it has no price of a machine with a GPU",)
    doubts = tuple(_doubts(changes, missing, len(before)))
    return News(found.instances, {}, changes, missing, doubts, none)


def _faults(
    instances: Mapping[str, Row], components: Mapping[str, Row], wanted: Mapping[str, str | None]
) -> Iterator[str]:
    if not instances:
        yield "it has no price of a machine with a GPU"
    for name, usage in wanted.items():
        if usage is not None and name not in components:
            yield f"it has no row for {name} ({usage})"


def _doubts(changes: Sequence[Change], missing: Sequence[str], before: int) -> Iterator[str]:
    for change in changes:
        if change.jumped:
            yield f"{change.name} went from {change.old:f} to {change.new:f} USD ({change.said})"
    if len(missing) > max(MISSING_LEAST, MISSING_SHARE * before):
        yield (
            f"it looks truncated: {len(missing)} of {before} types that had a price are not in it: "
            f"{', '.join(missing)}"
        )


def _changes(old: Mapping[str, Decimal], new: Mapping[str, Row]) -> Iterator[Change]:
    for name, row in new.items():
        before = old.get(name)
        if before is not None and before != row.usd:
            yield Change(name, before, row.usd, row.said)


def _on_demand(old: Catalog, provider: str, region: str) -> Mapping[str, Decimal]:
    return {
        offer.instance_type: offer.usd_per_hour
        for offer in old.offers(provider, region)
        if offer.billing == "on-demand" and offer.usd_per_hour is not None
    }


def _rates(old: Catalog, region: str, names: Iterable[str]) -> Mapping[str, Decimal]:
    found = ((name, old.rate(name, region).usd) for name in names)
    return {name: usd for name, usd in found if usd is not None}
