"""Renewing prices: what a provider's own source is asked, and what came of it.

    checks      whether what was read may take the place of the old prices
    download    the network's part of it
    listing     a provider's whole listing, for all its regions
    store       one file of the user's catalog, composed whole and written at once

Each provider reads its own lists (`deployer.providers.api.Provider.prices`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deployer.sources.prices.checks import Change
    from deployer.sources.prices.download import Progress

Spot = Callable[[str, Sequence[str]], Mapping[str, Decimal]]
"""Asks for the spot prices of a region and instance types: USD an hour by type."""


@dataclass(frozen=True)
class Row:
    """One price in USD, with the row of the source that it was read from."""

    usd: Decimal
    said: str


@dataclass
class PriceList:
    """What one file or listing holds of what is wanted, by instance type and by component."""

    offer: str
    version: str
    lines: int = 0
    instances: dict[str, Row] = field(default_factory=dict)
    components: dict[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """What a plan names as the source of these prices."""
        return f"price list {self.offer}, version {self.version}"


@dataclass(frozen=True)
class Asked:
    """What a refresh is given besides the region.

    `folder` holds the refreshed prices; `today` dates the new ones; `base` is where the lists are;
    `accept_changes` takes prices that doubled or halved, and lists that miss many types.
    """

    folder: Path
    today: str
    base: str
    progress: Progress
    spot: Spot = lambda _region, _types: {}
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


class PriceSource(Protocol):
    """Where the prices of one provider are published."""

    @property
    def base(self) -> str:
        """The address, which the environment may change."""
        ...

    @property
    def spot(self) -> Spot:
        """Asks for spot prices; nothing where there are none."""
        ...

    def refreshes(self, regions: Sequence[str], asked: Asked) -> list[Callable[[], Refreshed]]:
        """Return one call for each region that renews its prices; each may raise `RemoteError`.

        Raises:
            UsageError: there are no prices by region, or none of that region.
        """
        ...
