"""What Lambda sells and for how much, taken for the bundled prices: its instance types, read with the account's key.

A price is the same in every region, in cents an hour. What the listing lacks is no longer sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from deployer.core.errors import RemoteError, UsageError
from deployer.planning.catalog import offers
from deployer.sources.prices import Asked, PriceList, Refreshed, Row, Spot, listing

from .account import understood
from .program.dynamic.rest import Api, address

PROVIDER = "lambda"
BILLING = "on-demand"
MOST_CENTS = 10**7
CHECK = "check lambda.ai/instances; if it is right: deployer prices refresh --provider lambda --accept-changes"


class Listing(PriceList):
    """What the listing holds; `specs` is the hardware of each type."""

    @property
    def source(self) -> str:
        """See `PriceList`."""
        return f"Lambda's own listing, read on {self.version}; per minute"


def refresh(asked: Asked, api: Api | None = None) -> Refreshed:
    """Renew the prices of Lambda's machines.

    Raises:
        RemoteError: the listing is changed in form, or holds a price that cannot be believed.
        PrerequisiteError: no key, no network, or the folder cannot be written.
    """
    with understood(), asked.progress("instance types", None):
        types = (api or Api()).get("instance-types")
    found = read(types, asked.today, asked.base)
    return listing.keep(asked, PROVIDER, found, list(described(types, found.instances)), CHECK)


def read(types: Any, version: str, where: str) -> Listing:
    """Read the listing: the machines with GPUs, and which of them are to spare nowhere now.

    Raises:
        RemoteError: it has another form.
    """
    found = Listing("instance-types", version)
    try:
        for name, one in sorted(types.items()):
            cents = _cents(one["instance_type"]["price_cents_per_hour"])
            if _gpus(one) > 0:
                found.instances[name] = Row(Decimal(cents) / 100, f"{name}: {cents} cents an hour")
                if not one["regions_with_capacity_available"]:
                    found.notes.append(f"{name} is to spare nowhere now")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"Lambda's listing has an unknown format: {type(error).__name__}: {error}",
            hint="the old prices are kept; a newer deployer may support it",
            where=where,
        ) from None
    return found


def _cents(said: Any) -> int:
    if isinstance(said, bool) or not isinstance(said, int) or not 0 < said < MOST_CENTS:
        raise ValueError(f"{said!r} is not a valid price")
    return said


def _gpus(one: Mapping[str, Any]) -> int:
    return int(one["instance_type"]["specs"]["gpus"])


def described(types: Mapping[str, Any], names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Describe the machines that the bundled catalog does not know, such as `gpu_4x_a10` beside `gpu_1x_a10`.

    One whose GPU no bundled row tells is left out, and so not offered.
    """
    known = offers.types(PROVIDER)
    gpus = {_kind(name): row for name, row in known.items()}
    for name in sorted(set(names) - set(known)):
        row = gpus.get(_kind(name))
        if row is not None:
            specs = types[name]["instance_type"]["specs"]
            size = {"vcpus": specs["vcpus"], "memory_gib": specs["memory_gib"]}
            sold = {"region": None, "billing": BILLING}
            yield {**row, "type": name, "gpu_count": _gpus(types[name]), **size, **sold}


def _kind(name: str) -> str:
    """`a10` of `gpu_1x_a10`."""
    return name.partition("x_")[2]


class OwnListing:
    """Fulfils `deployer.sources.prices.PriceSource`: one listing for all regions."""

    @property
    def base(self) -> str:
        """See `PriceSource`."""
        with understood():
            return f"{address()}/api/v1/instance-types"

    @property
    def spot(self) -> Spot:
        """See `PriceSource`: there are none."""
        return lambda _region, _types: {}

    def refreshes(self, regions: Sequence[str], asked: Asked) -> list[Callable[[], Refreshed]]:
        """See `PriceSource`."""
        if regions:
            raise UsageError(
                "Lambda's prices are the same in every region", hint="leave --region out"
            )
        return [partial(refresh, asked)]
