"""Which rows of AWS's price list files are kept, and what each of them prices. Pure.

The files (`AmazonEC2/current/us-east-1/index.csv`, ...) have five lines about themselves, a header and one row
for each price. A usage type begins with the region's short name (`USW2-BoxUsage:g6.xlarge`); in us-east-1 often
with none. The same file holds Local Zones, reserved terms, capacity blocks, dedicated hosts, Windows and SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from stacks._aws.types import TYPES
from stacks._aws.types.listing import EC2, HOURS, Component
from stacks._aws.types.record import Price

__all__ = [
    "COMPONENTS",
    "EC2",
    "HOURS",
    "OFFERS",
    "Component",
    "columns",
    "component",
    "divisor",
    "glance",
    "instance_type",
]

COLUMNS = (
    "SKU",
    "TermType",
    "PriceDescription",
    "EndingRange",
    "Unit",
    "PricePerUnit",
    "Currency",
    "usageType",
    "operation",
)
"""The columns that every file must have."""
EC2_COLUMNS = (
    "Location Type",
    "Region Code",
    "Instance Type",
    "Tenancy",
    "Operating System",
    "License Model",
    "Pre Installed S/W",
    "CapacityStatus",
    "MarketOption",
)
"""The columns of EC2's file besides, without which an on-demand price cannot be told from another."""

ON_DEMAND: Mapping[str, Sequence[str]] = {
    "Tenancy": ("Shared",),
    "Operating System": ("Linux",),
    "License Model": ("No License required", "NA", ""),
    "Pre Installed S/W": ("NA", ""),
    "CapacityStatus": ("Used",),
    "MarketOption": ("OnDemand",),
    "operation": ("RunInstances",),
}
"""What makes a row the plain price of a Linux machine: no capacity block, reservation, host, licence or SQL."""

HERE: Mapping[str, Sequence[str]] = {"Location Type": ("AWS Region", "")}
"""No Local Zone, Wavelength Zone or Outpost, which have prices of their own in the region's file."""


COMPONENTS: Sequence[Component] = tuple(
    row for one in TYPES if isinstance(one.bill, Price) for row in one.bill.listed
)
"""What is priced besides instances, as the records of the types say."""
OFFERS: Sequence[str] = tuple(dict.fromkeys([EC2, *(c.offer for c in COMPONENTS)]))
"""The price list files that are read, EC2's first."""


def columns(offer: str) -> Sequence[str]:
    """Name the columns that a file must have."""
    return (*COLUMNS, *EC2_COLUMNS) if offer == EC2 else COLUMNS


def glance(offer: str, types: frozenset[str]) -> re.Pattern[bytes]:
    """Match the raw lines that may be wanted, so that hundreds of MB need not be taken apart."""
    names = [re.escape(c.usage) for c in COMPONENTS if c.offer == offer]
    if offer == EC2:
        families = sorted({re.escape(name.split(".")[0]) for name in types})
        names.append(rf"BoxUsage:(?:{'|'.join(families)})\.")
    return re.compile("|".join(names).encode())


def instance_type(row: Mapping[str, str], region: str, types: frozenset[str]) -> str | None:
    """Return the EC2 type whose plain on-demand price the row is, or None."""
    name = row["Instance Type"]
    plain = _usage(row) == f"BoxUsage:{name}" and name in types
    return name if plain and _priced(row, region) and _only(row, ON_DEMAND) else None


def component(row: Mapping[str, str], region: str, offer: str) -> Component | None:
    """Return the component that the row prices, or None."""
    usage = _usage(row)
    for known in COMPONENTS:
        named = known.offer == offer and known.usage == usage
        if named and _priced(row, region) and _only(row, known.only):
            return known
    return None


def divisor(row: Mapping[str, str], units: Mapping[str, str]) -> Decimal | None:
    """Return what to divide the row's price by for one of our units; None: its unit is not known."""
    found = units.get(row["Unit"].lower())
    return None if found is None else Decimal(found)


def _usage(row: Mapping[str, str]) -> str:
    """The usage type without the region's short name."""
    return re.sub(r"^[A-Z]+\d*-", "", row["usageType"], count=1)


def _priced(row: Mapping[str, str], region: str) -> bool:
    where = row.get("Region Code") or row.get("From Region Code") or region
    paid = row["TermType"] == "OnDemand" and row["Currency"] == "USD"
    return paid and where == region and _only(row, HERE)


def _only(row: Mapping[str, str], allowed: Mapping[str, Sequence[str]]) -> bool:
    return all(row.get(column, "") in values for column, values in allowed.items())
