"""A provider's own listing, whose prices are the same in all its regions: compared with the old ones, then kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deployer.planning import catalog
from deployer.planning.catalog import refreshed
from deployer.sources.prices import Asked, PriceList, Refreshed, checks, store


def keep(
    asked: Asked, provider: str, found: PriceList, new: Sequence[Mapping[str, Any]], hint: str
) -> Refreshed:
    """Put a listing in the place of the last one.

    Args:
        asked: where prices are kept, and whether changes that are hard to believe are taken.
        provider: whose listing it is.
        found: what it holds.
        new: a row for each type that the bundled catalog does not know.
        hint: how a price is checked, and taken all the same.

    Raises:
        RemoteError: it holds a price that cannot be believed.
        PrerequisiteError: the folder cannot be written.
    """
    old = {
        offer.instance_type: offer.usd_per_hour
        for offer in catalog.load(asked.folder).offers(provider)
        if offer.usd_per_hour is not None
    }
    news = checks.against(old, found)
    checks.believe(news, accept_changes=asked.accept_changes, hint=hint, where=asked.base)
    file = refreshed.file_of(asked.folder, provider)
    store.write(file, store.document(provider, asked.today, [found], {}, news.missing, file, new))
    return Refreshed(
        region=provider,
        file=file,
        as_of=asked.today,
        on_demand=len(found.instances),
        spot=0,
        components=0,
        changes=news.changes,
        missing=news.missing,
        notes=found.notes,
    )
