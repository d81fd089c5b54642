"""What `deployer prices refresh` brought: one file for each region of a provider, in the user's own folder. Pure reading.

`<provider>-<region>.json`:

    {"schema": 1, "region": "mars-1",
     "sources":    {"List@2026-11-22": ["price list List, version ...", "2026-11-22"]},
     "on-demand":  {"large.1": ["0.8048", "List@2026-11-22"]},
     "spot":       {"large.1": ["0.3219", "spot@2026-11-22"]},
     "components": {"disk": ["0.08", "List@2026-11-22"]}}

`<provider>.json` is of the same form: the whole listing of a provider whose prices do not differ by region. What it
does not price is not sold any more; "types" (columns and rows as in `offers.json`, with region and billing) describes
what the bundled file does not know. A null price: the list was read and has none. A refreshed price goes before a
bundled one unless it is older.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer.core.domain import Offer, Rate
from deployer.core.errors import UsageError, system_error
from deployer.core.files import read_own
from deployer.core.records import dataclass
from deployer.planning.catalog.tables import rows, usd

SCHEMA = 1
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""All that reading a damaged file may end in."""
KINDS = ("on-demand", "spot", "components")


@dataclass(frozen=True)
class Price:
    """One price with its source and date; `usd` None: the list was read and has none."""

    usd: Decimal | None
    source: str
    as_of: str

    def in_place_of(self, bundled: Rate) -> Rate:
        """This price in place of a bundled one, or the bundled one where that is the newer."""
        if _newer(bundled, self.as_of):
            return bundled
        return replace(bundled, usd=self.usd, source=self.source, as_of=self.as_of)


@dataclass(frozen=True)
class Refreshed:
    """What one file holds: prices by kind and name, and the types that only it knows."""

    prices: Mapping[str, Mapping[str, Price]]
    types: Sequence[Mapping[str, Any]] = ()


NOTHING = Refreshed({kind: {} for kind in KINDS})


class Folder:
    """The refreshed prices of a folder; each file is read when it is first asked for."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str | None], Refreshed] = {}

    def regions(self, provider: str, every: Iterable[str]) -> Sequence[str]:
        """The regions of a provider that were refreshed; `every` are all providers' names."""
        if self._folder is None:
            return ()
        longer = tuple(name for name in every if name.startswith(f"{provider}-"))
        stems = [file.stem for file in sorted(self._folder.glob(f"{provider}-*.json"))]
        return [s.removeprefix(f"{provider}-") for s in stems if not s.startswith(longer)]

    def of(self, provider: str, region: str | None = None) -> Refreshed:
        """What was refreshed of a provider, in one region or (None) as a whole listing."""
        if self._folder is None:
            return NOTHING
        if (provider, region) not in self._read:
            self._read[provider, region] = read(file_of(self._folder, provider, region))
        return self._read[provider, region]

    def rate(self, provider: str, component: str, region: str | None) -> Price | None:
        """The price of a component, or None when it was never refreshed."""
        if region is None:
            return None
        return self.of(provider, region).prices["components"].get(component)


def file_of(folder: Path, provider: str, region: str | None = None) -> Path:
    """Return the file that holds a provider's refreshed prices, of one region or as a whole listing."""
    return folder / (f"{provider}.json" if region is None else f"{provider}-{region}.json")


def read(file: Path) -> Refreshed:
    """Read one file; none there: nothing.

    Raises:
        UsageError: it is not a file of this form.
        PrerequisiteError: it may not be read.
    """
    try:
        document = json.loads(read_own(file))
        return Refreshed(_prices(document), _types(document))
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise system_error(error) from None
    except UNREADABLE as error:
        raise UsageError(
            f"{file} holds no prices that can be read: {type(error).__name__}: {error}",
            hint=f"remove it, or fetch it again: rm '{file}'; deployer prices refresh",
            where=str(file),
        ) from None


def merge(bundled: Sequence[Offer], fresh: Iterable[Offer]) -> Sequence[Offer]:
    """Put refreshed offers in the place of the bundled ones that are not newer; new ones come last."""
    listed = list(fresh)
    if not listed:
        return bundled
    found = {_key(offer): offer for offer in bundled}
    for offer in listed:
        before = found.get(_key(offer))
        if before is None or not _newer(before, offer.as_of or ""):
            found[_key(offer)] = offer
    return tuple(found.values())


def _key(offer: Offer) -> tuple[str | None, str, str]:
    return offer.region, offer.instance_type, offer.billing


def _newer(bundled: Offer | Rate, as_of: str) -> bool:
    return bundled.as_of is not None and bundled.as_of[: len(as_of)] > as_of


def _prices(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Price]]:
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']!r} is not {SCHEMA}")
    sources = document["sources"]
    return {
        kind: {name: Price(usd(row[0]), *sources[row[1]]) for name, row in document[kind].items()}
        for kind in KINDS
    }


def _types(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = document.get("types") or {"columns": (), "rows": ()}
    return tuple(rows(found["columns"], found["rows"]))
