"""A comparison as the JSON document of `deployer compare --json`. Pure.

Figures stand at their own keys, as numbers; `cells` tells of each one its basis, its source and its range.
What is not known is null, never 0.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deployer.core.domain import TARGETS
from deployer.planning.compare.result import Cell, Comparison, Meeting, Paid, Row, Wall
from deployer.planning.document import item_document, number, offer_document

FIGURES = (
    "monthly_usd",
    "idle_hourly_usd",
    "upfront_usd",
    "usd_per_1m_tokens",
    "capacity_users",
    "copies",
    "cold_start_share",
    "latency",
    "privacy",
    "setup",
    "complexity",
)
"""The cells that stand at a key of their own, too."""


def document(made: Comparison) -> dict[str, Any]:
    """Return the document of one comparison."""
    return {
        "spec": {"name": made.spec_name, "digest": made.spec_digest},
        "generated_at": made.generated_at,
        "traffic": number(asdict(made.traffic)),
        "targets": [_row(row) for row in made.rows],
        "alternatives": [_row(row) for row in made.alternatives],
        "break_even": [*map(_paid, made.paid), *map(_meeting, made.meetings)],
        "recommendation": _recommendation(made),
        "curve": [
            {
                "tokens_per_month": number(point.tokens),
                "requests_per_day": number(point.requests_per_day),
                "usd": {target: number(point.usd.get(target)) for target in TARGETS},
            }
            for point in made.curve
        ],
        "spent_usd": {
            target: [number(month) for month in made.months.get(target, ())] for target in TARGETS
        },
        "wall": {target: _wall(made.walls.get(target)) for target in TARGETS},
        "notes": list(made.notes),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "target": row.target,
        "provider": row.provider,
        "variant": row.variant or None,
        "feasible": row.feasible,
        "reasons": list(row.reasons),
        "offer": offer_document(row.offer) if row.offer else None,
        **{name: number(row.cells[name].value) for name in FIGURES},
        "cells": {name: _cell(cell) for name, cell in row.cells.items()},
        "items": [item_document(item) for item in row.items],
        "unpriced": list(row.unpriced),
        "week": [number(hour._asdict()) for hour in row.week],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "value": number(cell.value),
        "range": number(cell.within),
        "unit": cell.unit or None,
        "basis": cell.basis,
        "source": cell.source,
    }


def _paid(paid: Paid) -> dict[str, Any]:
    return {
        "what": "months until owned hardware is paid for",
        "between": ["local", paid.against],
        "range": None if paid.months is None else number(paid.months),
        "verdict": paid.verdict,
    }


def _meeting(met: Meeting) -> dict[str, Any]:
    return {
        "what": "tokens a month at which both cost the same",
        "between": list(met.pair),
        "range": number(met.tokens),
        "verdict": met.verdict,
    }


def _wall(wall: Wall | None) -> dict[str, Any] | None:
    if wall is None:
        return None
    return {
        "users_at_once": wall.at_once,
        "basis": wall.basis,
        "source": wall.source,
        "points": [{"users": c.users, "answer_seconds": number(c.seconds)} for c in wall.points],
    }


def _recommendation(made: Comparison) -> dict[str, Any]:
    said = made.recommendation
    return {
        "target": said.target,
        "close": list(said.close),
        "why": [{"rule": r.rule, "detail": r.detail} for r in said.rules if r.verdict == "applies"],
        "rules": number([asdict(rule) for rule in said.rules]),
        "development": said.development,
        "hybrid": said.hybrid,
    }
