"""What can be bought: the types of each provider, and what they cost by billing and region. Pure.

A provider's own file is `offers.json` of its folder; those that can be priced and not applied share `data/hosted.json`.
A slice of a GPU counts as one GPU with the memory of the slice. What its provider has withdrawn is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deployer.core.domain import Offer
from deployer.planning.catalog.refreshed import Price
from deployer.planning.catalog.tables import ANYWHERE, FOLDER, read, rows, usd
from deployer.providers.registry import data_files

FILE = "offers.json"
HOSTED = FOLDER / "hosted.json"
WITHDRAWN = "deprecated"
"""How the note of a type begins that is not sold any more."""

Row = Mapping[str, Any]


def providers() -> Sequence[str]:
    """The providers that have offers: first those with a folder of their own."""
    return tuple(dict.fromkeys((*data_files(FILE), *read(HOSTED)["providers"])))


def of(provider: str, region: str | None) -> tuple[Offer, ...]:
    """Every offer of a provider, in one region or in all. An offer without a region is sold in any."""
    return _offers(_file(provider), provider, region)


def regions(provider: str) -> tuple[str, ...]:
    """The regions in which a provider has offers; none when it does not distinguish them."""
    return tuple(sorted({o.region for o in of(provider, None) if o.region}))


def types(provider: str) -> Mapping[str, Row]:
    """The types that are known of a provider, with their hardware."""
    return _types(_file(provider), provider)


def places(provider: str) -> Iterator[tuple[str, str | None, str]]:
    """Where each type is sold and how: (billing, region, type), the withdrawn ones too."""
    for billing, region, (name, *_) in _prices(_file(provider), provider):
        yield billing, region, name


def offer(provider: str, row: Row, region: str | None, billing: str, price: Price) -> Offer:
    """Make the offer of one type in one region."""
    return Offer(
        provider=provider,
        region=region,
        instance_type=row["type"],
        gpu=row["gpu"],
        gpu_count=row["gpu_count"],
        vram_mib=row["vram_mib"],
        usd_per_hour=price.usd,
        billing=billing,
        source=price.source,
        as_of=price.as_of,
        vcpus=row["vcpus"],
        memory_gib=row["memory_gib"],
        gpu_fraction=_fraction(row),
    )


def _fraction(row: Row) -> float | None:
    """The share of one GPU that a slice is; None for whole ones."""
    share = row.get("share")
    return None if share in (None, 1) else float(share)


def _file(provider: str) -> Path:
    return data_files(FILE).get(provider, HOSTED)


def _part(file: Path, provider: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        read(file)["providers"].get(provider, {}) if file == HOSTED else read(file)
    )
    return found


@cache
def _offers(file: Path, provider: str, region: str | None) -> tuple[Offer, ...]:
    known, sources = _types(file, provider), read(file)["sources"]
    return tuple(
        offer(provider, known[name], where, billing, Price(usd(amount), *sources[key]))
        for billing, where, (name, amount, key) in _prices(file, provider)
        if (region is None or where in (None, region))
        and not (known[name].get("note") or "").startswith(WITHDRAWN)
    )


@cache
def _types(file: Path, provider: str) -> Mapping[str, Row]:
    data = _part(file, provider).get("types") or {"columns": (), "rows": ()}
    return {row["type"]: row for row in rows(data["columns"], data["rows"])}


def _prices(file: Path, provider: str) -> Iterator[tuple[str, str | None, Sequence[Any]]]:
    for billing, by_region in _part(file, provider).get("prices", {}).items():
        for region, prices in by_region.items():
            for row in prices:
                yield billing, None if region == ANYWHERE else region, row
