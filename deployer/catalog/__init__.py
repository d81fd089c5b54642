"""Bundled prices and GPUs, each with its source and date. Pure: it reads its own files, each on first use.

The files under `data/` are the product's own format; what they cannot say is null, which reads as None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from deployer.catalog import gpus, offers
from deployer.catalog.tables import rows, table, usd
from deployer.words import Gpu, Offer, Rate

ANYWHERE = "*"
"""The column of a component that costs the same in every region."""


class Catalog:
    """All bundled prices. A missing price is None, never 0."""

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        """Every offer of a provider, in one region or in all; an unknown one has none."""
        return offers.of(provider, region)

    def regions(self, provider: str) -> Sequence[str]:
        """The regions in which a provider has offers."""
        return offers.regions(provider)

    def gpu(self, name: str) -> Gpu | None:
        """Look a GPU up by any spelling of its name, as `gpus.find` says."""
        return gpus.find(name)

    def gpus(self) -> Sequence[Gpu]:
        """All GPUs and unified-memory chips."""
        return gpus.every()

    def rate(self, component: str, region: str | None) -> Rate:
        """What one unit of a component (`ebs-gp3-storage`) costs in a region; `usd` None is unpriced."""
        row = _components().get(component)
        if row is None:
            return Rate(component, "", None, "no price is known", None)
        prices = row["usd"]
        amount = usd(prices.get(region, prices.get(ANYWHERE)))
        return Rate(component, row["unit"], amount, row["source"], row["as_of"])

    @property
    def as_of(self) -> tuple[str, str]:
        """The oldest and the newest date of any price (ISO; some give only the month)."""
        dates = sorted(_dates())
        return dates[0], dates[-1]


@cache
def load() -> Catalog:
    """Return the bundled catalog."""
    return Catalog()


@cache
def _components() -> Mapping[str, Mapping[str, Any]]:
    data = table("aws_components")
    return {row["component"]: row for row in rows(data["columns"], data["components"])}


def _dates() -> Iterator[str]:
    listed = [*_components().values(), *rows(table("gpus")["columns"], table("gpus")["gpus"])]
    yield from (row["as_of"] for row in listed if row["as_of"])
    for name in ("aws_ec2", "hosted"):
        yield from (date for _, date in table(name)["sources"].values() if date)
