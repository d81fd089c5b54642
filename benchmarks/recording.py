"""What a benchmark found, kept in `benchmarks/results/` for the documents: `--record`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent / "results"

Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By table, row and column: the figures as they are printed."""


def record(name: str, tables: Tables) -> Path:
    """Keep the tables of a benchmark with today's date, over what was kept before."""
    file = FOLDER / f"{name}.json"
    today = datetime.now(UTC).date().isoformat()
    kept = {"command": f"benchmarks/{name}", "date": today, "tables": tables}
    file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return file
