"""The refreshed file of one region: composed whole, then put in the old one's place at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployer.core.files import read_own, write_private
from deployer.planning.catalog import refreshed
from deployer.sources.prices import PriceList

Entry = list[str | None]


def document(
    region: str,
    today: str,
    files: Sequence[PriceList],
    spot: Mapping[str, Decimal],
    missing: Sequence[str],
    before: Path,
    types: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Compose the file. What was not found this time keeps the price and the date of the last refresh."""
    kept = _kept(before)
    sources: dict[str, list[str]] = dict(kept["sources"])
    on_demand, components = dict[str, Entry](), dict[str, Entry](kept["components"])
    for found in files:
        key = f"{found.offer}@{today}"
        sources[key] = [found.source, today[:10]]
        on_demand |= {name: [_text(row.usd), key] for name, row in found.instances.items()}
        components |= {name: [_text(row.usd), key] for name, row in found.components.items()}
    on_demand |= {name: [None, f"{files[0].offer}@{today}"] for name in missing}
    live = dict[str, Entry](kept["spot"])
    if spot:
        sources[f"spot@{today}"] = ["live: median of the spot prices of the zones", today[:10]]
        live |= {name: [_text(price), f"spot@{today}"] for name, price in spot.items()}
    kinds = {"on-demand": on_demand, "spot": live, "components": components}
    used = {row[1] for kind in kinds.values() for row in kind.values()}
    return {
        "schema": refreshed.SCHEMA,
        "region": region,
        "sources": {key: source for key, source in sources.items() if key in used},
        **{name: dict(sorted(kind.items())) for name, kind in kinds.items()},
        **_described(types),
    }


def _described(types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The types that the bundled catalog does not know, as a table."""
    if not types:
        return {}
    columns = list(types[0])
    return {"types": {"columns": columns, "rows": [[row[c] for c in columns] for row in types]}}


def write(file: Path, made: Mapping[str, Any]) -> None:
    """Write the file in one step: who reads it sees the old one or the new one.

    Raises:
        PrerequisiteError: it cannot be written.
    """
    write_private(file, json.dumps(made, indent=1))


def _kept(before: Path) -> Mapping[str, Mapping[str, Any]]:
    empty: dict[str, Mapping[str, Any]] = {"sources": {}, "spot": {}, "components": {}}
    if not before.exists():
        return empty
    refreshed.read(before)  # refuses what it cannot read
    found: dict[str, Mapping[str, Any]] = json.loads(read_own(before))
    return empty | found


def _text(price: Decimal) -> str:
    """Write a price without zeros at its end."""
    return f"{price.normalize():f}"
