"""How the tests refresh prices from loopback, and look at what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer.planning import catalog
from deployer.sources.prices import Asked, Refreshed
from stacks._aws import prices
from stacks._aws.prices import rows
from stacks._aws.prices.spot import NoSpotError
from tests.kits import price_lists as lists
from tests.kits.price_lists import Row

TODAY = "2026-11-22"


def no_spot(region: str, types: object) -> Mapping[str, Decimal]:
    raise NoSpotError("there are no AWS credentials")


def asked(folder: Path, base: str, **more: Any) -> Asked:
    quiet = {"progress": lambda *_: nullcontext(lambda _: None), "spot": no_spot}
    return Asked(folder=folder, today=TODAY, base=base, **{**quiet, **more})


def refresh(folder: Path, content: Mapping[str, Any], **more: Any) -> Refreshed:
    with lists.served(content) as base:
        return prices.refresh("us-east-1", asked(folder, base, **more))


def priced(folder: Path, kind: str, billing: str = "on-demand") -> Any:
    (found,) = [
        o
        for o in catalog.load(folder).offers("aws", "us-east-1")
        if (o.instance_type, o.billing) == (kind, billing)
    ]
    return found


def only(kind: str, **cells: str) -> Callable[[Row], Row]:
    """Alter the plain on-demand price of one type."""

    def change(row: Row) -> Row:
        whole = dict.fromkeys(lists.EC2_COLUMNS, "") | row
        plain = rows.instance_type(whole, "us-east-1", frozenset({kind}))
        return row | cells if plain else row

    return change
