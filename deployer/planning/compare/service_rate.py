"""How a plan serves a demand: the copies, when it sleeps, how fast it is, at both ends of the estimate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deployer.core.domain import Plan, Range, Sizing
from deployer.core.records import dataclass
from deployer.planning import capacity
from deployer.planning.catalog.target_traits import cold_start
from deployer.planning.compare.bill import Ran
from deployer.planning.traffic.demand import Demand
from deployer.planning.traffic.profile import UNKNOWN_SECONDS
from deployer.planning.traffic.simulation import Server, copies_for, simulate
from deployer.providers.api import Sleep
from deployer.providers.registry import provider
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
    """One plan as servers: of the higher and of the lower likely speed.

    There are `least` copies at any time, and at most those that are `allowed` or that the busiest hour asks for.
    """

    fast: Server
    slow: Server
    known: bool
    least: int = 1
    allowed: int = 1
    window_hours: float = 0.0
    sleeps: bool = False

    def run(self, demand: Demand) -> Ran:
        """Simulate the demand at both ends; the copies that there may be are those for what is expected."""
        fast, slow = (
            simulate(demand.rates, self._built(s, demand)) for s in (self.fast, self.slow)
        )
        return Ran(fast, slow, self.known, self.window_hours, self.sleeps)

    def _built(self, server: Server, demand: Demand) -> Server:
        asked = copies_for(demand.peak, server)
        if server.copies is None:
            return replace(server, least=self.least, most=max(self.allowed, asked))
        return replace(server, copies=max(self.least, asked))


def serving(spec: Spec, plan: Plan, sizing: Sizing, demand: Demand, *, stops: bool) -> Serving:
    """Say how a plan serves. `stops`: a rented machine that is stopped when idle, as policy.idle has it."""
    follows = plan.target == "serverless"
    sleep = provider(plan.target, plan.provider).sleep if follows else None
    keep = _scale_to_zero(plan, sleep, spec.policy.idle.after / 3600) if follows else None
    if stops:
        keep = spec.policy.idle.after / 3600
    minutes = _cold_minutes(plan.target, sleep) if keep is not None else (0.0, 0.0)
    batch = capacity.at_once(sizing, spec.serve.concurrency)
    times = capacity.seconds(sizing, spec.serve.concurrency, demand.output_tokens)
    fast, slow = (
        Server(each, batch, None if follows else 1, keep, start / 60)
        for each, start in zip(times or (None, None), minutes, strict=True)
    )
    if times is None and keep is not None:
        slow = replace(slow, keep_hours=keep + UNKNOWN_SECONDS[1] / 3600)
    window = sleep.window_minutes / 60 if sleep else 0.0
    awake = plan.target == "cloud-gpu" or (follows and keep is None)
    least = spec.serve.replicas.min if awake else 1
    most = capacity.allowed(spec, plan.target)
    return Serving(fast, slow, times is not None, max(1, least), most, window, follows)


def _cold_minutes(target: str, sleep: Sleep | None) -> Range:
    if sleep is not None:
        return sleep.cold_start_minutes
    known = cold_start(target)
    return known[0] if known else (0.0, 0.0)


def _scale_to_zero(plan: Plan, sleep: Sleep | None, otherwise: float) -> float | None:
    """Hours that an endpoint runs on after its last request; None: it never stops by itself."""
    given = (plan.inputs, *(r.inputs for r in plan.resources))
    told: Mapping[str, Any] = next((i for i in given if "scale_to_zero_minutes" in i), {})
    if sleep is not None and sleep.always_runs(told):
        return None
    return float(told["scale_to_zero_minutes"]) / 60 if told else otherwise
