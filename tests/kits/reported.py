"""Comparisons for the report: of the examples, and one in which whatever others write is hostile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.planning.compare import Comparison, compare
from deployer.planning.compare.result import Cell, Row
from tests.kits.compared import asked, spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
EVIL = (
    "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(1)></style>{{7*7}}&amp;"
)
LONG = "x" * 300
HOSTILE = f"{EVIL} {LONG}"


def plain(**more: Any) -> Comparison:
    """The small world of `tests.kits.compared`, with an alternative and a hybrid."""
    return compare(asked(spec("office-hours", 4500, **more)), "2026-01-05T08:00:00Z")


def hostile() -> Comparison:
    """A comparison in which every text that is not a word of this tool is hostile."""
    made = plain()
    said = made.recommendation
    rules = tuple(replace(rule, detail=HOSTILE) for rule in said.rules)
    return replace(
        made,
        spec_name=HOSTILE,
        generated_at=EVIL,
        spec_digest=EVIL,
        traffic=replace(made.traffic, source=HOSTILE),
        rows=tuple(map(_hostile, made.rows)),
        alternatives=tuple(map(_hostile, made.alternatives)),
        recommendation=replace(said, rules=rules, hybrid=HOSTILE),
        notes=(HOSTILE, *made.notes),
    )


def _hostile(row: Row) -> Row:
    return replace(
        row,
        provider=HOSTILE,
        variant=HOSTILE,
        feasible=False,
        reasons=(HOSTILE,),
        cells={name: _cell(cell) for name, cell in row.cells.items()},
        items=tuple(
            replace(i, component=HOSTILE, unit=HOSTILE, source=HOSTILE, as_of=EVIL)
            for i in row.items
        ),
        unpriced=(HOSTILE,),
    )


def _cell(cell: Cell) -> Cell:
    value = HOSTILE if isinstance(cell.value, str) else cell.value
    return replace(cell, value=value, source=HOSTILE)
