"""What can be bought: EC2 types by region, and the offers of other providers. Pure.

A slice of a GPU counts as one GPU with the memory of the slice. What its provider has withdrawn is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from deployer.core.domain import Offer
from deployer.planning.catalog.refreshed import Price
from deployer.planning.catalog.tables import rows, table, usd

AWS = "aws"
EC2_BILLING = ("on-demand", "spot")


@cache
def of(provider: str, region: str | None) -> tuple[Offer, ...]:
    """Every offer of a provider, in one region or in all. An offer without a region is sold in any."""
    found = _ec2(region) if provider == AWS else _hosted(provider, region)
    return tuple(found)


@cache
def regions(provider: str) -> tuple[str, ...]:
    """The regions in which a provider has offers; none when it does not distinguish them."""
    if provider == AWS:
        return tuple(sorted(table("aws_ec2")["on-demand"]))
    return tuple(sorted({o.region for o in of(provider, None) if o.region}))


def _ec2(region: str | None) -> Iterator[Offer]:
    data = table("aws_ec2")
    for billing in EC2_BILLING:
        for where, prices in data[billing].items():
            if region in (None, where):
                for name, amount, key in prices:
                    price = Price(usd(amount), *data["sources"][key])
                    yield instance(name, where, billing, price)


def instance(name: str, region: str, billing: str, price: Price) -> Offer:
    """Make the offer of one EC2 type in one region."""
    made = types()[name]
    return Offer(
        provider=AWS,
        region=region,
        instance_type=name,
        gpu=made["gpu"],
        gpu_count=made["gpu_count"],
        vram_mib=made["vram_mib"],
        usd_per_hour=price.usd,
        billing=billing,
        source=price.source,
        as_of=price.as_of,
        vcpus=made["vcpus"],
        memory_gib=made["memory_gib"],
    )


@cache
def types() -> Mapping[str, Mapping[str, Any]]:
    """The EC2 types that are known, with their hardware."""
    data = table("aws_ec2")
    return {row["type"]: row for row in rows(data["type_columns"], data["types"])}


def _hosted(provider: str, region: str | None) -> Iterator[Offer]:
    data = table("hosted")
    for row in rows(data["columns"], data["offers"].get(provider, ())):
        withdrawn = (row["note"] or "").startswith("deprecated")
        if not withdrawn and (region is None or row["region"] in (None, region)):
            yield _offer(provider, row, *data["sources"][row["source"]])


def listed(provider: str, name: str, price: Price) -> Offer | None:
    """Make the offer of a type that a provider's own listing has (`aws/nvidia-l4/x4`: vendor, type, size).

    None where no bundled row tells which GPU that is.
    """
    vendor, kind, size = name.split("/")
    data = table("hosted")
    known = [r for r in rows(data["columns"], data["offers"][provider]) if f"/{kind}/" in r["type"]]
    of_its_own = [row for row in known if row["region"] == vendor]
    like = next(iter(of_its_own or known), None)
    if like is None or not size.removeprefix("x").isdigit():
        return None
    row = {**like, "type": name, "region": vendor, "gpu_count": int(size.removeprefix("x"))}
    row |= {"usd_per_hour": None if price.usd is None else str(price.usd)}
    return _offer(provider, row, price.source, price.as_of)


def _offer(provider: str, row: Mapping[str, Any], source: str, as_of: str | None) -> Offer:
    return Offer(
        provider=provider,
        region=row["region"],
        instance_type=row["type"],
        gpu=row["gpu"],
        gpu_count=row["gpu_count"],
        vram_mib=row["vram_mib"],
        usd_per_hour=usd(row["usd_per_hour"]),
        billing=row["billing"],
        source=source,
        as_of=as_of,
        vcpus=row["vcpus"],
        memory_gib=row["memory_gib"],
    )
