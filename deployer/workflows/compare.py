"""A comparison of all targets: the plans, the traffic of the spec or of a log, and every price, brought together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.clock import now
from deployer.core.domain import CONTAINER, Plan
from deployer.core.errors import Exit
from deployer.planning import catalog, compare
from deployer.planning.compare import Comparison, Pricing
from deployer.planning.compare.shapes import Shapes
from deployer.planning.traffic.demand import Demand, of_traffic
from deployer.providers.registry import provider
from deployer.spec.load import Loaded, load
from deployer.workflows.plan import Setting, collector, planned

if TYPE_CHECKING:
    from deployer.sources.request_log import Trace


def make(file: Path, setting: Setting, trace: Path | None = None) -> Comparison:
    """Compare all targets for a spec, at its own traffic or at that of a log."""
    loaded = load(file, setting.home / "cache" / "specs")
    seen = _seen(trace) if trace else None
    if seen:
        loaded = _as_seen(loaded, seen)
    plans = planned(loaded, setting)
    demand = seen.demand if seen else of_traffic(loaded.spec.traffic)
    asked = question(loaded, plans, demand, setting, as_planned=seen is None)
    return compare.compare(asked, now(), tuple(_left_out(seen)) if seen else ())


def _seen(trace: Path) -> Trace:
    from deployer.sources.request_log import read  # late: most comparisons take the spec's traffic

    return read(trace)


def _left_out(seen: Trace) -> Iterator[str]:
    from deployer.sources.request_log import shown

    if seen.skipped:
        yield f"left out of the log: {shown(seen.skipped)}"


def question(
    loaded: Loaded, plans: tuple[Plan, ...], demand: Demand, setting: Setting, *, as_planned: bool
) -> compare.Asked:
    """Return what is compared; `as_planned`: the demand is the spec's own, which the plans are priced for."""
    return compare.Asked(
        spec=loaded.spec,
        plans=plans,
        demand=demand,
        shapes=Shapes(collector(setting)),
        as_planned=as_planned,
        pricing={p.target: _pricing(p, setting) for p in plans},
        privacy={p.target: _privacy(p) for p in plans if p.offer},
    )


def code(made: Comparison) -> Exit:
    """Return 0 when a target can be recommended, else why none can."""
    if made.recommendation.target:
        return Exit.DONE
    refused = any(row.items for row in made.rows)  # it was priced, and refused all the same
    return Exit.REFUSED if refused else Exit.NOTHING_FITS


def _as_seen(loaded: Loaded, seen: Trace) -> Loaded:
    """The spec with the log's traffic in it, so that plans are sized for its requests."""
    demand = seen.demand
    traffic = replace(
        loaded.spec.traffic,
        requests_per_day=Decimal(str(round(demand.per_hour * 24, 6))),
        input_tokens=max(1, round(demand.input_tokens)),
        output_tokens=max(1, round(demand.output_tokens)),
    )
    return replace(loaded, spec=replace(loaded.spec, traffic=traffic))


def _privacy(made: Plan) -> str:
    """Where the data goes: as its provider says, or to the Docker daemon of another machine."""
    urls = (one.inputs.get("docker") for one in made.resources if one.type == CONTAINER)
    if url := next(urls, None):
        return f"prompts and answers go to the machine of the Docker daemon at {url}"
    return provider(made.target, made.provider).privacy


def _pricing(made: Plan, setting: Setting) -> Pricing:
    rules = provider(made.target, made.provider).pricing if made.offer else None
    return Pricing(catalog.load(setting.home / "catalog"), rules)
