"""Renewing the prices: AWS's public price lists in, one file of the user's catalog out. An edge.

All of a region's files are read and checked before anything is written; one fault, and the old prices stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.errors import EngineError
from deployer.planning import catalog
from deployer.planning.catalog import offers, refreshed
from deployer.sources.prices import aws_price_list, aws_rows, checks, store
from deployer.sources.prices.aws_price_list import Found
from deployer.sources.prices.aws_spot import NoSpotError
from deployer.sources.prices.checks import Change, News
from deployer.sources.prices.download import NotThereError, Progress, client, file_url, stream

if TYPE_CHECKING:
    import httpx

__all__ = ["Asked", "Refreshed", "refresh"]

Spot = Callable[[str, Sequence[str]], Mapping[str, Decimal]]
"""Asks for the spot prices of a region (`deployer.sources.prices.aws_spot.live`)."""


@dataclass(frozen=True)
class Asked:
    """What `refresh` is given besides the region.

    `folder` holds the refreshed prices; `today` dates the new ones; `base` is where the lists are;
    `accept_changes` takes prices that doubled or halved, and lists that miss many types.
    """

    folder: Path
    today: str
    base: str
    progress: Progress
    spot: Spot
    accept_changes: bool = False


@dataclass(frozen=True)
class Refreshed:
    """What a region's refresh brought."""

    region: str
    file: Path
    as_of: str
    on_demand: int
    spot: int
    components: int
    changes: Sequence[Change]
    missing: Sequence[str]
    notes: Sequence[str]


def refresh(region: str, asked: Asked) -> Refreshed:
    """Renew the prices of one region.

    Raises:
        EngineError: a file is truncated, changed in form, or holds a price that cannot be believed.
        NotThereError: AWS has no price list of that region.
        PrerequisiteError: no network, or the folder cannot be written.
    """
    old = catalog.load(asked.folder)
    notes: list[str] = []
    with client() as by:
        read = [_file(by, offer, region, asked, notes) for offer in aws_rows.OFFERS]
    files = [found for found in read if found is not None]
    news = checks.compare(old, region, files)
    _believe(news, region, asked)
    notes += [note for found in files for note in found.notes]
    notes += _not_found(news)
    live = _spot(region, asked, notes)
    file = refreshed.file_of(asked.folder, region)
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
) -> Found | None:
    """Read one price list; of those besides EC2's a missing one is only said."""
    url = file_url(asked.base, offer, region)
    types = frozenset(offers.types())
    try:
        with stream(by, url, f"{offer} {region}", asked.progress) as pieces:
            return aws_price_list.read(aws_price_list.split(pieces), offer, region, types, url)
    except NotThereError as error:
        if offer == aws_rows.EC2:
            raise _no_region(region, error) from None
        notes.append(f"{error.message}: the old prices of what it lists stay")
        return None


def _no_region(region: str, error: NotThereError) -> NotThereError:
    from difflib import get_close_matches

    near = get_close_matches(region, offers.regions(offers.AWS), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see 'deployer prices list'"
    return NotThereError(error.message, hint=hint, where=error.where)


def _believe(news: News, region: str, asked: Asked) -> None:
    why = [*news.faults, *(() if asked.accept_changes else news.doubts)]
    if not why:
        return
    mend = "look at AWS's own price page; if it is right: deployer prices refresh --accept-changes"
    raise EngineError(
        f"the old prices of {region} stay, for the new list cannot be believed: {'; '.join(why)}",
        hint=None if news.faults else f"{mend} --region {region}",
        where=file_url(asked.base, aws_rows.EC2, region),
    )


def _not_found(news: News) -> Sequence[str]:
    lost = [c.name for c in aws_rows.COMPONENTS if c.name not in news.components]
    return [f"not in the lists, the old prices stay: {', '.join(lost)}"] if lost else []


def _spot(region: str, asked: Asked, notes: list[str]) -> Mapping[str, Decimal]:
    try:
        return asked.spot(region, tuple(offers.types()))
    except NoSpotError as error:
        notes.append(f"spot prices were skipped, the old ones stay: {error}")
        return {}
