"""How a plan serves a demand: the copies, when it sleeps, how fast it is, at both ends of the estimate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployer.core.domain import Plan, Range, Sizing
from deployer.planning.catalog.target_traits import cold_start
from deployer.planning.compare.bill import Ran
from deployer.planning.traffic.demand import Demand
from deployer.planning.traffic.profile import UNKNOWN_SECONDS
from deployer.planning.traffic.simulation import Server, copies_for, simulate
from deployer.spec import Spec


@dataclass(frozen=True)
class Measured:
    """What was measured of a target at the spec's concurrency and token counts, when and on what."""

    source: str
    ttft_ms: Range | None = None

    @classmethod
    def of(cls, sizing: Sizing | None) -> Measured | None:
        """Return what a sizing says was measured of its speed; None where it is estimated or unknown."""
        found = seen(sizing, "output_tok_s")
        return cls(found, sizing.ttft_ms if sizing else None) if found else None


def seen(sizing: Sizing | None, figure: str) -> str | None:
    """Return who measured a figure of a sizing, and when; None: it was not measured."""
    figures = sizing.measured if sizing else ()
    found = next((each for each in figures if each.figure == figure), None)
    return f"{found.source}, {found.at[:10]}" if found else None


@dataclass(frozen=True)
class Serving:
    """One plan as servers: of the higher and of the lower likely speed."""

    fast: Server
    slow: Server
    known: bool

    def run(self, demand: Demand) -> Ran:
        """Simulate the demand at both ends; copies that do not follow it are built for what is expected."""
        fast, slow = (simulate(demand.rates, _built(s, demand)) for s in (self.fast, self.slow))
        return Ran(fast, slow, self.known)


def _built(server: Server, demand: Demand) -> Server:
    return (
        server if server.copies is None else replace(server, copies=copies_for(demand.peak, server))
    )


def serving(spec: Spec, plan: Plan, sizing: Sizing, demand: Demand, *, stops: bool) -> Serving:
    """Say how a plan serves. `stops`: a rented machine that is stopped when idle, as policy.idle has it."""
    keep = _keep(spec, plan, stops=stops)
    cold = cold_start(plan.target)
    minutes = cold[0] if cold and keep is not None else (0.0, 0.0)
    copies = None if plan.target == "serverless" else 1
    batch, speed = spec.serve.concurrency, sizing.output_tok_s
    fast, slow = (
        Server(
            seconds=demand.output_tokens * batch / rate if rate else None,
            batch=batch,
            copies=copies,
            keep_hours=keep,
            cold_hours=start / 60,
        )
        for rate, start in zip(
            (speed[1], speed[0]) if speed else (None, None), minutes, strict=True
        )
    )
    if speed is None and keep is not None:
        slow = replace(slow, keep_hours=keep + UNKNOWN_SECONDS[1] / 3600)
    return Serving(fast, slow, speed is not None)


def _keep(spec: Spec, plan: Plan, *, stops: bool) -> float | None:
    """Hours that it runs on after its last request; None: it never stops by itself."""
    if plan.target == "serverless":
        return _scale_to_zero(plan, spec.policy.idle.after / 3600)
    return spec.policy.idle.after / 3600 if stops else None


def _scale_to_zero(plan: Plan, otherwise: float) -> float | None:
    given = (plan.inputs, *(r.inputs for r in plan.resources))
    told: Mapping[str, Any] = next((i for i in given if "scale_to_zero_minutes" in i), {})
    if float(told.get("min_replica") or 0) > 0:
        return None
    return float(told["scale_to_zero_minutes"]) / 60 if told else otherwise
