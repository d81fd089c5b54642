"""The data files, each read when it is first needed: plain JSON, one row a line.

What belongs to no provider lies in `data/`; a provider's own lies in its folder, `stacks/<target>/<name>/catalog/`:

    offers.json       {"sources", "types": {"columns", "rows"}, "prices": {billing: {region: [[type, usd, source]]}}}
    components.json   {"sources", "columns", "components"}: what is billed besides, such as a disk, by region
    rules.json        {"sources", "rules"}: what a serverless provider accepts and how it counts

A price names its source by a key of the file's `sources` table ([text, date]), or holds source and date itself.
The region "*" stands for every region.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"
ANYWHERE = "*"


@cache
def read(file: Path) -> Mapping[str, Any]:
    """Read one data file; the answer is kept and must not be changed."""
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def table(name: str) -> Mapping[str, Any]:
    """Read one of the files that belong to no provider, `gpus` for `data/gpus.json`."""
    return read(FOLDER / f"{name}.json")


def rows(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Give each row its column names."""
    for row in values:
        yield dict(zip(columns, row, strict=True))


def usd(text: str | None) -> Decimal | None:
    """Read a price as it is written in the data; none is None, never 0."""
    return None if text is None else Decimal(text)
