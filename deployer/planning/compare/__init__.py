"""Where the model should live: the targets side by side, where they meet, and which to take. Pure.

    demand      the hours of a year, from the profile or a log            deployer.planning.traffic.demand, deployer.sources.request_log
    serve       each plan as servers of a higher and a lower speed        .serve, deployer.planning.traffic.simulation
    bill        the plan's own pricing, for the hours that ran            .bill, deployer.planning.cost
    rows        the table, each cell with basis and source                .ways, .cells, .rows
    curve       cost against traffic and over months                      .curve
    wall        how long an answer takes when many ask at once            .wall
    break-even  when hardware is paid for, where two targets meet         .breakeven
    rules       which target, and why                                     .rules
    text        its figures as text                                       .text
    document    all of it as JSON                                         .document

`compare` answers with one frozen tree (`Comparison`), which the table, the document and a report are made of.
A rented machine is taken to run all month, as the plan prices it: nothing starts a stopped one when a
request comes. What it costs when it stops as `policy.idle` says is an alternative of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from deployer.core.documents.compare import Traffic
from deployer.core.domain import HOURS_PER_MONTH, Sizing
from deployer.planning.capacity import Capacity
from deployer.planning.cautions import PRICED_ONLY
from deployer.planning.compare import breakeven, curve, rules, scaling_wall
from deployer.planning.compare.bill import Pricing
from deployer.planning.compare.options import Asked, Way, other_ways, own_way
from deployer.planning.compare.result import Comparison, Paid, Recommendation, Row
from deployer.planning.compare.rows import row
from deployer.planning.compare.text import figure
from deployer.planning.traffic.demand import Demand, of_traffic

__all__ = ["Asked", "Comparison", "Pricing", "compare"]

DEVELOPMENT_SHARE = Decimal("0.01")
"""What developers ask, of what users ask, where the spec does not say."""


def compare(asked: Asked, generated_at: str, notes: Sequence[str] = ()) -> Comparison:
    """Compare the plans of one spec at one demand."""
    demand, first = asked.demand, asked.plans[0]
    ways = {plan.target: own_way(plan) for plan in asked.plans}
    rows = tuple(row(asked, way, demand) for way in ways.values())
    others = (way for plan in asked.plans for way in other_ways(asked, plan))
    costs = curve.Curve(asked, ways, demand.week())
    return Comparison(
        spec_name=first.spec_name,
        spec_digest=first.spec_digest,
        generated_at=generated_at,
        traffic=_traffic(demand),
        rows=rows,
        alternatives=tuple(row(asked, way, demand.week()) for way in others),
        paid=tuple(_paid(rows)),
        meetings=tuple(breakeven.meetings(costs)),
        curve=curve.points(costs),
        months={r.target: spent for r in rows if (spent := curve.spent(r))},
        walls=scaling_wall.walls(asked, ways, rows, demand),
        recommendation=_recommended(asked, rows),
        notes=(*notes, *_notes(asked, ways, rows)),
    )


def _traffic(demand: Demand) -> Traffic:
    requests = demand.per_hour * HOURS_PER_MONTH
    return Traffic(
        requests_per_month=requests,
        tokens_per_month=requests * (demand.input_tokens + demand.output_tokens),
        input_tokens=demand.input_tokens,
        output_tokens=demand.output_tokens,
        peak_per_hour=demand.peak,
        burstiness=demand.burstiness,
        source=demand.source,
    )


def _paid(rows: Sequence[Row]) -> Iterator[Paid]:
    own = next((r for r in rows if r.target == "local" and r.items), None)
    if own is not None:
        yield from (breakeven.paid(own, r) for r in rows if r is not own and r.items)


def _recommended(asked: Asked, rows: tuple[Row, ...]) -> Recommendation:
    production = rules.recommend(rules.Case(asked.spec, asked.demand, rows))
    demand = _development(asked)
    small = tuple(row(asked, own_way(plan), demand) for plan in asked.plans)
    development = rules.recommend(rules.Case(asked.spec, demand, small))
    requests = demand.per_hour * 24
    return replace(
        production,
        development=development.target,
        hybrid=rules.hybrid(production, development, requests),
    )


def _development(asked: Asked) -> Demand:
    """Developers ask little, in office hours, as long questions as users do."""
    told = asked.spec.decide.development_requests_per_day
    asks = Decimal(str(round(asked.demand.per_hour * 24, 6))) * DEVELOPMENT_SHARE
    traffic = replace(
        asked.spec.traffic,
        requests_per_day=asks if told is None else told,
        profile="office-hours",
    )
    return of_traffic(traffic).week()


def _notes(asked: Asked, ways: Mapping[str, Way], rows: Sequence[Row]) -> Iterator[str]:
    """What the plans warn of, too, in the same words and figures; and what has no price."""
    for r in rows:
        for said in ways[r.target].plan.warnings:
            if said.startswith(PRICED_ONLY):
                yield f"{r.target}: {said}"
        sizing = ways[r.target].sizing
        if r.simulation is None or sizing is None:
            continue
        if short := _shortfall(asked, r, sizing):
            yield f"{r.target}: {short}"
        if r.cells["wait"].value == "overloaded":
            yield (
                f"{r.target}: requests in its busiest hours wait longer than ten minutes, for bursts go beyond the"
                f" hour that it is built for; on average it is used to {figure(r.cells['utilisation'])}"
            )
        if r.unpriced:
            yield f"{r.target}: not in its cost, for no price is known: {r.without}"


def _shortfall(asked: Asked, row: Row, sizing: Sizing) -> str | None:
    demand, concurrency = asked.demand, asked.spec.serve.concurrency
    found = Capacity.of(sizing, concurrency, demand.peak, demand.output_tokens)
    short = found.shortfall(asked.spec, row.target, sizing) if found else None
    return (
        f"{short}; its cost here is that of {figure(row.cells['copies'])} copies" if short else None
    )
