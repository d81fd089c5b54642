"""A comparison as the document of `deployer compare --json`. Pure.

Figures stand at their own keys, as numbers; `cells` tells of each one its basis, its source and its range.
"""

from __future__ import annotations

from decimal import Decimal

from deployer.core.documents.base import SpecIdentity
from deployer.core.documents.bill import BillItem
from deployer.core.documents.compare import (
    BreakEven,
    CompareDocument,
    CurvePoint,
    Figure,
    Hour,
    Number,
    Option,
    Reason,
    Recommended,
    ScalingWall,
    WallPoint,
)
from deployer.core.domain import TARGETS
from deployer.planning.compare.result import (
    Cell,
    Comparison,
    Meeting,
    Paid,
    Point,
    Recommendation,
    Row,
    Wall,
)


def document(made: Comparison) -> CompareDocument:
    """Return the document of one comparison."""
    return CompareDocument(
        spec=SpecIdentity(name=made.spec_name, digest=made.spec_digest),
        generated_at=made.generated_at,
        traffic=made.traffic,
        targets=tuple(map(_row, made.rows)),
        alternatives=tuple(map(_row, made.alternatives)),
        break_even=(*map(_paid, made.paid), *map(_meeting, made.meetings)),
        recommendation=_recommendation(made.recommendation),
        curve=tuple(map(_point, made.curve)),
        spent_usd={target: made.months.get(target, ()) for target in TARGETS},
        wall={target: _wall(made.walls.get(target)) for target in TARGETS},
        notes=made.notes,
    )


def _row(row: Row) -> Option:
    return Option(
        target=row.target,
        provider=row.provider,
        variant=row.variant or None,
        feasible=row.feasible,
        reasons=row.reasons,
        offer=row.offer,
        monthly_usd=_number(row.cells["monthly_usd"]),
        idle_hourly_usd=_number(row.cells["idle_hourly_usd"]),
        upfront_usd=_number(row.cells["upfront_usd"]),
        usd_per_1m_tokens=_number(row.cells["usd_per_1m_tokens"]),
        capacity_users=_number(row.cells["capacity_users"]),
        copies=_number(row.cells["copies"]),
        cold_start_share=_number(row.cells["cold_start_share"]),
        latency=_text(row.cells["latency"]),
        privacy=_text(row.cells["privacy"]),
        setup=_text(row.cells["setup"]),
        complexity=_text(row.cells["complexity"]),
        cells={name: _cell(cell) for name, cell in row.cells.items()},
        items=tuple(map(BillItem.of, row.items)),
        unpriced=row.unpriced,
        week=tuple(Hour(*hour) for hour in row.week),
    )


def _number(cell: Cell) -> Number | None:
    return cell.value if isinstance(cell.value, int | float | Decimal) else None


def _text(cell: Cell) -> str | None:
    return cell.value if isinstance(cell.value, str) else None


def _cell(cell: Cell) -> Figure:
    return Figure(
        value=cell.value,
        range=cell.within,
        unit=cell.unit or None,
        basis=cell.basis,
        source=cell.source,
    )


def _paid(paid: Paid) -> BreakEven:
    return BreakEven(
        what="months until owned hardware is paid for",
        between=("local", paid.against),
        range=paid.months,
        verdict=paid.verdict,
    )


def _meeting(met: Meeting) -> BreakEven:
    return BreakEven(
        what="tokens a month at which both cost the same",
        between=met.pair,
        range=met.tokens,
        verdict=met.verdict,
    )


def _point(point: Point) -> CurvePoint:
    return CurvePoint(
        tokens_per_month=point.tokens,
        requests_per_day=point.requests_per_day,
        usd={target: point.usd.get(target) for target in TARGETS},
    )


def _wall(wall: Wall | None) -> ScalingWall | None:
    if wall is None:
        return None
    return ScalingWall(
        users_at_once=wall.at_once,
        basis=wall.basis,
        source=wall.source,
        points=tuple(WallPoint(users=c.users, answer_seconds=c.seconds) for c in wall.points),
    )


def _recommendation(said: Recommendation) -> Recommended:
    applied = (rule for rule in said.rules if rule.verdict == "applies")
    return Recommended(
        target=said.target,
        close=said.close,
        why=tuple(Reason(rule.rule, rule.detail) for rule in applied),
        rules=said.rules,
        development=said.development,
        hybrid=said.hybrid,
    )
