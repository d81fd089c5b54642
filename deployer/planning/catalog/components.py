"""What is billed besides the hardware, such as a disk or an address, by region. Pure.

The names are shared by all providers: each stands in one file only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deployer.core.domain import Rate
from deployer.core.records import dataclass
from deployer.planning.catalog.tables import ANYWHERE, FOLDER, read, rows, usd
from deployer.providers.registry import data_files

FILE = "components.json"


@dataclass(frozen=True)
class Component:
    """One row of a file; `owner` is the provider whose file it is, None where it is nobody's alone."""

    owner: str | None
    row: Mapping[str, Any]
    sources: Mapping[str, Any]

    def rate(self, region: str | None) -> Rate:
        """The price in one region: an amount, or an amount and the key of its own source."""
        row = self.row
        price = row["usd"].get(region, row["usd"].get(ANYWHERE))
        if price is None or isinstance(price, str):
            return Rate(row["component"], row["unit"], usd(price), row["source"], row["as_of"])
        amount, key = price
        return Rate(row["component"], row["unit"], usd(amount), *self.sources[key])


def every() -> Mapping[str, Component]:
    """All components by name."""
    return _read((*data_files(FILE).items(), (None, FOLDER / FILE)))


def dates() -> Iterator[str]:
    """The dates of all prices; some give only the month."""
    for one in every().values():
        if one.row["as_of"]:
            yield one.row["as_of"]
        yield from (date for _, date in one.sources.values() if date)


@cache
def _read(files: tuple[tuple[str | None, Path], ...]) -> Mapping[str, Component]:
    found: dict[str, Component] = {}
    for owner, file in files:
        data = read(file)
        for row in rows(data["columns"], data["components"]):
            found[row["component"]] = Component(owner, row, data["sources"])
    return found
