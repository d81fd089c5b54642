"""The documents of `deployer prices list --json` and `deployer prices refresh --json`."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from deployer.core.documents.base import Document
from deployer.core.domain import Date, Offer
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class CatalogAge:
    """How old the oldest price shown is."""

    as_of: Date | None
    age_days: int | None


@dataclass(frozen=True, kw_only=True)
class OffersDocument(Document):
    """`prices list`: offers, the cheapest first and the unpriced last."""

    DECIMALS: ClassVar[int] = 10

    offers: tuple[Offer, ...]
    catalog: CatalogAge


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """A price that moved."""

    name: str
    old_usd: Decimal
    new_usd: Decimal


@dataclass(frozen=True, kw_only=True)
class RefreshedRegion:
    """What the refresh of one region brought."""

    region: str
    file: str
    as_of: Date
    on_demand: int
    spot: int
    components: int
    changes: tuple[PriceChange, ...]
    missing: tuple[str, ...]
    """Types that are no longer sold on demand."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RefreshedDocument(Document):
    """`prices refresh`: what each region's refresh brought."""

    DECIMALS: ClassVar[int] = 10
    """A single request may cost less than a millionth of a dollar."""

    refreshed: tuple[RefreshedRegion, ...]
