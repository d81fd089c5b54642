"""Prices and GPUs, each with its source and date. Pure: it reads files given by path, each on first use.

What is bundled lies under `data/` in the product's own format; what `deployer prices refresh` brought lies in
a folder of the user's and goes before it wherever its date is not the older one. What neither says is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deployer.core.domain import Gpu, Offer, Rate
from deployer.planning.catalog import gpus, offers, refreshed
from deployer.planning.catalog.tables import rows, table, usd

ANYWHERE = "*"
"""The column of a component that costs the same in every region."""


class Catalog:
    """All prices, bundled and refreshed. A missing price is None, never 0."""

    def __init__(self, folder: Path | None = None) -> None:
        self._refreshed = refreshed.Folder(folder)
        self._merged: dict[str | None, Sequence[Offer]] = {}
        self._listings: dict[str, Sequence[Offer]] = {}

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        """Every offer of a provider, in one region or in all; an unknown one has none."""
        bundled = offers.of(provider, region)
        if provider != offers.AWS:
            listed = self._listed(provider)
            return [o for o in listed if region in (None, o.region)] if listed else bundled
        if region not in self._merged:
            self._merged[region] = refreshed.merge(bundled, self._fresh_offers(region))
        return self._merged[region]

    def providers(self) -> Sequence[str]:
        """The providers that have offers, AWS first."""
        return (offers.AWS, *table("hosted")["offers"])

    def regions(self, provider: str) -> Sequence[str]:
        """The regions in which a provider has offers."""
        known = set(offers.regions(provider))
        if provider == offers.AWS:
            known.update(self._refreshed.regions())
        return tuple(sorted(known))

    def gpu(self, name: str) -> Gpu | None:
        """Look a GPU up by any spelling of its name, as `gpus.find` says."""
        return gpus.find(name)

    def gpus(self) -> Sequence[Gpu]:
        """All GPUs and unified-memory chips."""
        return gpus.every()

    def rules(self, provider: str) -> Mapping[str, Any]:
        """What a serverless provider accepts and how it counts (`data/serverless.json`); {} if nothing is known."""
        found: Mapping[str, Any] = table("serverless").get(provider, {})
        return found

    def rate(self, component: str, region: str | None) -> Rate:
        """What one unit of a component (`ebs-gp3-storage`) costs in a region; `usd` None is unpriced."""
        row = _components().get(component)
        if row is None:
            return Rate(component, "", None, "no price is known", None)
        prices = row["usd"]
        bundled = _rate(row, prices.get(region, prices.get(ANYWHERE)))
        fresh = self._refreshed.price("components", component, region)
        return fresh.rate(bundled) if fresh else bundled

    @property
    def as_of(self) -> tuple[str, str]:
        """The oldest and the newest date of any bundled price (ISO; some give only the month)."""
        dates = sorted(_dates())
        return dates[0], dates[-1]

    def _listed(self, provider: str) -> Sequence[Offer]:
        """What a provider's own listing offers, with a price; nothing unless it was read, and is the newer."""
        if provider not in self._listings:
            fresh = self._refreshed.listed(provider)
            made = [offers.listed(provider, name, p) for name, p in fresh.items() if p.usd]
            bundled = max((o.as_of or "" for o in offers.of(provider, None)), default="")
            self._listings[provider] = [o for o in made if o and (o.as_of or "") >= bundled]
        return self._listings[provider]

    def _fresh_offers(self, region: str | None) -> Iterator[Offer]:
        for where in (region,) if region else self._refreshed.regions():
            for billing in offers.EC2_BILLING:
                for kind, price in self._refreshed.prices(billing, where).items():
                    if kind in offers.types():
                        yield offers.instance(kind, where, billing, price)


def load(folder: Path | None = None) -> Catalog:
    """Return the bundled catalog, with what was refreshed into a folder (which need not exist)."""
    return Catalog(folder)


def components() -> Sequence[str]:
    """Name everything besides instances that the catalog has a price of."""
    return tuple(_components())


def _rate(row: Mapping[str, Any], price: str | Sequence[str] | None) -> Rate:
    """A component's price in one region: an amount, or an amount and the key of its own source."""
    if price is None or isinstance(price, str):
        return Rate(row["component"], row["unit"], usd(price), row["source"], row["as_of"])
    amount, key = price
    return Rate(
        row["component"], row["unit"], usd(amount), *table("aws_components")["sources"][key]
    )


@cache
def _components() -> Mapping[str, Mapping[str, Any]]:
    data = table("aws_components")
    return {row["component"]: row for row in rows(data["columns"], data["components"])}


def _dates() -> Iterator[str]:
    listed = [*_components().values(), *rows(table("gpus")["columns"], table("gpus")["gpus"])]
    yield from (row["as_of"] for row in listed if row["as_of"])
    for name in ("aws_components", "aws_ec2", "hosted"):
        yield from (date for _, date in table(name)["sources"].values() if date)
