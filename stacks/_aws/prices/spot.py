"""Spot prices, live: what AWS asks at this moment, by its own API and with the user's credentials."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from deployer.core.errors import DeployerError

LINUX = "Linux/UNIX"


class NoSpotError(Exception):
    """Why there are no spot prices: no credentials, no permission, no network."""


def live(region: str, types: Sequence[str]) -> Mapping[str, Decimal]:
    """Ask AWS for the spot prices of some types in one region (AWS_ENDPOINT_URL is honoured).

    Raises:
        NoSpotError: there are no credentials, or AWS does not answer with prices.
    """
    from stacks._aws import credentials, session

    try:
        with session.understood("list spot prices"):
            made = credentials.session(region)
            if not credentials.check(made):
                raise NoSpotError("there are no AWS credentials")
            return prices(session.client_of(made, "ec2"), types)
    except DeployerError as error:
        raise NoSpotError(error.message) from None


def prices(ec2: Any, types: Sequence[str]) -> Mapping[str, Decimal]:
    """Return the median over a region's zones of the newest price of each type, USD an hour.

    Args:
        ec2: a boto3 client of EC2.
        types: the EC2 types; one that has no spot price there is left out.

    Raises:
        NoSpotError: a price cannot be.
    """
    from datetime import UTC, datetime

    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=list(types), ProductDescriptions=[LINUX], StartTime=datetime.now(UTC)
    )
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in (row for page in pages for row in page["SpotPriceHistory"]):
        key = row["InstanceType"], row["AvailabilityZone"]
        if key not in newest or row["Timestamp"] > newest[key]["Timestamp"]:
            newest[key] = row
    found: dict[str, list[Decimal]] = {}
    for (kind, _zone), row in newest.items():
        found.setdefault(kind, []).append(_price(row))
    return {kind: statistics.median(each) for kind, each in sorted(found.items())}


def _price(row: Mapping[str, Any]) -> Decimal:
    try:
        price = Decimal(row["SpotPrice"])
    except InvalidOperation:
        price = Decimal("NaN")
    if price.is_finite() and price > 0:
        return price
    raise NoSpotError(
        f"a spot price of '{row['SpotPrice']}' for {row['InstanceType']} in "
        f"{row['AvailabilityZone']} cannot be"
    )
