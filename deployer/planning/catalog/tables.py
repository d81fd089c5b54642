"""The bundled data files, each read when it is first needed: plain JSON, one row a line.

A price names its source by a key of the file's `sources` table, or holds source and date itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"


@cache
def table(name: str) -> Mapping[str, Any]:
    """Read one data file, `gpus` for `data/gpus.json`; the answer is kept and must not be changed."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def rows(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Give each row its column names."""
    for row in values:
        yield dict(zip(columns, row, strict=True))


def usd(text: str | None) -> Decimal | None:
    """Read a price as it is written in the data; none is None, never 0."""
    return None if text is None else Decimal(text)
