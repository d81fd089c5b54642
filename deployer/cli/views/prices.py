"""Offers for a human and for a script: which ones are asked for, in which order, how old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING

from deployer.cli.terminal import table
from deployer.core.documents.prices import (
    CatalogAge,
    OffersDocument,
    PriceChange,
    RefreshedDocument,
    RefreshedRegion,
)
from deployer.core.domain import Gpu, Offer
from deployer.core.errors import NothingFitsError, RemoteError, UsageError
from deployer.planning.catalog import Catalog, age, gpus
from deployer.providers import registry

if TYPE_CHECKING:
    from deployer.sources.prices import Refreshed

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
"""What may stand in an address and a file's name."""

HEADER = ("provider", "region", "type", "GPU", "GiB each", "USD/h", "billing", "as of", "source")


def wanted(
    catalog: Catalog, gpu: str | None, region: str | None, provider: str | None
) -> Sequence[Offer]:
    """Return the offers asked for, the cheapest first and the unpriced last.

    Raises:
        UsageError: there is no such GPU, region or provider; the nearest names are said.
        NothingFitsError: nobody offers it there.
    """
    cards = {card.name for card in _cards(gpu)} if gpu else None
    names = (
        [_one_of("provider", provider, catalog.providers())] if provider else catalog.providers()
    )
    if region:
        _one_of("region", region, sorted({r for n in names for r in catalog.regions(n)}))
    found = [
        offer
        for name in names
        for offer in catalog.offers(name, region)
        if cards is None or offer.gpu in cards
    ]
    if not found:
        raise _nowhere(catalog, cards or set(), names)
    return sorted(found, key=_by_price)


def document(offers: Sequence[Offer], today: str) -> OffersDocument:
    """Return the document of `prices list --json`; `catalog` is as old as the oldest price shown."""
    as_of = age.oldest(offers)
    days = None if as_of is None else age.age_days(as_of, today)
    return OffersDocument(offers=tuple(offers), catalog=CatalogAge(as_of=as_of, age_days=days))


def table_of(offers: Sequence[Offer]) -> str:
    """Return offers as a table for a terminal."""
    return table([HEADER, *map(_row, offers)], right=frozenset({4, 5}))


def footer(offers: Sequence[Offer], today: str) -> str:
    """Say how many offers there are, how many have no price, and how old the prices are."""
    unpriced = sum(1 for offer in offers if offer.usd_per_hour is None)
    parts = [f"{len(offers)} offers"]
    if unpriced:
        parts.append(f"{unpriced} of them unpriced (offered there, but no price is known)")
    last = age.oldest(offers)
    if last:
        parts.append(f"the oldest price is {age.age_days(last, today)} days old ({last})")
    renewable = [o for o in offers if o.provider in registry.with_prices()]
    if age.stale(renewable, today):
        named = " and ".join(sorted({o.provider for o in renewable}))
        parts.append(f"renew those of {named}: deployer prices refresh")
    return "; ".join(parts)


def news(done: Refreshed) -> str:
    """Say what one region's refresh brought."""
    counts = f"{done.on_demand} on-demand, {done.spot} spot and {done.components} other prices"
    lines = [f"{done.region}: {counts} as of {done.as_of}, in {done.file}"]
    lines += [f"  {c.name}: {c.old:f} -> {c.new:f} USD" for c in done.changes]
    if done.missing:
        lines.append(f"  no longer sold on demand: {', '.join(done.missing)}")
    lines += [f"  {note}" for note in done.notes]
    return "\n".join(lines)


def refreshed(done: Sequence[Refreshed]) -> RefreshedDocument:
    """Return the document of `prices refresh --json`."""
    return RefreshedDocument(refreshed=tuple(map(_region, done)))


def together(refused: Sequence[RemoteError]) -> RemoteError:
    """Make one error of the regions that were refused."""
    first = refused[0]
    return RemoteError("; ".join(e.message for e in refused), hint=first.hint, where=first.where)


def _region(done: Refreshed) -> RefreshedRegion:
    return RefreshedRegion(
        region=done.region,
        file=str(done.file),
        as_of=done.as_of,
        on_demand=done.on_demand,
        spot=done.spot,
        components=done.components,
        changes=tuple(PriceChange(name=c.name, old_usd=c.old, new_usd=c.new) for c in done.changes),
        missing=tuple(done.missing),
        notes=tuple(done.notes),
    )


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"


def _cards(name: str) -> Sequence[Gpu]:
    if found := gpus.family(name):
        return found
    near = gpus.nearest(name)
    known = ", ".join(card.name for card in gpus.every())
    raise UsageError(
        f"the catalog has no GPU '{name}'",
        hint=f"did you mean {' or '.join(near)}?" if near else f"known: {known}",
    )


def _one_of(what: str, name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    raise UsageError(f"no prices are known for {what} '{name}'", hint=_near(name, known))


def _nowhere(catalog: Catalog, cards: set[str], providers: Iterable[str]) -> NothingFitsError:
    places = {
        f"{name} {offer.region or ''}".strip()
        for name in providers
        for offer in catalog.offers(name)
        if offer.gpu in cards
    }
    hint = f"offered in: {', '.join(sorted(places))}" if places else None
    return NothingFitsError(
        f"no offer of {' or '.join(sorted(cards))} is known in that region", hint=hint
    )


def _by_price(offer: Offer) -> tuple[bool, Decimal, str, str, str]:
    price = offer.usd_per_hour
    unpriced = price is None
    return (
        unpriced,
        price or Decimal(0),
        offer.provider,
        offer.region or "",
        offer.instance_type,
    )


def _row(offer: Offer) -> list[str]:
    price = offer.usd_per_hour
    return [
        offer.provider,
        offer.region or "any",
        offer.instance_type,
        offer.gpu_words or "none",
        f"{offer.vram_mib / 1024:.1f}" if offer.vram_mib else "",
        "unpriced" if price is None else f"{price:f}",
        offer.billing,
        offer.as_of or "undated",
        offer.source if len(offer.source) <= 40 else f"{offer.source[:37]}...",
    ]
