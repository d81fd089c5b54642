"""What `deployer prices refresh` brought: one file for each region, in the user's own folder. Pure reading.

    {"schema": 1, "region": "us-east-1",
     "sources":    {"AmazonEC2@2026-11-22": ["AWS price list AmazonEC2, version ...", "2026-11-22"]},
     "on-demand":  {"g6.xlarge": ["0.8048", "AmazonEC2@2026-11-22"]},
     "spot":       {"g6.xlarge": ["0.3219", "spot@2026-11-22"]},
     "components": {"ebs-gp3-storage": ["0.08", "AmazonEC2@2026-11-22"]}}

`huggingface.json` is of the same form, from Hugging Face's own listing, with a type such as aws/nvidia-l4/x1.
A null price: the list was read and has none. A refreshed price goes before a bundled one unless it is older.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from deployer.core.domain import Offer, Rate
from deployer.core.errors import UsageError
from deployer.planning.catalog.tables import usd

SCHEMA = 1
KINDS = ("on-demand", "spot", "components")


@dataclass(frozen=True)
class Price:
    """One price with its source and date; `usd` None: the list was read and has none."""

    usd: Decimal | None
    source: str
    as_of: str

    def rate(self, bundled: Rate) -> Rate:
        """This price in place of a bundled one, or the bundled one where that is the newer."""
        if _newer(bundled, self.as_of):
            return bundled
        return replace(bundled, usd=self.usd, source=self.source, as_of=self.as_of)


class Folder:
    """The refreshed prices of a folder; each region's file is read when it is first asked for."""

    def __init__(self, folder: Path | None) -> None:
        found = sorted(folder.glob("aws-*.json")) if folder else []
        self._files = {file.stem.removeprefix("aws-"): file for file in found}
        self._read: dict[str, Mapping[str, Mapping[str, Price]]] = {}
        self._folder = folder

    def regions(self) -> Sequence[str]:
        """The regions that were refreshed."""
        return tuple(self._files)

    def prices(self, kind: str, region: str) -> Mapping[str, Price]:
        """All prices of one kind (`on-demand`, `spot`, `components`) in one region."""
        if region not in self._read:
            file = self._files.get(region)
            self._read[region] = read(file) if file else {}
        return self._read[region].get(kind, {})

    def price(self, kind: str, name: str, region: str | None) -> Price | None:
        """One price, or None when it was never refreshed."""
        return self.prices(kind, region).get(name) if region else None

    def listed(self, provider: str) -> Mapping[str, Price]:
        """The prices by type that a provider's own listing had; {} when it was never read."""
        return read(listed_file(self._folder, provider))["on-demand"] if self._folder else {}


def listed_file(folder: Path, provider: str) -> Path:
    """Return the file that holds what a provider's own listing had."""
    return folder / f"{provider}.json"


def file_of(folder: Path, region: str) -> Path:
    """Return the file that holds a region's refreshed prices."""
    return folder / f"aws-{region}.json"


def read(file: Path) -> Mapping[str, Mapping[str, Price]]:
    """Read one region's file; none there: nothing.

    Raises:
        UsageError: it is not a file of this form.
    """
    try:
        return _prices(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {kind: {} for kind in KINDS}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InvalidOperation) as error:
        raise UsageError(
            f"{file} holds no prices that can be read: {type(error).__name__}: {error}",
            hint=f"remove it, or fetch it anew: rm '{file}'; deployer prices refresh",
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
