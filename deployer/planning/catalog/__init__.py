"""Prices and GPUs, each with its source and date. Pure: it reads files given by path, each on first use.

What is bundled lies in the product's own format (`tables`), each provider's in its own folder; what `deployer prices
refresh` brought lies in a folder of the user's and goes before it wherever its date is not the older one. What
neither says is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.core.domain import Gpu, Offer, Rate
from deployer.planning.catalog import components as parts
from deployer.planning.catalog import gpus, offers, refreshed
from deployer.planning.catalog.tables import read, rows, table
from deployer.providers.registry import data_files

RULES = "rules.json"
BILLING = ("on-demand", "spot")
"""The kinds of a price by region that can be refreshed."""


class Catalog:
    """All prices, bundled and refreshed. A missing price is None, never 0."""

    def __init__(self, folder: Path | None = None) -> None:
        self._refreshed = refreshed.Folder(folder)
        self._merged: dict[tuple[str, str | None], Sequence[Offer]] = {}

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        """Every offer of a provider, in one region or in all; an unknown one has none."""
        if (provider, region) not in self._merged:
            self._merged[provider, region] = self._offers(provider, region)
        return self._merged[provider, region]

    def providers(self) -> Sequence[str]:
        """The providers that have offers, first those that can be applied."""
        return offers.providers()

    def regions(self, provider: str) -> Sequence[str]:
        """The regions in which a provider has offers."""
        return tuple(sorted({*offers.regions(provider), *self._refreshed_regions(provider)}))

    def gpu(self, name: str) -> Gpu | None:
        """Look a GPU up by any spelling of its name, as `gpus.find` says."""
        return gpus.find(name)

    def gpus(self) -> Sequence[Gpu]:
        """All GPUs and unified-memory chips."""
        return gpus.every()

    def rules(self, provider: str) -> Mapping[str, Any]:
        """What a serverless provider accepts and how it counts (its `rules.json`); {} if nothing is known."""
        file = data_files(RULES).get(provider)
        found: Mapping[str, Any] = read(file)["rules"] if file else {}
        return found

    def rate(self, component: str, region: str | None) -> Rate:
        """What one unit of a component (such as a month of a GB) costs in a region; `usd` None is unpriced."""
        known = parts.every().get(component)
        if known is None:
            return Rate(component, "", None, "no price is known", None)
        bundled = known.rate(region)
        fresh = known.owner and self._refreshed.rate(known.owner, component, region)
        return fresh.in_place_of(bundled) if fresh else bundled

    @property
    def as_of(self) -> tuple[str, str]:
        """The oldest and the newest date of any bundled price (ISO; some give only the month)."""
        dates = sorted(_dates())
        return dates[0], dates[-1]

    def _offers(self, provider: str, region: str | None) -> Sequence[Offer]:
        listed = self._listed(provider)
        if listed:
            return [o for o in listed if region is None or o.region in (None, region)]
        return refreshed.merge(offers.of(provider, region), self._by_region(provider, region))

    def _refreshed_regions(self, provider: str) -> Sequence[str]:
        return self._refreshed.regions(provider, self.providers())

    def _listed(self, provider: str) -> Sequence[Offer]:
        """What a provider's whole listing offers, with a price; nothing unless it was read, and is the newer."""
        listing = self._refreshed.of(provider)
        priced = {name: price for name, price in listing.prices["on-demand"].items() if price.usd}
        if not priced:
            return ()
        known = offers.types(provider)
        rows_of = [(b, where, known[n]) for b, where, n in offers.places(provider) if n in priced]
        rows_of += [(row["billing"], row["region"], row) for row in listing.types]
        newest = max((o.as_of or "" for o in offers.of(provider, None)), default="")
        return tuple(
            offers.offer(provider, row, where, billing, priced[row["type"]])
            for billing, where, row in rows_of
            if row["type"] in priced and priced[row["type"]].as_of >= newest
        )

    def _by_region(self, provider: str, region: str | None) -> Iterator[Offer]:
        known = offers.types(provider)
        for where in (region,) if region else self._refreshed_regions(provider):
            for billing in BILLING:
                for name, price in self._refreshed.of(provider, where).prices[billing].items():
                    if name in known:
                        yield offers.offer(provider, known[name], where, billing, price)


def load(folder: Path | None = None) -> Catalog:
    """Return the bundled catalog, with what was refreshed into a folder (which need not exist)."""
    return Catalog(folder)


def components() -> Sequence[str]:
    """Name everything besides instances that the catalog has a price of."""
    return tuple(parts.every())


def _dates() -> Iterator[str]:
    yield from parts.dates()
    data = table("gpus")
    yield from (row["as_of"] for row in rows(data["columns"], data["gpus"]) if row["as_of"])
    for file in (*data_files(offers.FILE).values(), offers.HOSTED):
        yield from (date for _, date in read(file)["sources"].values() if date)
