"""Renewing the prices: AWS's public price lists in, one file of the user's catalog out. An edge.

All of a region's files are read and checked before anything is written; one fault, and the old prices are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from deployer.core.errors import UsageError, quoted
from deployer.planning import catalog
from deployer.planning.catalog import offers, refreshed
from deployer.sources.prices import Asked, PriceList, Refreshed, Spot, checks, store
from deployer.sources.prices.checks import News
from deployer.sources.prices.download import NotThereError, client, stream
from stacks._aws.prices import price_list, rows, spot
from stacks._aws.prices.lists import base_url, file_url
from stacks._aws.prices.spot import NoSpotError

if TYPE_CHECKING:
    import httpx

PROVIDER = "aws"
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
CHECK = "look at AWS's own price page; if it is right: deployer prices refresh --accept-changes"


def refresh(region: str, asked: Asked) -> Refreshed:
    """Renew the prices of one region.

    Raises:
        RemoteError: a file is truncated, changed in form, or holds a price that cannot be believed.
        NotThereError: AWS has no price list of that region.
        PrerequisiteError: no network, or the folder cannot be written.
    """
    old = catalog.load(asked.folder)
    notes: list[str] = []
    with client() as by:
        read = [_file(by, offer, region, asked, notes) for offer in rows.OFFERS]
    files = [found for found in read if found is not None]
    wanted = {one.name: one.usage if one.essential else None for one in rows.COMPONENTS}
    news = checks.compare(old, PROVIDER, region, files, wanted)
    checks.believe(
        news,
        accept_changes=asked.accept_changes,
        hint=f"{CHECK} --region {region}",
        where=file_url(asked.base, rows.EC2, region),
        of=f" of {region}",
        what="list",
    )
    notes += [note for found in files for note in found.notes]
    notes += _not_found(news)
    live = _spot(region, asked, notes)
    file = refreshed.file_of(asked.folder, PROVIDER, region)
    store.write(file, store.document(region, asked.today, files, live, news.missing, file))
    return Refreshed(
        region=region,
        file=file,
        as_of=asked.today,
        on_demand=len(news.instances),
        spot=len(live),
        components=len(news.components),
        changes=news.changes,
        missing=news.missing,
        notes=notes,
    )


def _file(
    by: httpx.Client, offer: str, region: str, asked: Asked, notes: list[str]
) -> PriceList | None:
    """Read one price list; of those besides EC2's a missing one is only said."""
    url = file_url(asked.base, offer, region)
    types = frozenset(offers.types(PROVIDER))
    try:
        with stream(by, url, f"{offer} {region}", asked.progress) as pieces:
            return price_list.read(price_list.split(pieces), offer, region, types, url)
    except NotThereError as error:
        if offer == rows.EC2:
            raise _no_region(region, error) from None
        notes.append(f"{error.message}: the old prices of what it lists stay")
        return None


def _no_region(region: str, error: NotThereError) -> NotThereError:
    near = get_close_matches(region, offers.regions(PROVIDER), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see 'deployer prices list'"
    return NotThereError(error.message, hint=hint, where=error.where)


def _not_found(news: News) -> Sequence[str]:
    lost = [c.name for c in rows.COMPONENTS if c.name not in news.components]
    return [f"not in the lists, the old prices are kept: {', '.join(lost)}"] if lost else []


def _spot(region: str, asked: Asked, notes: list[str]) -> Mapping[str, Decimal]:
    try:
        return asked.spot(region, tuple(offers.types(PROVIDER)))
    except NoSpotError as error:
        notes.append(f"spot prices were skipped, the old ones stay: {error}")
        return {}


@dataclass(frozen=True)
class PublicLists:
    """Fulfils `deployer.sources.prices.PriceSource`: AWS's public price lists, and EC2 for spot prices."""

    default: str

    @property
    def base(self) -> str:
        """See `PriceSource`."""
        return base_url()

    @property
    def spot(self) -> Spot:
        """See `PriceSource`."""
        return spot.live

    def refreshes(self, regions: Sequence[str], asked: Asked) -> list[Callable[[], Refreshed]]:
        """See `PriceSource`."""
        known = catalog.load(asked.folder).regions(PROVIDER)
        for name in regions:
            if name != "all" and not REGION.fullmatch(name):
                near = get_close_matches(name, known, n=3)
                raise UsageError(
                    f"{quoted(name)} is not the name of an AWS region",
                    hint=f"did you mean {' or '.join(near)}?" if near else "for example us-east-1",
                )
        names = known if "all" in regions else tuple(dict.fromkeys(regions)) or (self.default,)
        return [partial(refresh, name, asked) for name in names]
