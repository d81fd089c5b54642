"""One row of measurements, and the question that it answers. Reading never fails: a strange row has a reason."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "model", "quant", "gpu", "n_gpu", "engine", "metric", "value", "unit", "conditions", "source",
)  # fmt: skip
LONGEST = 2000
"""Of longer conditions only so many characters are read."""
DOUBTFUL = ("LOW CONFIDENCE", "ANOMALOUS")
_PAIR = re.compile(
    r"([A-Za-z_][\w ]*?)\s*(<=|>=|=|~|:)\s*~?\s*([-+]?[\d.,]+)\s*([kK](?![a-zA-Z]))?"
)
_LLAMA_BENCH = re.compile(r"\b(pp|tg)\s?(\d+)(?:\s*@\s*d\s?(\d+))?")


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file."""

    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """A cell, never None."""
        return (self.cells.get(column) or "").strip()

    @property
    def value(self) -> float | None:
        """What was measured; None where it is no positive number."""
        return _number(self.text("value"))

    @property
    def gpus(self) -> int:
        """How many GPUs; 1 where that is not said."""
        found = _number(self.text("n_gpu"))
        return max(1, round(found)) if found and found <= 1024 else 1

    @property
    def doubtful(self) -> bool:
        """Whether whoever gathered it does not believe it."""
        return any(word in self.text("conditions").upper() for word in DOUBTFUL)


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


@dataclass(frozen=True)
class Conditions:
    """How it was measured, as far as the row says. Token counts are per request."""

    text: str
    numbers: Mapping[str, float]
    phase: str | None = None  # llama-bench: pp or tg
    phase_tokens: int | None = None
    depth: int = 0

    def first(self, *names: str) -> float | None:
        """The first of some numbers that the row gives."""
        return next((self.numbers[n] for n in names if n in self.numbers), None)

    def has(self, *words: str) -> bool:
        """Whether any of the words stands in the conditions."""
        low = self.text.lower()
        return any(word in low for word in words)


def conditions(text: str) -> Conditions:
    """Read `tp=4;util=0.90 default;isl~200`: pairs of a name and a number, in any order."""
    numbers: dict[str, float] = {}
    for part in re.split(r"[;,|]\s*", text[:LONGEST]):
        for name, _, digits, kilo in _PAIR.findall(part):
            value = _number(digits.rstrip(".,"))
            if value is not None:
                key = name.strip().lower().replace(" ", "_").replace("-", "_")
                numbers.setdefault(key, value * (1024 if kilo else 1))
    bench = _LLAMA_BENCH.search(text)
    if bench:
        return Conditions(text, numbers, bench[1], int(bench[2]), int(bench[3] or 0))
    return Conditions(text, numbers)


def read(file: Path) -> list[Row]:
    """Read every row of a file of measurements; cells that are missing are empty."""
    csv.field_size_limit(2**24)
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        return [Row({k: v for k, v in r.items() if isinstance(k, str) and isinstance(v, str)})
                for r in csv.DictReader(stream)]  # fmt: skip


def sources(rows: Iterable[Row]) -> tuple[str, ...]:
    """The sources of some rows, each once, in order."""
    return tuple(dict.fromkeys(row.text("source") for row in rows))
