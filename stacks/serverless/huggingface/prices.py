"""Hugging Face's own listing of what an Inference Endpoint runs on and costs, taken for the bundled prices.

`GET /v2/provider` of the Inference Endpoints' API: vendors, in each regions, in each `computes` with
`instanceType`, `instanceSize`, `accelerator`, `status` and `pricePerHour` in USD. A price is the same in every
region of a cloud; where it is not, the dearest counts and it is said. What the listing lacks is no longer had.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from deployer.core.errors import RemoteError, UsageError
from deployer.planning.catalog import offers
from deployer.sources.prices import Asked, PriceList, Refreshed, Row, Spot, listing
from deployer.sources.prices.download import client, stream

PROVIDER = "huggingface"
ADDRESS = "https://api.endpoints.huggingface.cloud/v2"
HAD = "available"
BILLING = "per-minute"
CHECK = (
    "check huggingface.co/docs/inference-endpoints/support/pricing; "
    "if it is right: deployer prices refresh --provider huggingface --accept-changes"
)


class Listing(PriceList):
    """What the listing holds."""

    @property
    def source(self) -> str:
        """See `PriceList`."""
        return f"Hugging Face's own listing, read on {self.version}"


def url(environ: Mapping[str, str] | None = None) -> str:
    """Return where the listing is: HF_INFERENCE_ENDPOINTS_ENDPOINT names another service."""
    known = os.environ if environ is None else environ
    return f"{(known.get('HF_INFERENCE_ENDPOINTS_ENDPOINT') or ADDRESS).rstrip('/')}/provider"


def refresh(asked: Asked, token: str | None = None) -> Refreshed:
    """Renew the prices of Inference Endpoints; `asked.base` is the listing's address.

    Raises:
        RemoteError: the listing is truncated, changed in form, or holds a price that cannot be believed.
        PrerequisiteError: no network, or the folder cannot be written.
    """
    found = read(_fetched(asked, token), asked.today, asked.base)
    return listing.keep(asked, PROVIDER, found, described(found.instances), CHECK)


def described(names: Iterable[str]) -> list[dict[str, Any]]:
    """Describe the machines that the bundled catalog does not know, such as `aws/nvidia-l4/x4` (vendor, type, size).

    One whose GPU no bundled row tells is left out, and so not offered.
    """
    known = offers.types(PROVIDER)
    sold = [(region, known[name]) for _, region, name in offers.places(PROVIDER)]
    found = []
    for name in sorted(set(names) - set(known)):
        vendor, kind, size = name.split("/")
        like = [(region == vendor, row) for region, row in sold if f"/{kind}/" in row["type"]]
        if like and size.removeprefix("x").isdigit():
            row = max(like, key=lambda one: one[0])[1]
            count = int(size.removeprefix("x"))
            new = {"type": name, "gpu_count": count, "region": vendor, "billing": BILLING}
            found.append({**row, **new})
    return found


def read(text: bytes, version: str, where: str) -> Listing:
    """Read the listing: the machines with GPUs that can be had, `<vendor>/<type>/<size>`.

    Raises:
        RemoteError: it has another form.
    """
    found = Listing("endpoints", version)
    try:
        for name, price, place in _priced(json.loads(text)):
            before = found.instances.get(name)
            if before is not None and before.usd != price:
                found.notes.append(f"{name} costs {price} in {place}, {before.usd} elsewhere")
            if before is None or price > before.usd:
                found.instances[name] = Row(price, f"{name} in {place}")
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise RemoteError(
            f"Hugging Face's listing has an unknown format: {type(error).__name__}: {error}",
            hint="the old prices are kept; a newer deployer may support it",
            where=where,
        ) from None
    return found


def _priced(listing: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, str]]:
    for vendor in listing["vendors"]:
        for region in vendor["regions"]:
            if {vendor.get("status", HAD), region.get("status", HAD)} != {HAD}:
                continue
            for one in region["computes"]:
                if one["accelerator"] == "gpu" and one.get("status", HAD) == HAD:
                    name = f"{vendor['name']}/{one['instanceType']}/{one['instanceSize']}"
                    yield name, _amount(one["pricePerHour"]), region["name"]


def _amount(said: Any) -> Decimal:
    price = Decimal(str(said))
    if not price.is_finite() or price <= 0:
        raise ValueError(f"{said!r} is not a valid price")
    return price.quantize(Decimal("0.0001")).normalize()


def _fetched(asked: Asked, token: str | None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    with (
        client(headers) as by,
        stream(by, asked.base, "Inference Endpoints", asked.progress) as pieces,
    ):
        return b"".join(pieces)


class OwnListing:
    """Fulfils `deployer.sources.prices.PriceSource`: one listing for all regions."""

    @property
    def base(self) -> str:
        """See `PriceSource`."""
        return url()

    @property
    def spot(self) -> Spot:
        """See `PriceSource`: there are none."""
        return lambda _region, _types: {}

    def refreshes(self, regions: Sequence[str], asked: Asked) -> list[Callable[[], Refreshed]]:
        """See `PriceSource`."""
        from stacks.serverless.huggingface.service import token

        if regions:
            raise UsageError(
                "Hugging Face's prices are the same in every region of a cloud",
                hint="leave --region out",
            )
        return [partial(refresh, asked, token())]
